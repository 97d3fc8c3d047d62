package incident

// schedule is a heap of the open groups by their deadlines; of two with the same, the one that
// was opened first comes first. It implements heap.Interface.
type schedule []*group

func (s schedule) Len() int { return len(s) }

func (s schedule) Less(i, j int) bool {
	if s[i].deadline != s[j].deadline {
		return s[i].deadline < s[j].deadline
	}
	return s[i].order < s[j].order
}

func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].place, s[j].place = i, j
}

// Push implements heap.Interface.
func (s *schedule) Push(x any) {
	g, ok := x.(*group)
	if !ok {
		return // never: only the engine calls it
	}
	g.place = len(*s)
	*s = append(*s, g)
}

// Pop implements heap.Interface.
func (s *schedule) Pop() any {
	last := len(*s) - 1
	g := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	return g
}

// recency is a ring of the open groups by their last alert.
type recency struct{ root group }

func (r *recency) init() { r.root.newer, r.root.older = &r.root, &r.root }

// oldest is the group whose last alert is longest ago. There must be one.
func (r *recency) oldest() *group { return r.root.newer }

// toFront makes a group the one with the newest alert, whether or not it was in the ring.
func (r *recency) toFront(g *group) {
	if g.newer != nil {
		r.remove(g)
	}
	g.older, g.newer = r.root.older, &r.root
	g.older.newer, g.newer.older = g, g
}

func (r *recency) remove(g *group) {
	g.older.newer, g.newer.older = g.newer, g.older
	g.older, g.newer = nil, nil
}
