package userfile

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

// Subject is what a Watcher follows.
type Subject[T any] struct {
	// Name says in the log what the files hold, in the plural.
	Name string
	// Locate finds the files, whether or not they can be read, and says what keeps it from
	// finding others.
	Locate func() (files []string, problems []error)
	// Load makes the value of the files. With an error, its value counts at the start alone.
	Load func() (*T, error)
	// Count is how much is in a value, for the log.
	Count func(*T) int
}

// Watcher keeps a value that follows files. Current may be called concurrently with all else;
// Run is for one goroutine.
type Watcher[T any] struct {
	subject  Subject[T]
	interval time.Duration
	log      *slog.Logger
	current  atomic.Pointer[T]
	seen     []sight
}

// sight is what one look at a file saw.
type sight struct {
	path    string
	info    fs.FileInfo // nil when it could not be opened
	problem string      // why not
}

// Watch loads at once, and returns the error of that with a Watcher that has what was loaded
// nevertheless and goes on from there; the caller decides whether that is enough. An interval
// that is not positive is DefaultInterval.
func Watch[T any](subject Subject[T], interval time.Duration, log *slog.Logger) (*Watcher[T], error) {
	if interval <= 0 {
		interval = DefaultInterval
	}
	w := &Watcher[T]{subject: subject, interval: interval, log: log}
	// Looked at before they are read: what changes in between is found the next time.
	w.seen = w.look()
	value, err := subject.Load()
	w.current.Store(value)
	return w, err
}

// Current is the value of the last good load.
func (w *Watcher[T]) Current() *T { return w.current.Load() }

// Run looks at the files every interval until ctx ends, and returns ctx's error. It loads them
// again when one has come, gone, or changed its identity, size or time of modification, or
// whether it can be opened. What fails to load is logged once; the value then stays as it was
// until the files change again and load without an error.
func (w *Watcher[T]) Run(ctx context.Context) error {
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
func (w *Watcher[T]) check() {
	now := w.look()
	if slices.EqualFunc(w.seen, now, sight.same) {
		return
	}
	w.seen = now
	value, err := w.subject.Load()
	if err != nil {
		w.log.Warn("changed files do not load; those loaded before stay in use", "what", w.subject.Name, "error", err)
		return
	}
	w.current.Store(value)
	w.log.Info("changed files were loaded", "what", w.subject.Name, "count", w.subject.Count(value))
}

// look looks at the files.
func (w *Watcher[T]) look() []sight {
	files, problems := w.subject.Locate()
	seen := make([]sight, 0, len(files)+len(problems))
	for _, err := range problems {
		seen = append(seen, sight{problem: err.Error()})
	}
	for _, name := range files {
		seen = append(seen, lookAt(name))
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
