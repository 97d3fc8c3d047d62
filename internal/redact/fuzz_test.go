package redact_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/falco-reporter/falco-reporter/internal/redact"
)

// FuzzString: what comes out of any text is valid, and has no secret for a second look. What
// a text without triggers would be found to have is a trigger that is missing.
func FuzzString(f *testing.F) {
	for _, tc := range cases {
		f.Add(strings.NewReplacer("«", "", "»", "").Replace(tc.text))
	}
	for _, in := range evidence {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		in = strings.ToValidUTF8(in, "\uFFFD")
		if len(in) <= redact.MaxLength && redact.Finds(in) && !redact.Suspect(in) {
			t.Fatalf("not suspect: %q", in)
		}
		out, found := redact.String(in)
		if !utf8.ValidString(out) || len(out) > redact.MaxLength || (out == in) != (len(found) == 0) {
			t.Fatalf("%q\n became %q, %q", in, out, found)
		}
		if again, found := redact.String(out); again != out || found != nil {
			t.Fatalf("%q\n became %q\n and then %q, %q", in, out, again, found)
		}
	})
}

// FuzzPlanted: a secret of letters and digits never survives in any of the forms that are
// known, whatever stands around it.
func FuzzPlanted(f *testing.F) {
	const alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	for i := range cases {
		f.Add(uint64(i), i, "cd /tmp; ls -la\n", " | tee log\n")
	}
	f.Fuzz(func(t *testing.T, seed uint64, form int, before, after string) {
		text := cases[uint(form)%uint(len(cases))].text
		head, rest, _ := strings.Cut(text, "«")
		planted, tail, _ := strings.Cut(rest, "»")
		if len(planted) > len("session=abc") || strings.ContainsAny(planted, " =;$-_&") {
			return // a shape of its own, or known by how it is made up
		}
		rnd := rand.New(rand.NewPCG(seed, 1))
		secret := make([]byte, 8+rnd.IntN(24))
		for i := range secret {
			secret[i] = alnum[rnd.IntN(len(alnum))]
		}
		// What stands before must not be what a form begins in the midst of.
		before = strings.Map(plain, before)
		out, _ := redact.String(before + "\n" + head + string(secret) + tail + "\n" + strings.ToValidUTF8(after, ""))
		if strings.Contains(out, string(secret)) {
			t.Fatalf("%q in %q", secret, out)
		}
	})
}

// plain keeps what opens and closes nothing.
func plain(r rune) rune {
	if strings.ContainsRune("\"'`\\“”$[{(<-", r) || r == utf8.RuneError {
		return '.'
	}
	return r
}

func TestTriggers(t *testing.T) {
	if n := redact.Lists(); n >= 0xff {
		t.Errorf("%d lists of probes are too many for a byte", n)
	}
	for _, word := range redact.Triggers() {
		for _, in := range []string{word + " ", "." + word, "ä" + word + "x", strings.ToUpper(word) + "  "} {
			if !redact.Suspect(in) {
				t.Errorf("%q is not suspect", in)
			}
		}
	}
}
