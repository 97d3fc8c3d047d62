package incident

import (
	"encoding/binary"
	"errors"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// errState says that kept state cannot be read.
var errState = errors.New("not the state of an incident")

// encoder writes the members of a state one after the other.
type encoder struct{ buf []byte }

func (e *encoder) uint(n uint64)   { e.buf = binary.AppendUvarint(e.buf, n) }
func (e *encoder) int(n int64)     { e.buf = binary.AppendVarint(e.buf, n) }
func (e *encoder) count(n int)     { e.uint(uint64(n)) } //nolint:gosec // never negative
func (e *encoder) fixed(n uint64)  { e.buf = binary.LittleEndian.AppendUint64(e.buf, n) }
func (e *encoder) bytes(b []byte)  { e.buf = append(e.buf, b...) }
func (e *encoder) text(s string)   { e.count(len(s)); e.buf = append(e.buf, s...) }
func (e *encoder) id(id alert.ID)  { e.text(string(id)) }
func (e *encoder) hash(h []uint64) { e.count(len(h)); e.hashes(h) }

func (e *encoder) hashes(list []uint64) {
	for _, h := range list {
		e.fixed(h)
	}
}

func (e *encoder) bool(b bool) {
	if b {
		e.uint(1)
		return
	}
	e.uint(0)
}

// decoder reads what an encoder wrote. After the first thing that cannot be read, everything is
// zero.
type decoder struct {
	buf []byte
	err error
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.buf)
	return took(d, n, size)
}

func (d *decoder) int() int64 {
	n, size := binary.Varint(d.buf)
	return took(d, n, size)
}

// took goes on behind a number, or fails.
func took[N uint64 | int64](d *decoder, n N, size int) N {
	if size <= 0 {
		d.buf, d.err = nil, errState
		return 0
	}
	d.buf = d.buf[size:]
	return n
}

// count is the length of a list whose elements take at least so many bytes each.
func (d *decoder) count(least int) int {
	n := d.uint()
	if n > uint64(len(d.buf)/least) { //nolint:gosec // a length
		d.buf, d.err = nil, errState
		return 0
	}
	return int(n) //nolint:gosec // at most the length of the rest
}

func (d *decoder) bytes(n int) []byte {
	if len(d.buf) < n {
		d.buf, d.err = nil, errState
		return make([]byte, n)
	}
	out := d.buf[:n]
	d.buf = d.buf[n:]
	return out
}

func (d *decoder) fixed() uint64 { return binary.LittleEndian.Uint64(d.bytes(8)) }
func (d *decoder) text() string  { return string(d.bytes(d.count(1))) }
func (d *decoder) id() alert.ID  { return alert.ID(d.text()) }
func (d *decoder) bool() bool    { return d.uint() != 0 }

func (d *decoder) hash() []uint64 {
	n := d.count(8)
	var out []uint64
	for range n {
		out = append(out, d.fixed())
	}
	return out
}
