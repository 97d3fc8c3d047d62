package journal_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/journal"
)

func TestParseCursor(t *testing.T) {
	for text, want := range map[string]journal.Cursor{
		"":                             {},
		"00112233aabbccdd-1":           {Journal: "00112233aabbccdd", Seq: 1},
		"f-0":                          {Journal: "f", Seq: 0},
		"f-18446744073709551615":       {Journal: "f", Seq: 1<<64 - 1},
		strings.Repeat("a", 32) + "-9": {Journal: strings.Repeat("a", 32), Seq: 9},
	} {
		got, err := journal.ParseCursor(text)
		if err != nil || got != want {
			t.Errorf("ParseCursor(%q) = %+v, %v, want %+v", text, got, err, want)
		}
		if got.String() != text {
			t.Errorf("%+v.String() = %q, want %q", got, got.String(), text)
		}
	}
}

func TestParseCursorRefuses(t *testing.T) {
	for _, text := range []string{
		"-", "-1", "f", "f-", "1", "f--1", "f-1-", "f-+1", "f-01", "f-00", "f-0x1", "f-1_0", "f- 1", " f-1", "f-1\n",
		"F-1", "g-1", "fgf-1", "f-18446744073709551616", strings.Repeat("a", 33) + "-1", "f\x00-1", "é-1",
	} {
		got, err := journal.ParseCursor(text)
		if !errors.Is(err, journal.ErrBadCursor) || got != (journal.Cursor{}) {
			t.Errorf("ParseCursor(%q) = %+v, %v, want ErrBadCursor", text, got, err)
		}
	}
}

// FuzzParseCursor: a text is either refused or the one text of its place.
func FuzzParseCursor(f *testing.F) {
	for _, seed := range []string{"", "00112233aabbccdd-1", "f-0", "f-01", "-1", "f--1", "F-1", "f-18446744073709551616"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := journal.ParseCursor(text)
		if err != nil {
			if !errors.Is(err, journal.ErrBadCursor) || c != (journal.Cursor{}) {
				t.Fatalf("ParseCursor(%q) = %+v, %v", text, c, err)
			}
			return
		}
		if c.String() != text {
			t.Fatalf("ParseCursor(%q) = %+v, whose text is %q", text, c, c.String())
		}
		if (c.Journal == "") != (c == journal.Cursor{}) {
			t.Fatalf("ParseCursor(%q) = %+v: only the zero cursor is of no journal", text, c)
		}
	})
}
