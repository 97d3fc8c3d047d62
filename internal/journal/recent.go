package journal

// recentKeys bounds the keys in memory: some 2 MiB.
const recentKeys = 16 << 10

// recent knows the keys of the alerts that came last, so that a new alert is mostly known to
// be new without a look at the disk: it is, when its key is not among these and sorts behind
// all others. Keys sort by time. After an alert from the future, as from a host whose clock is
// wrong, new ones need that look, of some microseconds, until the process starts again.
type recent struct {
	seqs  map[string]uint64
	order []string // a circle of recentKeys
	next  int
	// highest is the highest key that is not in seqs.
	highest string
}

func newRecent(highest string) *recent {
	return &recent{seqs: make(map[string]uint64), highest: highest}
}

// add notes an alert's key and number.
func (r *recent) add(key string, seq uint64) {
	if len(r.order) < recentKeys {
		r.order = append(r.order, key)
	} else {
		old := r.order[r.next]
		r.order[r.next] = key
		r.next = (r.next + 1) % recentKeys
		r.highest = max(r.highest, old)
		// A key may stand in the circle twice, when its alert was pruned and came again:
		// then its place in seqs goes with the first, and highest covers it.
		delete(r.seqs, old)
	}
	r.seqs[key] = seq
}

// find returns the number of the alert with the key; sure is false where only the disk knows.
func (r *recent) find(key string) (seq uint64, ok, sure bool) {
	seq, ok = r.seqs[key]
	return seq, ok, ok || key > r.highest
}
