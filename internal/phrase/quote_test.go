package phrase_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// FuzzQuote: whatever the value, the sentence has one pair of quotes, can be seen, and is short.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "plain", "a”b“c", "\x1b[31m\u202e\n", "\xff\xfe", strings.Repeat("é\u0301", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := phrase.Quote(s)
		inner, ok := strings.CutPrefix(got, "“")
		inner, closed := strings.CutSuffix(inner, "”")
		if !ok || !closed || strings.ContainsAny(inner, "“”\n\r\t\x1b\u202e") || !utf8.ValidString(got) {
			t.Errorf("Quote(%q) = %q", s, got)
		}
		// Each character may be spelt out, in ten at most.
		if n := utf8.RuneCountInString(inner); n > 10*(phrase.MaxQuoted+3) {
			t.Errorf("Quote(%q) has %d characters", s, n)
		}
		if utf8.ValidString(s) && utf8.RuneCountInString(s) <= phrase.MaxQuoted && phrase.Visible(s) == s && inner != s {
			t.Errorf("Quote(%q) = %q, though nothing had to change", s, got)
		}
	})
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                                      "less than 1 ms",
		999 * time.Microsecond:                 "less than 1 ms",
		95 * time.Millisecond:                  "95 ms",
		time.Second:                            "1 s",
		17_120 * time.Millisecond:              "17.1 s",
		59_960 * time.Millisecond:              "1 min",
		3*time.Minute + 20*time.Second:         "3 min 20 s",
		time.Hour:                              "1 h",
		time.Hour + 59*time.Second:             "1 h",
		47*time.Hour + 5*time.Minute:           "47 h 5 min",
		72*time.Hour - time.Nanosecond:         "2 days",
		40 * 24 * time.Hour:                    "40 days",
		time.Second - time.Nanosecond:          "999 ms",
		2*time.Minute + 999*time.Millisecond:   "2 min",
		10*time.Minute + 1500*time.Millisecond: "10 min 1 s",
	} {
		if got := phrase.Span(d); got != want {
			t.Errorf("Span(%v) = %q; want %q", d, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	if a, b, c := phrase.Count(1, "alert"), phrase.Count(uint64(2), "alert"), phrase.Count(int64(0), "alert"); a != "1 alert" || b != "2 alerts" || c != "0 alerts" {
		t.Errorf("%q, %q, %q", a, b, c)
	}
}
