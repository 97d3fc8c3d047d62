package rules

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// DefaultInterval is how often a Watcher looks when it is not told.
const DefaultInterval = 5 * time.Second

// Watcher keeps a Set that follows the files. Current may be called concurrently with all
// else; Run is for one goroutine.
type Watcher struct {
	paths    []string
	interval time.Duration
	log      *slog.Logger
	current  atomic.Pointer[Set]
	seen     []sight
}

// sight is what one look at a file saw.
type sight struct {
	path    string
	info    fs.FileInfo // nil when it could not be opened
	problem string      // why not
}

// NewWatcher loads the paths at once. The Watcher is never nil: with an error, that of Load, it
// has what could be loaded and goes on from there; the caller decides whether that is enough.
// An interval that is not positive is DefaultInterval.
func NewWatcher(paths []string, interval time.Duration, log *slog.Logger) (*Watcher, error) {
	if interval <= 0 {
		interval = DefaultInterval
	}
	w := &Watcher{paths: slices.Clone(paths), interval: interval, log: log}
	// Looked at before they are read: what changes in between is found the next time.
	w.seen = look(w.paths)
	set, err := Load(w.paths, log)
	w.current.Store(set)
	return w, err
}

// Current is the Set of the last good load. It is never nil.
func (w *Watcher) Current() *Set { return w.current.Load() }

// Run looks at the files every interval until ctx ends, and returns ctx's error. It loads them
// again when one has come, gone, or changed its identity, size or time of modification, or
// whether it can be opened. What fails to load is logged once; the Set then stays as it was
// until the files change again and load without an error.
func (w *Watcher) Run(ctx context.Context) error {
	ticker := time.NewTicker(w.interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			w.check()
		}
	}
}

// check loads the files if they have changed.
func (w *Watcher) check() {
	now := look(w.paths)
	if slices.EqualFunc(w.seen, now, sight.same) {
		return
	}
	w.seen = now
	set, err := Load(w.paths, w.log)
	if err != nil {
		w.log.Warn("changed rule files do not load; the rules loaded before stay in use", "error", err)
		return
	}
	w.current.Store(set)
	w.log.Info("rule files changed and were loaded", "rules", set.Len())
}

// look looks at the files that the paths lead to.
func look(paths []string) []sight {
	files, errs := locate(paths)
	seen := make([]sight, 0, len(files)+len(errs))
	for _, err := range errs {
		seen = append(seen, sight{problem: err.Error()})
	}
	for _, f := range files {
		s := sight{path: f.path}
		// Opened, and not only looked up: whether we may read it is part of what changes.
		file, info, err := f.open()
		if err != nil {
			s.problem = err.Error()
		} else {
			s.info = info
			_ = file.Close() // nothing was written
		}
		seen = append(seen, s)
	}
	return seen
}

// same reports whether two looks saw the same.
func (s sight) same(t sight) bool {
	if s.path != t.path || s.problem != t.problem || (s.info == nil) != (t.info == nil) {
		return false
	}
	return s.info == nil || (os.SameFile(s.info, t.info) && s.info.Size() == t.info.Size() && s.info.ModTime().Equal(t.info.ModTime()))
}
