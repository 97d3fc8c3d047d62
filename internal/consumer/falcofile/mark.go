package falcofile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/falco-reporter/falco-reporter/internal/consumer"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// position is what is noted in the journal: how far the file was read.
type position struct {
	// Path is the file's, as configured; Target where symbolic links led.
	Path   string `json:"path"`
	Target string `json:"target,omitzero"`
	// Files are the files being read, oldest first.
	Files []mark `json:"files"`
}

// mark is a place in a file, and by what that is known again.
type mark struct {
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
	Born   int64  `json:"born,omitzero"`
	// Offset is how many bytes of the content were used.
	Offset int64 `json:"offset"`
	// Skipping is whether that is within a line that is left out.
	Skipping bool `json:"skipping,omitzero"`
	// HeadHash is that of the first printSize bytes, TailHash of those before Offset; of all
	// where Offset is less.
	HeadHash string `json:"head"`
	TailHash string `json:"tail"`
	// Size and Modified are the file's at that time.
	Size     int64 `json:"size"`
	Modified int64 `json:"modified"`
}

func (m mark) id() identity { return identity{device: m.Device, inode: m.Inode, born: m.Born} }

// unread is how many bytes were known of and not read.
func (m mark) unread() int64 { return max(0, m.Size-m.Offset) }

// mark is the place that the source is at.
func (s *source) mark() mark {
	if s.headHash == "" {
		s.headHash = fingerprint(s.head)
	}
	return mark{
		Device: s.id.device, Inode: s.id.inode, Born: s.id.born,
		Offset: s.offset, Skipping: s.skipping,
		HeadHash: s.headHash, TailHash: fingerprint(s.buf[max(0, s.used-printSize):s.used]),
		Size: s.size, Modified: s.modified,
	}
}

// fingerprint is 128 bits of a hash: nobody who could make two files with the same one would
// gain by it.
func fingerprint(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

func (in *Input) marks() []mark {
	marks := make([]mark, len(in.sources))
	for i, s := range in.sources {
		marks[i] = s.mark()
	}
	return marks
}

// position encodes where the input stands. What does not fit is left out, oldest first, and
// the target before the last file.
func (in *Input) position() (*journal.Position, error) {
	p := position{Path: in.opts.Path, Files: in.marks()}
	if target := in.targets[len(in.targets)-1]; target != p.Path {
		p.Target = target
	}
	for {
		data, err := json.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("encode the position in %s: %w", in.opts.Path, err)
		}
		switch {
		case len(data) <= journal.MaxPositionBytes:
			return &journal.Position{Input: in.name, Data: data}, nil
		case len(p.Files) > 1:
			p.Files = p.Files[1:]
		default:
			p.Target = ""
		}
	}
}

func parsePosition(data []byte) (position, error) {
	var p position
	if err := json.Unmarshal(data, &p); err != nil {
		return position{}, fmt.Errorf("decode the position: %w", err)
	}
	for _, m := range p.Files {
		if m.Offset < 0 {
			return position{}, fmt.Errorf("decode the position: offset %d", m.Offset)
		}
	}
	return p, nil
}

// loadPosition asks where to go on, however long the journal cannot say. It reports whether it
// has an answer: not when ctx has ended.
func (in *Input) loadPosition(ctx context.Context) bool {
	backoff := consumer.Backoff{Base: 100 * time.Millisecond, Max: 10 * time.Second}
	for {
		data, err := in.positions.Position(ctx, in.name)
		if err == nil {
			in.takePosition(data)
			return true
		}
		if errors.Is(err, journal.ErrNotFound) {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		in.unavailable("the journal does not say how far the file was read: " + err.Error())
		if backoff.Wait(ctx) != nil {
			return false
		}
	}
}

// takePosition makes the position that was noted the one to go on from.
func (in *Input) takePosition(data []byte) {
	p, err := parsePosition(data)
	switch {
	case err != nil:
		in.log.Warn("how far the alerts file was read cannot be told; it is read from its start, and what is known is recognised", "path", in.opts.Path, "error", err)
		in.opts.FromEnd = false
	case p.Path != in.opts.Path:
		in.log.Info("another alerts file than before; it is read from its start", "path", in.opts.Path, "before", p.Path)
		in.opts.FromEnd = false
	default:
		in.opts.FromEnd = false
		in.pending = p.Files
		if p.Target != "" {
			in.addTarget(p.Target)
		}
	}
}
