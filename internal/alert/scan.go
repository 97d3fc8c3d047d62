package alert

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Scanner finds the JSON alerts in a file or stream: one object a line as Falco writes them,
// or objects and arrays of objects over several lines. What is no JSON object is an error of
// its line; the scanner then goes on behind it, so that a torn or foreign line costs no
// alert. It is not for concurrent use.
type Scanner struct {
	r     *bufio.Reader
	line  int       // the number of the line last read
	queue []Scanned // found and not yet handed out
	held  []byte    // a line read ahead, to be read again
	hold  bool
	err   error // what ended the reading
}

// Scanned is one thing that a Scanner found.
type Scanned struct {
	// Line is the number, from 1, of the line that it begins on.
	Line int
	// Raw is the JSON object; nil if there is an error.
	Raw []byte
	// Err says why there is no object, Text what stands there: the beginning of it, at most
	// 16 KiB.
	Err  error
	Text []byte
}

// maxBadText bounds Scanned.Text.
const maxBadText = 16 << 10

// NewScanner reads from r.
func NewScanner(r io.Reader) *Scanner { return &Scanner{r: bufio.NewReaderSize(r, 64<<10)} }

// Next returns the next object, or what stood in its place. It returns io.EOF after the last
// and any other error of the reader as it came.
func (s *Scanner) Next() (Scanned, error) {
	for len(s.queue) == 0 {
		line, tooLong, err := s.readLine()
		if err != nil {
			return Scanned{}, err
		}
		if tooLong {
			s.bad(s.line, ErrTooLarge, line)
			continue
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			s.read(line)
		}
	}
	out := s.queue[0]
	s.queue = s.queue[1:]
	return out, nil
}

// readLine reads a line without its end. A line of more than MaxBytes is read over and comes
// back as tooLong.
func (s *Scanner) readLine() (line []byte, tooLong bool, err error) {
	if s.hold {
		s.hold = false
		s.line++
		return s.held, false, nil
	}
	if s.err != nil {
		return nil, false, s.err
	}
	for {
		part, err := s.r.ReadSlice('\n')
		switch {
		case len(line)+len(part) > MaxBytes:
			line, tooLong = line[:min(len(line), maxBadText)], true
		case !tooLong:
			line = append(line, part...)
		default:
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			s.err = err
			if len(line) == 0 && !tooLong {
				return nil, false, err
			}
		}
		s.line++
		return bytes.TrimSuffix(line, []byte("\n")), tooLong, nil
	}
}

// unread lets the line that was read last be read again.
func (s *Scanner) unread(line []byte) { s.held, s.hold, s.line = line, true, s.line-1 }

// read queues what a line, and if need be its followers, holds.
func (s *Scanner) read(line []byte) {
	for len(line) > 0 {
		line = bytes.TrimSpace(s.readOne(line))
	}
}

// readOne queues the first value of line and returns what follows it.
func (s *Scanner) readOne(line []byte) (rest []byte) {
	start := s.line
	if line[0] != '{' && line[0] != '[' {
		s.bad(start, fmt.Errorf("%w: not a JSON object", ErrNotAnAlert), line)
		return nil
	}
	var t tracker
	buf := line
	end := t.feed(buf, 0)
	for end < 0 && !t.torn() {
		next, tooLong, err := s.readLine()
		if err != nil {
			break
		}
		trimmed := bytes.TrimSpace(next)
		if bytes.HasPrefix(trimmed, []byte("{")) && t.inObject() && !bytes.HasSuffix(bytes.TrimSpace(buf), []byte(":")) {
			// An object cannot stand where an object's next member has to: the one before is torn.
			s.unread(next)
			break
		}
		if tooLong || len(buf)+len(next) > MaxBytes {
			s.bad(start, ErrTooLarge, buf)
			return nil
		}
		from := len(buf) + 1
		buf = append(append(buf, '\n'), next...)
		end = t.feed(buf, from)
	}
	if end < 0 {
		s.bad(start, fmt.Errorf("%w: the JSON is cut off", ErrNotAnAlert), buf)
		return nil
	}
	s.found(start, buf[:end])
	return buf[end:]
}

// found queues an object, or the objects of an array.
func (s *Scanner) found(line int, value []byte) {
	if value[0] == '{' {
		s.queue = append(s.queue, Scanned{Line: line, Raw: value})
		return
	}
	d := newDecoder(value)
	_, _ = d.ReadToken() // the bracket that the tracker saw
	for d.PeekKind() != ']' {
		v, err := d.ReadValue()
		at := line + bytes.Count(value[:d.InputOffset()-int64(len(v))], []byte("\n"))
		if err != nil {
			s.bad(at, jsonError(err), value[d.InputOffset():])
			return
		}
		s.queue = append(s.queue, Scanned{Line: at, Raw: bytes.Clone(v)})
	}
}

func (s *Scanner) bad(line int, err error, text []byte) {
	s.queue = append(s.queue, Scanned{Line: line, Err: err, Text: bytes.Clone(text[:min(len(text), maxBadText)])})
}

// tracker follows the nesting of a JSON value through its bytes, in time linear in them.
type tracker struct {
	open     []byte // the brackets that are open
	inString bool
	escaped  bool
}

// feed reads b from the given place on and returns the end of the value, or -1 if it goes on.
func (t *tracker) feed(b []byte, from int) int {
	for i := from; i < len(b); i++ {
		c := b[i]
		switch {
		case t.escaped:
			t.escaped = false
		case t.inString:
			t.escaped = c == '\\'
			t.inString = c != '"'
		case c == '"':
			t.inString = true
		case c == '{' || c == '[':
			t.open = append(t.open, c)
		case c == '}' || c == ']':
			if t.open = t.open[:max(0, len(t.open)-1)]; len(t.open) == 0 {
				return i + 1
			}
		default:
		}
	}
	return -1
}

// torn reports whether a line ended within a string, which JSON does not allow.
func (t *tracker) torn() bool { return t.inString }

// inObject reports whether the innermost open bracket is an object's.
func (t *tracker) inObject() bool { return len(t.open) > 0 && t.open[len(t.open)-1] == '{' }

// Buffered is how many bytes have been read ahead; 0 tells that Next would wait for the
// reader.
func (s *Scanner) Buffered() int { return len(s.queue) + len(s.held) + s.r.Buffered() }
