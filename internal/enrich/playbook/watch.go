package playbook

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

// Watcher keeps a Library that follows the files. Current may be called concurrently with all
// else; Run is for one goroutine.
type Watcher struct {
	embedded *Library
	paths    []string
	interval time.Duration
	log      *slog.Logger
	current  atomic.Pointer[Library]
	seen     []sight
}

// sight is what one look at a file saw.
type sight struct {
	path    string
	info    fs.FileInfo // nil when it could not be opened
	problem string      // why not
}

// NewWatcher loads the paths at once, as [Load] does. With an error, that of Load, the Watcher
// has the embedded playbooks alone and goes on from there; the caller decides whether that is
// enough. It is nil only where the embedded playbooks do not load. An interval that is not
// positive is DefaultInterval.
func NewWatcher(paths []string, interval time.Duration, log *slog.Logger) (*Watcher, error) {
	if interval <= 0 {
		interval = DefaultInterval
	}
	embedded, err := Embedded()
	if err != nil {
		return nil, err
	}
	w := &Watcher{embedded: embedded, paths: slices.Clone(paths), interval: interval, log: log}
	// Looked at before they are read: what changes in between is found the next time.
	w.seen = look(w.paths)
	l, err := embedded.load(w.paths)
	if err != nil {
		l = embedded
	}
	w.current.Store(l)
	return w, err
}

// Current is the Library of the last good load. It is never nil.
func (w *Watcher) Current() *Library { return w.current.Load() }

// Run looks at the files every interval until ctx ends, and returns ctx's error. It loads them
// again when one has come, gone, or changed its identity, size or time of modification, or
// whether it can be opened. What fails to load is logged once; the Library then stays as it
// was until the files change again and load without an error.
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
	l, err := w.embedded.load(w.paths)
	if err != nil {
		w.log.Warn("changed playbooks do not load; those loaded before stay in use", "error", err)
		return
	}
	w.current.Store(l)
	w.log.Info("playbooks changed and were loaded", "playbooks", len(l.byKey))
}

// look looks at the files that the paths lead to.
func look(paths []string) []sight {
	var seen []sight
	for _, p := range paths {
		files, err := locate(p)
		if err != nil {
			seen = append(seen, sight{path: p, problem: err.Error()})
		}
		for _, f := range files {
			seen = append(seen, lookAt(f))
		}
	}
	return seen
}

// lookAt opens the file, and does not only look it up: whether we may read it is part of what
// changes.
func lookAt(name string) sight {
	file, info, err := open(name)
	if err != nil {
		return sight{path: name, problem: err.Error()}
	}
	_ = file.Close() // nothing was written
	return sight{path: name, info: info}
}

// same reports whether two looks saw the same.
func (s sight) same(t sight) bool {
	if s.path != t.path || s.problem != t.problem || (s.info == nil) != (t.info == nil) {
		return false
	}
	return s.info == nil || (os.SameFile(s.info, t.info) && s.info.Size() == t.info.Size() && s.info.ModTime().Equal(t.info.ModTime()))
}
