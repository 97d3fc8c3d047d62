package alert

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"hash"
	"strings"
	"unicode/utf8"
)

// ID is the identity of an alert: 32 characters (0-9, a-v) that sort by the alert's time.
//
// It is made of the event's time in nanoseconds and a hash of host, rule, source and plain
// output line, hence the same for one alert by whichever input it came, and for no two of
// different events. Neither falcosidekick's uuid, nor tags, nor the types of fields, nor how
// a time or priority is spelt are part of it: these differ between transports. The line that
// Falco prints begins with a time and a priority; both are left out for that reason. Falco's
// notices about itself are told apart without their line.
type ID string

// idBytes is the size of an id before it is spelt: 8 bytes of time, 12 of hash. 96 bits make
// a collision within the same nanosecond of no concern.
const idBytes = 20

// idEncoding keeps the order of the bytes in the order of the characters.
//
//nolint:gochecknoglobals // immutable; base32 has no constant form
var idEncoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// ErrNotAnID says that a text is not the id of an alert or report.
var ErrNotAnID = errors.New("not an id: want 32 characters 0-9 a-v")

// ParseID checks that s is an id.
func ParseID(s string) (ID, error) {
	if b, err := idEncoding.DecodeString(s); err != nil || len(b) != idBytes || len(s) != idEncoding.EncodedLen(idBytes) {
		return "", ErrNotAnID
	}
	return ID(s), nil
}

// identify computes the identity of a decoded alert.
func identify(a *Alert) ID {
	h := sha256.New()
	writePart(h, a.Hostname)
	writePart(h, a.Rule)
	writePart(h, a.Source)
	line := PlainLine(a.Output)
	if a.Kind == KindFalcoInternal {
		line = "" // Falco words its own notices differently in JSON and in plain form
	}
	writePart(h, oneReplacement(line))
	if line == "" && a.Kind == KindRule {
		// Falco can leave the line out of its JSON (json_include_output_property). Then
		// the fields must tell alerts apart.
		for _, f := range a.fields {
			if f.Name == "evt.time" || Absent(f.Name, f.Value) {
				continue // gRPC does not bring the first, and has no null
			}
			writePart(h, f.Name)
			writePart(h, f.Value.Text())
		}
	}
	var b [idBytes]byte
	binary.BigEndian.PutUint64(b[:8], uint64(a.Nanos)) //nolint:gosec // Nanos is never negative
	var sum [sha256.Size]byte
	copy(b[8:], h.Sum(sum[:0]))
	return ID(idEncoding.EncodeToString(b[:]))
}

// writePart hashes s with its length before it, so that parts cannot run into each other.
func writePart(h hash.Hash, s string) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(s)))
	_, _ = h.Write(n[:])      // a hash never fails
	_, _ = h.Write([]byte(s)) // a hash never fails
}

// PlainLine is a Falco output line without the time and the priority that Falco puts before
// the rule's own text.
func PlainLine(output string) string {
	rest := output
	if t, after, ok := strings.Cut(output, ": "); ok && isLineTime(t) {
		rest = after
	}
	if word, after, ok := strings.Cut(rest, " "); ok && ParsePriority(word) != PriorityUnknown {
		return after
	}
	if ParsePriority(rest) != PriorityUnknown {
		return ""
	}
	return rest
}

// isLineTime reports whether s is a time as Falco begins a line with: 02:07:38.364460168 or,
// with time_format_iso_8601, 2026-11-22T02:07:38.364460168+0000.
func isLineTime(s string) bool {
	if len(s) < len("02:07:38") || len(s) > len("2026-11-22T02:07:38.364460168+00:00") {
		return false
	}
	digits := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case strings.IndexByte(":.-+TZ", c) < 0:
			return false
		}
	}
	return digits >= 6
}

// valid makes s valid UTF-8: each run of invalid bytes becomes one U+FFFD.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, string(utf8.RuneError))
}

// oneReplacement makes each run of U+FFFD a single one, since transports differ in how many
// they put for a run of bad bytes.
func oneReplacement(s string) string {
	const r = string(utf8.RuneError)
	for strings.Contains(s, r+r) {
		s = strings.ReplaceAll(s, r+r, r)
	}
	return s
}
