package journal

import (
	"encoding/binary"
	"fmt"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// Alerts that are committed together share rows, because a row costs more than an alert. A
// row has two blobs. Its entries say for each alert: key, bytes as received, bytes of its
// payload. They come first in the row, so that pruning reads them alone. Its data are the
// payloads: received time, encoding, input, captured, raw.

// Bounds of a row, which any reader of one alert reads whole. An alert that is larger has a
// row of its own.
const (
	maxRowAlerts = 256
	maxRowBytes  = 256 << 10
)

// errPacked says that a row cannot be read back.
var errPacked = fmt.Errorf("%w: a row is not as it was written", ErrDamaged)

// textKey begins the key of an id that is not of the form of ids. No id of this century
// begins with it.
const textKey = 0xff

// keyBytes is the size of an id's key.
const keyBytes = 20

// keyOf is an id as it is kept: in 20 bytes. Keys sort as their ids do.
func keyOf(id alert.ID) string {
	var b [keyBytes]byte
	if len(id) != 32 {
		return string([]byte{textKey}) + string(id)
	}
	var acc uint64
	bits, n := 0, 0
	for i := range len(id) {
		c := id[i]
		var v byte
		switch {
		case c >= '0' && c <= '9':
			v = c - '0'
		case c >= 'a' && c <= 'v':
			v = c - 'a' + 10
		default:
			return string([]byte{textKey}) + string(id)
		}
		acc = acc<<5 | uint64(v)
		if bits += 5; bits >= 8 {
			bits -= 8
			b[n] = byte(acc >> bits) //nolint:gosec // the lowest byte is meant
			n++
		}
	}
	if b[0] == textKey {
		return string([]byte{textKey}) + string(id)
	}
	return string(b[:])
}

// idOf is the id of a key.
func idOf(key []byte) alert.ID {
	const digits = "0123456789abcdefghijklmnopqrstuv"
	if len(key) > 0 && key[0] == textKey {
		return alert.ID(key[1:])
	}
	out := make([]byte, 0, 32)
	var acc uint64
	bits := 0
	for _, c := range key {
		acc = acc<<8 | uint64(c)
		for bits += 8; bits >= 5; {
			bits -= 5
			out = append(out, digits[acc>>bits&31])
		}
	}
	return alert.ID(out)
}

// packed is what a row's entries say of one alert.
type packed struct {
	key          string
	raw, payload int64 // bytes
}

// cost is about what the alert takes on disk: its payload, its key in the row and in the
// index, and what SQLite adds.
func (p packed) cost() int64 { return p.payload + 2*int64(len(p.key)) + 24 }

// packAlert appends the alert to a row's blobs.
func packAlert(entries, data []byte, key string, a *alert.Alert) (newEntries, newData []byte, p packed) {
	before := len(data)
	data = binary.AppendVarint(data, a.ReceivedNanos)
	data = append(data, byte(a.Encoding))
	data = appendBytes(data, []byte(a.Input))
	data = appendBytes(data, a.Captured)
	data = append(data, a.Raw...)
	p = packed{key: key, raw: int64(len(a.Raw)), payload: int64(len(data) - before)}
	entries = appendBytes(entries, []byte(key))
	entries = binary.AppendUvarint(entries, uint64(p.raw))     //nolint:gosec // never negative
	entries = binary.AppendUvarint(entries, uint64(p.payload)) //nolint:gosec // never negative
	return entries, data, p
}

func appendBytes(to, b []byte) []byte {
	return append(binary.AppendUvarint(to, uint64(len(b))), b...)
}

// cutBytes undoes appendBytes.
func cutBytes(b []byte) (content, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) { //nolint:gosec // n is within b
		return nil, nil, false
	}
	end := n + int(size) //nolint:gosec // within b
	return b[n:end:end], b[end:], true
}

// unpackEntries reads a row's entries.
func unpackEntries(b []byte) ([]packed, error) {
	var out []packed
	for len(b) > 0 {
		key, rest, ok := cutBytes(b)
		if !ok {
			return nil, errPacked
		}
		raw, n := binary.Uvarint(rest)
		if n <= 0 {
			return nil, errPacked
		}
		payload, m := binary.Uvarint(rest[n:])
		if m <= 0 || raw > payload || payload > 1<<40 {
			return nil, errPacked
		}
		out = append(out, packed{key: string(key), raw: int64(raw), payload: int64(payload)}) //nolint:gosec // bounded above
		b = rest[n+m:]
	}
	return out, nil
}

// unpackAlert decodes an alert from its payload.
func unpackAlert(b []byte) (*alert.Alert, error) {
	received, n := binary.Varint(b)
	if n <= 0 || n == len(b) {
		return nil, errPacked
	}
	encoding := alert.Encoding(b[n])
	input, rest, ok := cutBytes(b[n+1:])
	if !ok {
		return nil, errPacked
	}
	captured, raw, ok := cutBytes(rest)
	if !ok {
		return nil, errPacked
	}
	decode := alert.DecodeJSON
	if encoding == alert.EncodingGRPC {
		decode = alert.DecodeGRPC
	}
	a, err := decode(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: decode a kept alert again: %w", errPacked, err)
	}
	a.Input, a.ReceivedNanos = string(input), received
	if len(captured) > 0 {
		a.Captured = captured
	}
	return a, nil
}

// unpackRow decodes the alerts from number from on of a row that begins with number seq, at
// most limit, and calls each until that returns false.
func unpackRow(seq uint64, entries, data []byte, from uint64, each func(seq uint64, a *alert.Alert) bool) error {
	list, err := unpackEntries(entries)
	if err != nil {
		return err
	}
	for i, p := range list {
		if p.payload > int64(len(data)) {
			return errPacked
		}
		payload := data[:p.payload:p.payload]
		data = data[p.payload:]
		n := seq + uint64(i)
		if n < from {
			continue
		}
		a, err := unpackAlert(payload)
		if err != nil {
			return fmt.Errorf("alert %d: %w", n, err)
		}
		a.ID = idOf([]byte(p.key)) // as it was accepted, also if later versions made another
		if !each(n, a) {
			return nil
		}
	}
	return nil
}
