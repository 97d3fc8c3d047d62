package journal

import (
	"sync"
	"time"
)

// failure is why nothing can be written, and since when.
type failure struct {
	mu    sync.Mutex
	why   string
	since time.Time
}

// get returns the reason, which is empty while writing works.
func (f *failure) get() (why string, since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.why, f.since
}

// set notes that writing failed, and reports whether it worked before.
func (f *failure) set(why string, now time.Time) (first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if first = f.why == ""; first {
		f.since = now
	}
	f.why = why
	return first
}

// clear notes that writing works, and returns since when it did not, if so.
func (f *failure) clear() (since time.Time, failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	since, failed = f.since, f.why != ""
	f.why, f.since = "", time.Time{}
	return since, failed
}
