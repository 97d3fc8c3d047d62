// Package redact takes secrets out of reports on their way out: passwords, tokens, keys and
// cookies in command lines, environments, URLs, headers and free text.
//
// [Report] does it for every string of a report, [String] for one. In the place of a secret
// stands what kind of thing it was, such as "[redacted password]"; the flag, the name or the
// user before it stays, since that is evidence. What only looks like a secret stays too: the
// -p of nc is a port, GLIBC_TUNABLES=glibc.tune.secrets=2 is an attack, PASSWORD=$PW is a
// reference, and --password-file=/etc/pw is a path.
//
// It works by recognition: a secret in a form that is not known here, or encoded, passes. A
// text is looked through for a few letter pairs first (suspect.go); only one that has them is
// read closely. Nothing backtracks: the time grows with the length of the text, of which at
// most [MaxLength] bytes are read. What is beyond is cut off and counted, never passed.
//
// Nothing is remembered from one report to the next. Measured on the 113 strings of a typical
// report (3.8 kB), to look them all through took 4.1 us, and to look them up in a map 4.4 us
// (sync.Map: 9.8 us): strings of a decoded report have no identity but their bytes.
//
// The package starts no goroutine and keeps no state: all functions may be called
// concurrently, and nothing here can become full.
package redact

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind says what stood in a redacted place.
type Kind string

// The kinds.
const (
	Password     Kind = "password"
	PasswordHash Kind = "password hash"
	Token        Kind = "token"
	Secret       Kind = "secret"
	APIKey       Kind = "api key"
	CloudKey     Kind = "cloud key"
	PrivateKey   Kind = "private key"
	Cookie       Kind = "cookie"
	Signature    Kind = "signature"
	Credentials  Kind = "credentials"
	// Uninspected is text that nobody looked through: what is beyond MaxLength.
	Uninspected Kind = "uninspected text"
)

// MaxLength bounds the text that is looked through, in bytes. Falco's longest fields, the
// command line and the environment, hold 4 KiB; audit events are longer.
const MaxLength = 64 << 10

// maxPasses bounds how often a text is read again after something was taken out of it. One
// pass finds everything but what an attacker has nested on purpose.
const maxPasses = 8

// String takes the secrets out of a text. It returns the text and one kind for each place,
// in no particular order; the text itself and nil, without allocating, when there are none.
// What it returns has none for String any more, is valid UTF-8 if the text was, and is at most
// MaxLength bytes long.
func String(s string) (out string, found []Kind) {
	return redact(s, place{}, nil)
}

// place is what is known of where a text stands.
type place struct {
	// program is the program whose arguments the text is; empty if it begins with its own.
	program string
	// isEnvironment says that the text is NAME=value pairs joined by spaces, unquoted.
	isEnvironment bool
	// isProse says that the text is a sentence of ours or of a rule's author: a word behind a
	// flag that it names is a word.
	isProse bool
	// whole is the kind of secret that the name of the field promises; empty if it does not.
	whole Kind
}

// redact is String for a text at a place. It calls taken, if that is not nil, for every
// secret that it takes out.
func redact(s string, at place, taken func(secret string, kind Kind)) (out string, found []Kind) {
	for range maxPasses {
		if len(s) > MaxLength {
			s = cut(s)
			found = append(found, Uninspected)
		}
		if !suspect(s) && at.whole == "" {
			return s, found
		}
		f := finder{s: s, at: at}
		f.find()
		if len(f.spans) == 0 {
			return s, found
		}
		for _, p := range f.spans {
			found = append(found, p.kind)
			if taken != nil {
				taken(s[p.start:p.end], p.kind)
			}
		}
		s = f.replace()
	}
	return placeholder(Uninspected), []Kind{Uninspected}
}

// dirty reports whether redact would change the text. It does not allocate for a text that
// is clean.
func dirty(s string, at place) bool {
	if len(s) > MaxLength {
		return true
	}
	if !suspect(s) && at.whole == "" {
		return false
	}
	f := finder{s: s, at: at}
	f.find()
	return len(f.spans) > 0
}

// cut shortens a text that is too long, with what says so at its end. It cuts between words
// where it can, so that no half of a secret is left that is not recognised any more.
func cut(s string) string {
	end := MaxLength - 64 // room for the placeholder
	for !utf8.RuneStart(s[end]) {
		end--
	}
	if i := strings.LastIndexAny(s[end-1024:end], " \t\n"); i >= 0 {
		end = end - 1024 + i
	}
	return s[:end] + " " + placeholder(Uninspected)
}

// span is a place to be redacted.
type span struct {
	start, end int
	kind       Kind
	// bare says that a JSON value without quotes stands there: its placeholder needs them.
	bare bool
	// exact says that the place is known to end there: what begins within it, because the
	// secret itself looks like a name and a value, does not make it longer.
	exact bool
}

// compareSpans orders spans by where they begin, the longer before the shorter.
func compareSpans(a, b span) int {
	return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end))
}

// finder looks for secrets in one text.
type finder struct {
	s     string
	at    place
	spans []span
}

// find fills spans, in order and without overlap.
func (f *finder) find() {
	f.whole()
	f.assignments()
	f.commands()
	f.pipes()
	f.urls()
	f.shapes()
	f.statements()
	if len(f.spans) > 0 {
		f.settle()
	}
}

// whole adds all of a text whose field's name promises a secret; of an encoded JSON string
// what is in the quotes, and of objects nothing, whose members have names of their own.
func (f *finder) whole() {
	if f.at.whole == "" || f.s == "" || f.s[0] == '{' || f.s[0] == '[' {
		return
	}
	start, end := 0, len(f.s)
	if end > 1 && f.s[0] == '"' && f.s[end-1] == '"' {
		start, end = 1, end-1
	}
	f.add(start, end, f.at.whole)
}

// add adds a span, unless what stands there is no secret.
func (f *finder) add(start, end int, kind Kind) {
	if start < end && !isEvidence(f.s[start:end], kind) {
		f.spans = append(f.spans, span{start: start, end: end, kind: kind})
	}
}

// addValue is add for what a known tool takes for a secret: the name of a file there is a
// password that looks like one.
func (f *finder) addValue(start, end int, kind Kind) {
	if start < end && !isNone(f.s[start:end]) {
		f.spans = append(f.spans, span{start: start, end: end, kind: kind, exact: true})
	}
}

// settle joins the spans that overlap and drops those over nothing but placeholders. No span
// cuts a placeholder in two: each pass leaves less text outside of them than there was, so
// that the last one ends with nothing to find.
func (f *finder) settle() {
	for i := range f.spans {
		f.spans[i].start, f.spans[i].end = f.aroundPlaceholders(f.spans[i].start, f.spans[i].end)
	}
	slices.SortStableFunc(f.spans, compareSpans)
	out := f.spans[:0]
	for _, p := range f.spans {
		n := len(out)
		switch {
		case n > 0 && p.start < out[n-1].end && out[n-1].exact && !p.exact && p.start > out[n-1].start:
		case n > 0 && p.start < out[n-1].end:
			out[n-1].exact = p.exact && p.end >= out[n-1].end
			if p.end-p.start >= out[n-1].end-out[n-1].start {
				out[n-1].kind = p.kind // the longer one knows better what it is, and a shape than a name
			}
			out[n-1].end = max(out[n-1].end, p.end)
		case !onlyPlaceholders(f.s[p.start:p.end]):
			out = append(out, p)
		}
	}
	f.spans = out
}

// aroundPlaceholders widens a range that begins or ends within a placeholder.
func (f *finder) aroundPlaceholders(start, end int) (wideStart, wideEnd int) {
	if i := strings.LastIndex(f.s[max(0, start-maxPlaceholder):start], placeholderStart); i >= 0 {
		i += max(0, start-maxPlaceholder)
		if n := placeholderAt(f.s[i:]); i+n > start {
			start = i
		}
	}
	from := max(start, end-maxPlaceholder)
	if i := strings.LastIndex(f.s[from:end], placeholderStart); i >= 0 {
		if n := placeholderAt(f.s[from+i:]); from+i+n > end {
			end = from + i + n
		}
	}
	return start, end
}

// replace writes the text with placeholders in the spans.
func (f *finder) replace() string {
	var b strings.Builder
	b.Grow(len(f.s) + len(f.spans)*16)
	done := 0
	for _, p := range f.spans {
		b.WriteString(f.s[done:p.start])
		if p.bare {
			b.WriteByte('"')
		}
		b.WriteString(placeholder(p.kind))
		if p.bare {
			b.WriteByte('"')
		}
		done = p.end
	}
	b.WriteString(f.s[done:])
	return b.String()
}
