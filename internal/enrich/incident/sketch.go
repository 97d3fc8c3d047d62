package incident

import (
	"math"
	"math/bits"
	"slices"
)

const (
	// maxExact is up to how many different things are counted exactly.
	maxExact = 1000
	// registerBits are the bits of a hash that choose a register. 2^11 registers err by about
	// 2.3 % (1.04 / sqrt(2048)).
	registerBits  = 11
	registerCount = 1 << registerBits
	// maxListed is up to how many a list is looked through.
	maxListed = 32
)

// sketch counts different hashes: exactly up to maxExact, as an estimate (HyperLogLog) above.
type sketch struct {
	exact     []uint64 // in the order of their coming
	set       map[uint64]struct{}
	registers []uint8
	// saved is how many of exact are in the state that was given out, stale whether the registers
	// are not.
	saved int
	stale bool
}

// add counts a hash; it reports whether that changed anything.
func (s *sketch) add(h uint64) bool {
	if s.registers != nil {
		return s.raise(h)
	}
	if s.has(h) {
		return false
	}
	s.exact = append(s.exact, h)
	switch {
	case len(s.exact) > maxExact:
		s.registers = make([]uint8, registerCount)
		for _, h := range s.exact {
			s.raise(h)
		}
		s.exact, s.set = nil, nil
	case s.set != nil:
		s.set[h] = struct{}{}
	case len(s.exact) > maxListed:
		s.set = make(map[uint64]struct{}, 2*maxListed)
		for _, h := range s.exact {
			s.set[h] = struct{}{}
		}
	}
	return true
}

func (s *sketch) has(h uint64) bool {
	if s.set == nil {
		return slices.Contains(s.exact, h)
	}
	_, ok := s.set[h]
	return ok
}

// raise notes a hash in its register.
func (s *sketch) raise(h uint64) bool {
	at, rank := h>>(64-registerBits), uint8(bits.LeadingZeros64(h<<registerBits|1<<(registerBits-1)))+1 //nolint:gosec // at most 54
	if s.registers[at] >= rank {
		return false
	}
	s.registers[at] = rank
	s.stale = true
	return true
}

// count is how many different hashes were added.
func (s *sketch) count() uint64 {
	if s.registers == nil {
		return uint64(len(s.exact))
	}
	sum, zeros := 0.0, 0
	for _, rank := range s.registers {
		sum += 1 / float64(uint64(1)<<rank)
		if rank == 0 {
			zeros++
		}
	}
	const m = float64(registerCount)
	estimate := 0.7213 / (1 + 1.079/m) * m * m / sum
	if estimate <= 2.5*m && zeros > 0 {
		estimate = m * math.Log(m/float64(zeros)) // few hashes: the empty registers tell more
	}
	return max(uint64(math.Round(estimate)), maxExact+1)
}
