package journal

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// TestKeys: a key is read back as its id, and keys sort as their ids do.
func TestKeys(t *testing.T) {
	ids := rapid.StringMatching(`[0-6][0-9a-v]{31}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := alert.ID(ids.Draw(t, "a")), alert.ID(ids.Draw(t, "b"))
		if len(keyOf(a)) != keyBytes || idOf([]byte(keyOf(a))) != a {
			t.Errorf("the key of %s is %x, which is that of %s", a, keyOf(a), idOf([]byte(keyOf(a))))
		}
		if (a < b) != (keyOf(a) < keyOf(b)) {
			t.Errorf("%s and %s do not sort as their keys", a, b)
		}
		if other := alert.ID(rapid.String().Draw(t, "other")); idOf([]byte(keyOf(other))) != other {
			t.Errorf("the key of %q is that of %q", other, idOf([]byte(keyOf(other))))
		}
	})
}

// FuzzRow: no row makes reading it fail in another way than by its error.
func FuzzRow(f *testing.F) {
	a, err := alert.DecodeJSON([]byte(`{"time":"2026-11-22T02:07:38Z","rule":"r","output":"o","priority":"Notice"}`))
	if err != nil {
		f.Fatal(err)
	}
	a.Input, a.Captured = "file", []byte("c")
	entries, data, _ := packAlert(nil, nil, keyOf(a.ID), a)
	f.Add(entries, data)
	f.Fuzz(func(t *testing.T, entries, data []byte) {
		err := unpackRow(1, entries, data, 1, func(_ uint64, a *alert.Alert) bool { return a != nil })
		if err != nil && !errors.Is(err, errPacked) && !errors.Is(err, alert.ErrNotAnAlert) && !errors.Is(err, alert.ErrTooLarge) {
			t.Error(err)
		}
	})
}

// FuzzParts: the fields of a report are all its bytes, and what is no kept report is refused.
func FuzzParts(f *testing.F) {
	f.Add([]byte("\x0a\x03abc\x12\x02de"))
	f.Add([]byte("\x06abc\x03"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := parts{}
		err := eachField(b, func(field []byte) error {
			p.literal = append(p.literal, field...)
			p.flush()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		none := func(int64) ([]byte, error) { return nil, nil }
		if got, err := join(p.kept, int64(len(b)), none); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%x comes back as %x, %v", b, got, err)
		}
		if _, err := join(b, int64(len(b)), none); err != nil && !errors.Is(err, errPacked) {
			t.Error(err)
		}
	})
}
