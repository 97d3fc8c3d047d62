package falcofile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// resume goes on at the pending marks. It reports false, and why is in the ledger, as long as
// the files cannot be looked for.
func (in *Input) resume(ctx context.Context) bool {
	var found []*source
	lost, beside := "", in.maySearchRenamed()
	for i, m := range in.pending {
		s, files, err := in.search(ctx, m)
		if s == nil && beside {
			s = in.searchRenamed(ctx, m, files)
		}
		isLast := i == len(in.pending)-1
		switch {
		case ctx.Err() != nil:
			closeAll(found, s)
			return false
		case s != nil:
			in.prime(s)
			found = append(found, s)
			if cut := in.cutOff(m, files); isLast && cut && !s.id.same(m.id()) {
				lost = in.truncationLoss(m, s)
			}
		case isLast:
			if why := in.cannotLook(); why != "" {
				closeAll(found, nil)
				in.unavailable(why)
				return false
			}
			if !beside {
				closeAll(found, nil)
				return false // the path has come back just now: look everywhere before giving up
			}
			lost = in.notFound(m, files, err)
		case m.unread() > 0:
			lost = in.notFound(m, files, err)
		default:
			// It was read to its end, and a later one was read after it.
		}
	}
	if lost != "" {
		in.mayHaveLost(lost)
	}
	last := in.pending[len(in.pending)-1]
	in.pending = nil
	for _, s := range found {
		in.add(s)
	}
	if len(found) == 0 {
		in.after = &file{modified: last.Modified}
		return in.begin(ctx)
	}
	in.available()
	return true
}

func closeAll(sources []*source, more *source) {
	for _, s := range sources {
		s.close()
	}
	if more != nil {
		more.close()
	}
}

// cannotLook is why the path cannot be read at the moment, or empty.
func (in *Input) cannotLook() string {
	s, err := openSource(in.opts.Path)
	if err != nil {
		return reason(in.opts.Path, err)
	}
	s.close()
	return ""
}

// search finds the file that a mark was made in among those that it lists. It tries again
// when they were renamed meanwhile.
func (in *Input) search(ctx context.Context, m mark) (s *source, files []file, err error) {
	files, listErr := in.list()
	for range maxListings {
		if s, err = in.find(ctx, m, files); s != nil || ctx.Err() != nil {
			return s, files, nil
		}
		before := files
		if files, listErr = in.list(); agree(before, files) {
			break
		}
	}
	return nil, files, errors.Join(err, listErr)
}

// find opens the file that a mark was made in, or a copy of it, at the mark. It returns nil if
// there is none, and why candidates could not be read.
func (in *Input) find(ctx context.Context, m mark, files []file) (*source, error) {
	var failed error
	// The file itself first; then copies, of which the newest is the most likely.
	candidates := slices.Clone(files)
	slices.Reverse(candidates)
	slices.SortStableFunc(candidates, func(a, b file) int { return m.likeness(b) - m.likeness(a) })
	for _, f := range candidates {
		if m.Offset == 0 && !f.id.same(m.id()) || !f.gz() && f.size < m.Offset {
			continue // without content there is nothing to know it by
		}
		s, err := openSource(f.name)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		ok, err := s.resume(ctx, m, in.space)
		if ok {
			return s, nil
		}
		s.close()
		failed = errors.Join(failed, err)
	}
	return nil, failed
}

// likeness orders files by how cheap and likely they are to be the one that a mark is in.
func (m mark) likeness(f file) int {
	switch {
	case f.id.same(m.id()):
		return 2
	case !f.gz():
		return 1
	default:
		return 0
	}
}

// cutOff reports whether the file of a mark is still there by its identity. If its content is
// another's it was truncated.
func (in *Input) cutOff(m mark, files []file) bool {
	return slices.ContainsFunc(files, func(f file) bool { return f.current && f.id.same(m.id()) })
}

// notFound says what may be lost when a mark is not found.
func (in *Input) notFound(m mark, files []file, err error) string {
	if in.cutOff(m, files) {
		return in.truncationLoss(m, nil)
	}
	why := ""
	if err != nil {
		why = fmt.Sprintf(" (%v)", err)
	}
	unread := "what was written to it after that is unknown"
	if n := m.unread(); n > 0 {
		unread = fmt.Sprintf("at least %d bytes of it were unread", n)
	}
	return fmt.Sprintf("%s was read up to byte %d of a file that is gone, inode %d; %s: its directory has it under no name that was looked at, nor a copy named as rotation does, plain or with gzip%s",
		in.opts.Path, m.Offset, m.Inode, unread, why)
}

// truncationLoss says what may be lost by a truncation; found is the copy, or nil.
func (in *Input) truncationLoss(m mark, found *source) string {
	if found != nil {
		return fmt.Sprintf("%s was truncated: the copy %s is read from byte %d on, but what Falco wrote between the copy and the truncation is lost; rotate by renaming instead of copytruncate",
			in.opts.Path, found.name, m.Offset)
	}
	return fmt.Sprintf("%s was truncated after byte %d had been read, and no copy of it was found: at least %d bytes are lost, and what Falco wrote between a copy and the truncation; rotate by renaming instead of copytruncate",
		in.opts.Path, m.Offset, m.unread())
}

// truncated goes on after a source was truncated: in a copy, if there is one, and then at its
// start.
func (in *Input) truncated(ctx context.Context, s *source) {
	m := s.mark()
	i := slices.Index(in.sources, s)
	in.waker.forget(s.watch)
	s.close()
	if i < len(in.sources)-1 && m.unread() == 0 {
		// A rotated file that was read to its end may be destroyed.
		in.sources = slices.Delete(in.sources, i, i+1)
		return
	}
	found, _, err := in.search(ctx, m)
	if err != nil {
		in.log.Info("not every file beside a truncated one could be read", "path", in.opts.Path, "error", err)
	}
	if ctx.Err() != nil {
		closeAll(nil, found)
		in.sources = slices.Delete(in.sources, i, i+1)
		return
	}
	in.mayHaveLost(in.truncationLoss(m, found))
	in.looked = time.Time{}
	if found != nil {
		in.sources[i] = found
		return
	}
	in.sources = slices.Delete(in.sources, i, i+1)
	if len(in.sources) == 0 {
		in.after = &file{modified: m.Modified}
	}
}
