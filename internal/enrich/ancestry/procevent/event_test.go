package procevent

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// message is a message of the kernel with these words as its data.
func message(what uint32, data ...uint32) []byte {
	o := binary.NativeEndian
	b := make([]byte, headerBytes+cnBytes+eventBytes, 128)
	o.PutUint32(b[16:], cnIndexProc)
	o.PutUint32(b[20:], cnValueProc)
	o.PutUint32(b[24:], 7) // seq
	o.PutUint32(b[36:], what)
	o.PutUint32(b[40:], 3) // cpu
	o.PutUint64(b[44:], 1e9)
	for _, w := range data {
		b = o.AppendUint32(b, w)
	}
	o.PutUint16(b[32:], uint16(len(b)-headerBytes-cnBytes))
	return b
}

func TestParse(t *testing.T) {
	name := [6]uint32{5, 5}
	var raw [16]byte
	copy(raw[:], "a\xff\xfeb\x00rest")
	for i := range 4 {
		name[2+i] = binary.NativeEndian.Uint32(raw[4*i:])
	}
	for _, tc := range []struct {
		in   []byte
		want Event
	}{
		{message(whatFork, 11, 10, 21, 20), Event{Kind: Fork, Parent: 10, TID: 21, PID: 20}},
		{message(whatExec, 5, 5), Event{Kind: Exec, TID: 5, PID: 5}},
		{message(whatUID, 5, 5, 0, 33), Event{Kind: UID, TID: 5, PID: 5, UID: 33}},
		{message(whatComm, name[:]...), Event{Kind: Comm, TID: 5, PID: 5, Name: "a\uFFFDb"}},
		{message(whatExit, 6, 5, 0, 17, 2, 1), Event{Kind: Exit, TID: 6, PID: 5, Parent: 1}},
		{message(whatExit, 6, 5, 0, 17), Event{Kind: Exit, TID: 6, PID: 5}},
		{message(0x80, 1, 1), Event{Kind: Other}},
	} {
		got, err := parse(tc.in)
		tc.want.Time, tc.want.cpu, tc.want.seq = 1e9, 3, 7
		if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(Event{}), cmpopts.EquateErrors()); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	for _, bad := range [][]byte{nil, message(whatFork, 1, 2, 3), message(whatExec)[:40], make([]byte, 100)} {
		if e, err := parse(bad); err == nil {
			t.Errorf("%v parsed as %+v", bad, e)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(message(whatFork, 11, 10, 21, 20))
	f.Add(message(whatComm, 1, 1, 2, 3, 4, 5))
	f.Add(message(whatExit, 6, 5, 0, 17, 2, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := parse(b)
		if err != nil && e != (Event{}) {
			t.Errorf("%+v beside an error", e)
		}
		if len(e.Name) > 3*16 {
			t.Errorf("a name of %d bytes", len(e.Name))
		}
	})
}

func BenchmarkParse(b *testing.B) {
	m := message(whatFork, 11, 10, 21, 20)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(m); err != nil {
			b.Fatal(err)
		}
	}
}
