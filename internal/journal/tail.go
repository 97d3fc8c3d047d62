package journal

// Bounds of a tail: what readers find in memory. Encoded bytes; a decoded alert takes up to
// four times as much.
const (
	tailEntries     = 2048
	tailAlertBytes  = 4 << 20
	tailReportBytes = 8 << 20
)

// tail is the newest entries of a log on disk, in memory. One goroutine pushes; any number
// may read.
type tail[E entry] struct {
	entries  ring[E]
	bytes    int64
	maxBytes int64
	// grown is sent after entries were pushed.
	grown broadcast
}

func (t *tail[E]) init(next uint64, maxBytes int64) {
	t.entries.init(next)
	t.maxBytes = maxBytes
}

// push adds an entry, whose number is the next.
func (t *tail[E]) push(e E) {
	for t.entries.count() > 0 && (t.entries.count() >= tailEntries || t.bytes+e.size() > t.maxBytes) {
		t.bytes -= (*t.entries.pop()).size()
	}
	t.entries.push(&e)
	t.bytes += e.size()
}

// read returns the entries with from <= n < to that are there, from the first of them on; none
// if that one is not.
func (t *tail[E]) read(from, to uint64) []E {
	first, next := t.entries.first.Load(), t.entries.next.Load()
	if from < first || from >= next {
		return nil
	}
	return t.entries.read(from, min(to, next))
}
