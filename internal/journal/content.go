package journal

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
)

// Much of a report is the same in every report of its rule: descriptions of techniques,
// actions, findings. A field of the encoded report that came before, byte for byte, is kept
// once as content, and reports refer to it. Reading puts the same bytes together again.
//
// A report is kept as parts: a number, and behind it, where that is even, half as many bytes
// of the report; where it is odd, half of it is the id of content.

const (
	// minContent is the size from which on a field may be content: a reference takes 3 bytes
	// in the report, and a row of its own some 20.
	minContent = 128
	// maxContent bounds one content, so that a few large ones do not drive out all others.
	maxContent = maxContentBytes / 8
	// maxContentBytes bounds the contents in memory: those of some 500 rules.
	maxContentBytes = 8 << 20
	// maxSeen bounds the fields that were seen once: two sets of that many.
	maxSeen = 16 << 10
	// epochReports is how many reports an epoch has. Content remembers the epoch in which it
	// was last referred to, not the report, so that it is written once an epoch.
	epochReports = 4096
)

// epochOf is the epoch of a report's number.
func epochOf(seq uint64) int64 { return signed(seq / epochReports) }

// content is a part of reports that is kept once.
type content struct {
	id    int64
	hash  uint64
	epoch int64
	data  []byte
}

// contents are the contents that are in memory, which decide what is referred to, and what was
// seen once. Equal hashes only make bytes be compared, so that no collision can be noticed.
// What is dropped from it is kept a second time when it comes again.
//
// One goroutine changes it; any number may call data.
type contents struct {
	seed     maphash.Seed
	seen     map[uint64]struct{}
	seenLast map[uint64]struct{}

	mu     sync.RWMutex
	byHash map[uint64]*content
	byID   map[int64]*content
	bytes  int64
}

func newContents() *contents {
	return &contents{
		seed: maphash.MakeSeed(), seen: make(map[uint64]struct{}),
		byHash: make(map[uint64]*content), byID: make(map[int64]*content),
	}
}

func (t *contents) hashOf(field []byte) uint64 { return maphash.Bytes(t.seed, field) }

// data is the content with the id if it is in memory.
func (t *contents) data(id int64) ([]byte, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	c, ok := t.byID[id]
	if !ok {
		return nil, false
	}
	return c.data, true
}

// find returns the content with these bytes, and whether they were seen before.
func (t *contents) find(field []byte) (c *content, hash uint64, seen bool) {
	hash = t.hashOf(field)
	if c, ok := t.byHash[hash]; ok {
		if bytes.Equal(c.data, field) {
			return c, hash, true
		}
		return nil, hash, false // two fields with one hash: the second is never content
	}
	if _, seen = t.seen[hash]; seen {
		return nil, hash, true
	}
	if _, seen = t.seenLast[hash]; seen {
		return nil, hash, true
	}
	if len(t.seen) >= maxSeen {
		t.seenLast, t.seen = t.seen, make(map[uint64]struct{}, maxSeen)
	}
	t.seen[hash] = struct{}{}
	return nil, hash, false
}

// add puts content into memory and drops others, if need be, whichever come.
func (t *contents) add(c *content) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, taken := t.byHash[c.hash]; taken {
		return
	}
	for id, other := range t.byID {
		if t.bytes+int64(len(c.data)) <= maxContentBytes {
			break
		}
		t.drop(id, other)
	}
	t.byHash[c.hash], t.byID[c.id] = c, c
	t.bytes += int64(len(c.data))
}

// remove takes content out of memory.
func (t *contents) remove(id int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c, ok := t.byID[id]; ok {
		t.drop(id, c)
	}
}

// drop is remove with mu held.
func (t *contents) drop(id int64, c *content) {
	delete(t.byID, id)
	delete(t.byHash, c.hash)
	t.bytes -= int64(len(c.data))
}

// eachField calls f for the fields of an encoded message, which together are all its bytes.
// What is no field comes as a last one.
func eachField(b []byte, f func(field []byte) error) error {
	for len(b) > 0 {
		_, _, n := protowire.ConsumeField(b)
		if n < 0 {
			n = len(b)
		}
		if err := f(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// parts is a report being put together for keeping.
type parts struct {
	kept    []byte
	literal []byte // not yet in kept
}

func (p *parts) refer(id int64) {
	p.flush()
	p.kept = binary.AppendUvarint(p.kept, uint64(id)<<1|1) //nolint:gosec // never negative
}

func (p *parts) flush() {
	if len(p.literal) > 0 {
		p.kept = binary.AppendUvarint(p.kept, uint64(len(p.literal))<<1)
		p.kept = append(p.kept, p.literal...)
		p.literal = p.literal[:0]
	}
}

// eachPart calls literal or refer for every part of a kept report.
func eachPart(kept []byte, literal func(b []byte), refer func(id int64) error) error {
	for len(kept) > 0 {
		head, n := binary.Uvarint(kept)
		if n <= 0 {
			return errPacked
		}
		kept = kept[n:]
		if head&1 == 1 {
			if err := refer(int64(head >> 1)); err != nil {
				return err
			}
			continue
		}
		if head>>1 > uint64(len(kept)) {
			return errPacked
		}
		literal(kept[:head>>1])
		kept = kept[head>>1:]
	}
	return nil
}

// join puts a kept report together; find returns contents.
func join(kept []byte, size int64, find func(id int64) ([]byte, error)) ([]byte, error) {
	out := make([]byte, 0, max(0, min(size, int64(len(kept))+maxContentBytes)))
	err := eachPart(kept, func(b []byte) { out = append(out, b...) }, func(id int64) error {
		data, err := find(id)
		out = append(out, data...)
		return err
	})
	if err == nil && int64(len(out)) != size {
		err = errPacked
	}
	return out, err
}
