package falcofile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// follow finds out whether the path leads to another file than the last source, and goes on to
// the next one when that is due. It reports whether it did.
func (in *Input) follow() bool {
	last := in.sources[len(in.sources)-1]
	now, err := os.Stat(in.opts.Path)
	if err != nil {
		if in.missing.IsZero() {
			in.missing = time.Now()
		}
		if time.Since(in.missing) > forcedAfter*in.opts.Quiet {
			in.unavailable(reason(in.opts.Path, err))
		}
	} else {
		in.missing = time.Time{}
		if last.is(now) {
			in.rotated = time.Time{}
			in.ahead = 0
			in.available()
			return false
		}
	}
	if in.rotated.IsZero() {
		in.rotated = time.Now()
	}
	if !in.isQuiet(last) && time.Since(in.rotated) < forcedAfter*in.opts.Quiet {
		return false
	}
	return in.next(last, now)
}

// next goes on behind the last source to the file that came next, if that has anything. Now is
// what the path leads to, or nil.
func (in *Input) next(last *source, now os.FileInfo) bool {
	var at identity
	if now != nil {
		at = identify(now)
	}
	if now != nil && !now.Mode().IsRegular() {
		in.unavailable(reason(in.opts.Path, &kindError{mode: now.Mode()}))
	}
	if at == in.lookedAt && time.Since(in.looked) < in.opts.Quiet && (now == nil || now.Size() == 0) {
		return false // a file that was empty can have grown since, but need not be looked for all the time
	}
	in.looked, in.lookedAt = time.Now(), at
	if in.advance(last.file()) {
		return true
	}
	failed := in.looked.IsZero()
	if !failed && now != nil && now.Mode().IsRegular() && now.Size() == 0 {
		in.available() // it is there; as long as it is empty, the old one may still grow
	}
	return false
}

// advance opens the first file after the given one that has anything in it.
func (in *Input) advance(after file) bool {
	next := successors(in.listing(), after, in.sources)
	if len(next) == 0 {
		return false
	}
	s, err := openSource(next[0].name)
	if errors.Is(err, fs.ErrNotExist) {
		in.looked = time.Time{} // renamed since it was listed
		return false
	}
	if err != nil {
		in.looked = time.Time{}
		in.unavailable(reason(next[0].name, err))
		return false
	}
	in.prime(s)
	if !s.id.same(next[0].id) || s.size < next[0].size {
		s.close() // renamed or truncated since it was listed
		in.looked = time.Time{}
		return false
	}
	in.add(s)
	in.ahead = 0
	for _, f := range next[1:] {
		in.ahead += f.size
	}
	in.available()
	in.log.Info("going on with the next alerts file", "path", in.opts.Path, "file", s.name)
	return true
}

// isQuiet reports whether a file that was rotated away has brought nothing for long enough.
func (in *Input) isQuiet(s *source) bool {
	if s.atEnd.IsZero() {
		return s.ended
	}
	return s.ended || time.Since(s.atEnd) >= in.opts.Quiet || time.Since(time.Unix(0, s.modified)) > settledAfter
}

// expire lets go of the files that were rotated away and bring nothing any more.
func (in *Input) expire(ctx context.Context) {
	for len(in.sources) > 1 {
		s := in.sources[0]
		done := s.ended || !s.atEnd.IsZero() && time.Since(s.atEnd) >= in.opts.Linger
		if !done && len(in.sources) <= maxSources {
			return
		}
		if !done && s.atEnd.IsZero() {
			in.mayHaveLost(fmt.Sprintf("%s still grows though it was rotated %d times: it is not followed any more after byte %d", in.opts.Path, maxSources, s.offset))
		}
		in.sources = in.sources[1:]
		in.batch.addLast(s.rest())
		in.waker.forget(s.watch)
		s.close()
		in.handOver(ctx)
	}
}
