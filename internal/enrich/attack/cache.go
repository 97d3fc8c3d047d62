package attack

import (
	"encoding/binary"
	"sync"
)

// Bounds of the cache. An alert has the tags of its rule, and the rules published for Falco
// have 175 different sets of at most 90 bytes, so that the cache fills once and stays. If an
// attacker makes tags up it holds at most 1024 sets of 1 KiB, each of which can name 170
// techniques or 200 unknown ids: about 8 KiB with the results, 8 MiB in all.
const (
	maxSets     = 1024
	maxKeyBytes = 1024
)

// cache holds what sets of tags were resolved to.
type cache struct {
	mu   sync.RWMutex
	sets map[string]*resolved
}

// get looks a set of tags up.
func (c *cache) get(key []byte) (*resolved, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	r, ok := c.sets[string(key)]
	return r, ok
}

// put keeps r and returns it, or what another caller has put there meanwhile. A full cache is
// emptied first: what is in use comes back at the price of one resolution each.
func (c *cache) put(key []byte, r *resolved) *resolved {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.sets[string(key)]; ok {
		return old
	}
	if len(c.sets) >= maxSets {
		clear(c.sets)
	}
	c.sets[string(key)] = r
	return r
}

// appendKey appends the tags to b, each after its length so that no two lists of tags look
// the same. It is false if that takes more than maxKeyBytes.
func appendKey(b []byte, tags []string) ([]byte, bool) {
	for _, t := range tags {
		if len(b)+binary.MaxVarintLen16+len(t) > maxKeyBytes {
			return nil, false
		}
		b = binary.AppendUvarint(b, uint64(len(t)))
		b = append(b, t...)
	}
	return b, true
}
