package falcosim

import (
	"context"
	"testing"
	"time"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
)

// BenchmarkSub measures alerts played, sent through sub and thrown away by a client in the same
// process. A real Falco 0.43 gave 27,500 alerts/s on two shared cores, playing not included.
func BenchmarkSub(b *testing.B) {
	for name, jsonOutput := range map[string]bool{"plain": false, "json": true} {
		b.Run(name, func(b *testing.B) {
			tr, _ := unixSocket(b)
			s := start(b, tr, Options{JSONOutput: jsonOutput})
			stream := subscribe(b, dial(b, tr, withRawCodec()))
			alerts := demo(b)
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan struct{}, 2)
			go func() {
				_ = s.Play(ctx, PlayOptions{Alerts: alerts, Loop: true, Ahead: 20_000}) // ends with ctx
				ended <- struct{}{}
			}()
			go func() {
				ask(ctx, stream)
				ended <- struct{}{}
			}()
			var m []byte
			b.ReportAllocs()
			for b.Loop() {
				if err := stream.RecvMsg(&m); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
			cancel()
			<-ended
			<-ended
		})
	}
}

// ask sends a request a millisecond, as a client must that wants alerts soon: which request
// ends up without an answer it cannot know.
func ask(ctx context.Context, stream outputs.Service_SubClient) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for stream.Send(&outputs.Request{}) == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// BenchmarkEnqueue measures making the message of a recorded alert, by itself.
func BenchmarkEnqueue(b *testing.B) {
	for name, jsonOutput := range map[string]bool{"plain": false, "json": true} {
		b.Run(name, func(b *testing.B) {
			p := newPlayer(demo(b), jsonOutput)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				a := p.alert(i)
				_ = a.Message(jsonOutput)
			}
		})
	}
}
