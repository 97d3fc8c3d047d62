package incident

import (
	"cmp"
	"slices"
)

// key is what ties alerts together: a hash, long enough that nobody can find two things with
// the same.
type key [16]byte

// maxHolders bounds the groups that share a key. More than one do where a later group was
// opened because the earlier did not take an alert.
const maxHolders = 4

// holders are the groups with a key, the one that was opened first at the front. The first
// stands by itself, since there is seldom another.
type holders struct {
	first *group
	more  []*group
}

// index finds groups by their keys.
type index map[key]holders

// add enters a group under a key; false if it is there. Where there is no room, the group that
// was opened first makes way, and is returned.
func (x index) add(k key, g *group) (added bool, displaced *group) {
	h := x[k]
	if h.first == nil {
		x[k] = holders{first: g}
		return true, nil
	}
	if h.first == g || slices.Contains(h.more, g) {
		return false, nil
	}
	all := append([]*group{h.first, g}, h.more...)
	slices.SortFunc(all, func(a, b *group) int { return cmp.Compare(a.order, b.order) })
	if len(all) > maxHolders {
		if displaced = all[0]; displaced == g {
			return false, nil
		}
		all = all[1:]
	}
	x[k] = holders{first: all[0], more: all[1:]}
	return true, displaced
}

// remove takes a group out from under a key.
func (x index) remove(k key, g *group) {
	h := x[k]
	if i := slices.Index(h.more, g); i >= 0 {
		h.more = slices.Delete(slices.Clone(h.more), i, i+1)
		x[k] = h
		return
	}
	if h.first != g {
		return
	}
	if len(h.more) == 0 {
		delete(x, k)
		return
	}
	x[k] = holders{first: h.more[0], more: h.more[1:]}
}
