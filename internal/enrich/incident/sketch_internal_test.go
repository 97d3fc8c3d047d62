package incident

import (
	"fmt"
	"testing"
)

// TestSketch: exact to 1000, within a few per cent above.
func TestSketch(t *testing.T) {
	for _, prefix := range []string{"/root/deps/github.com/x/", "10.0.0.1:", ""} {
		var s sketch
		for i := range 100_000 {
			s.add(hash64(fmt.Sprint(prefix, i)))
			s.add(hash64(fmt.Sprint(prefix, i/2)))
			n := uint64(i + 1)
			if n > maxExact && n%997 != 0 {
				continue
			}
			got := s.count()
			if n <= maxExact && got != n || float64(got) < 0.9*float64(n) || float64(got) > 1.1*float64(n) {
				t.Fatalf("%d of %d", got, n)
			}
		}
	}
}
