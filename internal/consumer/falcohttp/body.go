package falcohttp

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// freeBytes is what every request may read without regard to the others, so that large bodies
// never keep out Falco's: 16 KiB. With maxRequests they are 32 MiB.
const freeBytes = 16 << 10

// read reads and unpacks the body of a request. With an error it returns what it has of it.
func (in *Input) read(w http.ResponseWriter, r *http.Request, s *share) ([]byte, error) {
	if r.ContentLength > MaxBody {
		return nil, errTooLarge
	}
	src, size := io.Reader(http.MaxBytesReader(w, r.Body, MaxBody)), int(r.ContentLength)
	coding := strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ",")))
	switch coding {
	case "gzip", "x-gzip":
		unpacked, err := gzip.NewReader(src)
		if err != nil {
			return nil, readError(err)
		}
		src, size = unpacked, -1
	default:
	}
	body, err := readAll(src, size, s)
	if err != nil {
		return body, readError(err)
	}
	switch coding {
	case "", "identity", "gzip", "x-gzip":
		return body, nil
	default:
		return body, errEncoding
	}
}

// readError says why a body could not be read.
func readError(err error) error {
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case tooLarge:
		return errTooLarge
	case errors.Is(err, errBusy), errors.Is(err, errTooLarge):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSlow
	default:
		return fmt.Errorf("%w: %w", errBroken, err)
	}
}

// readAll reads a body of at most MaxBody bytes; size is how many it has, -1 if that is not
// known. The memory for it grows with what has come, not with what was promised.
func readAll(src io.Reader, size int, s *share) ([]byte, error) {
	most := MaxBody + 1 // one more shows that there is more
	if size >= 0 {
		most = size
	}
	buf := make([]byte, 0, min(most, freeBytes))
	for {
		if len(buf) == cap(buf) && len(buf) < most {
			n := min(2*cap(buf), most)
			if err := s.take(n - cap(buf)); err != nil {
				return buf, err
			}
			buf = append(make([]byte, 0, n), buf...)
		}
		n, err := src.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > MaxBody:
			return buf, errTooLarge
		case errors.Is(err, io.EOF), err == nil && len(buf) == size:
			return tight(buf), nil
		case err != nil:
			return buf, err
		default:
		}
	}
}

// tight is b in as much memory as it needs: alerts keep what they were read from.
func tight(b []byte) []byte {
	if len(b) > cap(b)/2 {
		return b
	}
	return bytes.Clone(b)
}
