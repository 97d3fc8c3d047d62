package journal

import (
	"sync"
	"testing"
)

// TestBroadcast: all who wait before a send are woken by it, also those who begin at once.
func TestBroadcast(t *testing.T) {
	var b broadcast
	for range 5000 {
		var waiting [2]<-chan struct{}
		var begun sync.WaitGroup
		gate := make(chan struct{})
		for i := range waiting {
			begun.Go(func() {
				<-gate
				waiting[i] = b.wait()
			})
		}
		close(gate)
		begun.Wait()
		b.send()
		for i, c := range waiting {
			if !isClosed(c) {
				t.Fatalf("waiter %d was not woken", i)
			}
		}
	}
	if isClosed(b.wait()) {
		t.Error("who waits after a send was woken by it")
	}
}
