package falcofile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

const (
	// readSize is how much is read at a time: 256 KiB.
	readSize = 256 << 10
	// printSize is how many bytes at the start of a file, and before the place of reading, it
	// is known by: 1 KiB. Alerts begin with what is their own, and are longer than that.
	printSize = 1 << 10
	// maxIdleBuffer bounds what is kept of a buffer after a very long line.
	maxIdleBuffer = 1 << 20
)

var (
	// errTruncated says that a file does not hold any more what was read from it.
	errTruncated = errors.New("the file was truncated")
	// errCorrupt says that compressed data is damaged or cut off.
	errCorrupt = errors.New("the compressed file is damaged")
)

// source is a file being read: lines out of a window of its content. It is not for concurrent
// use.
type source struct {
	name           string
	id             identity
	f              *os.File
	packed         bool         // with gzip
	gz             *gzip.Reader // of a packed file that was read from
	size, modified int64        // at the last look
	watch          int          // of inotify

	head     []byte // the first printSize bytes of what was used
	headHash string // of head; empty when that has grown
	buf      []byte // the last bytes that were used, and those that are not yet
	used     int    // how much of buf is used
	scanned  int    // no line ends in buf between used and scanned
	offset   int64  // of buf[used] in the content
	skipping bool   // within a line that is too long

	atEnd time.Time // since when nothing follows; zero where that is not known
	ended bool      // nothing can follow
}

// openSource opens a regular file, at its start.
func openSource(name string) (*source, error) {
	// Opening a pipe or device can have effects: look first.
	if fi, err := os.Stat(name); err != nil {
		return nil, err
	} else if !fi.Mode().IsRegular() {
		return nil, &kindError{mode: fi.Mode()}
	}
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0) //nolint:gosec // the file that the operator named, or one beside it
	if err != nil {
		return nil, err
	}
	s := &source{name: name, f: f}
	if err := s.start(); err != nil {
		_ = f.Close() // it was only looked at
		return nil, err
	}
	return s, nil
}

func (s *source) start() error {
	fi, err := s.f.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return &kindError{mode: fi.Mode()}
	}
	s.id = identify(fi)
	s.id.born = bornFile(s.f)
	s.size, s.modified = fi.Size(), fi.ModTime().UnixNano()
	s.packed = strings.HasSuffix(s.name, gzipSuffix)
	return nil
}

func (s *source) close() { _ = s.f.Close() } // it was only read

// is reports whether a file is this one. As this one is open, no other can have its number.
func (s *source) is(fi os.FileInfo) bool { return identify(fi).same(s.id) }

// file describes the source for its place among its siblings.
func (s *source) file() file {
	return file{name: s.name, id: s.id, size: s.size, modified: s.modified}
}

// look notes how large the file is now.
func (s *source) look() {
	if s.packed {
		return // the size of its content is not known
	}
	if fi, err := s.f.Stat(); err == nil {
		s.size, s.modified = fi.Size(), fi.ModTime().UnixNano()
	}
}

// fill reads up to readSize more bytes by way of space, which has printSize more than that. It
// returns errTruncated when what was read before does not stand in the file any more.
func (s *source) fill(space []byte) (n int, err error) {
	if s.ended {
		return 0, nil
	}
	s.compact()
	if s.packed {
		n, err = s.unpack(space)
	} else {
		n, err = s.read(space)
	}
	switch {
	case n > 0:
		s.atEnd = time.Time{}
	case err == nil && s.atEnd.IsZero():
		s.atEnd = time.Now()
	default:
	}
	return n, err
}

// read reads from a plain file, in one go with the bytes before, to compare them.
func (s *source) read(space []byte) (int, error) {
	known := s.buf[max(0, len(s.buf)-printSize):]
	at := s.offset + int64(len(s.buf)-s.used) - int64(len(known))
	n, err := s.f.ReadAt(space[:len(known)+readSize], at)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("read %s: %w", s.name, err)
	}
	if n < len(known) || !bytes.Equal(space[:len(known)], known) {
		return 0, errTruncated
	}
	s.buf = append(s.buf, space[len(known):n]...)
	return n - len(known), nil
}

// unpack reads from a compressed file.
func (s *source) unpack(space []byte) (n int, err error) {
	if s.gz == nil {
		if s.gz, err = gzip.NewReader(bufio.NewReaderSize(s.f, 64<<10)); err != nil {
			s.ended = true
			return 0, fmt.Errorf("%w: %w", errCorrupt, err)
		}
	}
	n, err = io.ReadFull(s.gz, space[:readSize])
	s.buf = append(s.buf, space[:n]...)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF) && s.isWhole():
		s.ended = true
	default:
		s.ended = true
		return n, fmt.Errorf("%w: %w", errCorrupt, err)
	}
	return n, nil
}

// isWhole tells a short last read of a compressed file from one that is cut off: the first
// reads on to the end without an error, the second has the same error again.
func (s *source) isWhole() bool {
	var b [1]byte
	_, err := s.gz.Read(b[:])
	return errors.Is(err, io.EOF)
}

// compact drops what was used, but for the last printSize bytes.
func (s *source) compact() {
	cut := s.used - printSize
	if cut <= 0 {
		return
	}
	rest := s.buf[cut:]
	if cap(s.buf) > maxIdleBuffer && len(rest) < maxIdleBuffer/2 {
		s.buf = bytes.Clone(rest)
	} else {
		s.buf = s.buf[:copy(s.buf, rest)]
	}
	s.used -= cut
	s.scanned = max(0, s.scanned-cut)
}

// use moves the place of reading by n bytes.
func (s *source) use(n int) {
	if len(s.head) < printSize {
		s.head = append(s.head, s.buf[s.used:s.used+min(n, printSize-len(s.head))]...)
		s.headHash = ""
	}
	s.used += n
	s.offset += int64(n)
	s.scanned = max(s.scanned, s.used)
}

// line returns the next whole line, without its end; it is valid until the next fill. It is nil
// if there is none. A line of more than alert.MaxBytes is ErrTooLarge with its beginning, once,
// and is read over.
func (s *source) line() ([]byte, error) {
	for {
		s.scanned = max(s.scanned, s.used)
		i := bytes.IndexByte(s.buf[s.scanned:], '\n')
		if i < 0 {
			s.scanned = len(s.buf)
			return s.overlong()
		}
		line := s.buf[s.used : s.scanned+i]
		skipped := s.skipping
		s.skipping = false
		s.use(len(line) + 1)
		if !skipped {
			return line, nil
		}
	}
}

// overlong gives up on a line without end when it is too long to be an alert.
func (s *source) overlong() ([]byte, error) {
	open := s.buf[s.used:]
	if s.skipping {
		s.use(len(open))
		return nil, nil
	}
	if len(open) <= alert.MaxBytes {
		return nil, nil
	}
	s.skipping = true
	begin := open[:journal.MaxRejectedBytes]
	s.use(len(open))
	return begin, alert.ErrTooLarge
}

// rest is what stands after the last whole line.
func (s *source) rest() []byte {
	if s.skipping {
		return nil
	}
	return s.buf[s.used:]
}

// seek moves the place of reading to an offset of a plain file.
func (s *source) seek(offset int64) error {
	head := make([]byte, min(offset, printSize))
	tail := make([]byte, len(head))
	for _, part := range []struct {
		b  []byte
		at int64
	}{{head, 0}, {tail, offset - int64(len(tail))}} {
		if n, err := s.f.ReadAt(part.b, part.at); n < len(part.b) {
			return fmt.Errorf("read %s: %w", s.name, err)
		}
	}
	s.head, s.headHash = head, ""
	s.buf, s.used, s.scanned, s.offset = tail, len(tail), len(tail), offset
	return nil
}

// seekEnd moves to the end of the last whole line.
func (s *source) seekEnd() error {
	const step = 64 << 10
	b := make([]byte, step)
	for end := s.size; end > 0; {
		from := max(0, end-step)
		n, err := s.f.ReadAt(b[:end-from], from)
		if int64(n) < end-from {
			return fmt.Errorf("read %s: %w", s.name, err)
		}
		if i := bytes.LastIndexByte(b[:n], '\n'); i >= 0 {
			return s.seek(from + int64(i) + 1)
		}
		if s.size-from > alert.MaxBytes {
			s.skipping = true
			return s.seek(s.size)
		}
		end = from
	}
	return nil
}

// resume moves to a mark, if this file is, as its content says, the one that it was made in.
func (s *source) resume(ctx context.Context, m mark, space []byte) (bool, error) {
	if s.packed {
		if ok, err := s.unpackTo(ctx, m, space); !ok || err != nil {
			return false, err
		}
	} else if s.size < m.Offset {
		return false, nil
	} else if err := s.seek(m.Offset); err != nil {
		return false, err
	}
	got := s.mark()
	if got.HeadHash != m.HeadHash || got.TailHash != m.TailHash {
		return false, nil
	}
	s.skipping = m.Skipping
	return true, nil
}

// unpackTo reads a compressed file up to a mark, and no further than its start if that is
// another's.
func (s *source) unpackTo(ctx context.Context, m mark, space []byte) (bool, error) {
	for s.offset < m.Offset {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n, err := s.fill(space)
		if err != nil {
			return false, err
		}
		if n == 0 {
			return false, nil
		}
		s.use(int(min(m.Offset-s.offset, int64(len(s.buf)-s.used))))
		if len(s.head) == int(min(m.Offset, printSize)) && fingerprint(s.head) != m.HeadHash {
			return false, nil
		}
	}
	return true, nil
}
