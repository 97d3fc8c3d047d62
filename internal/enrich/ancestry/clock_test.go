package ancestry_test

import (
	"context"
	"strings"
	"testing"
	"time"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procevent"
)

// TestClockWasSet: the wall clock was set while we ran. Falco goes by the time before, or was
// started after that: alerts show which, and until then only what is the same either way is
// named.
func TestClockWasSet(t *testing.T) {
	for name, tc := range map[string]struct {
		by       time.Duration // what the clock was set forward
		started  bool          // Falco was started after that
		execs    int           // alerts of execs that are needed to show it
		doubtful bool          // a young process is not named before that
	}{
		"a little forward, Falco started since": {5 * time.Millisecond, true, 0, false},
		"forward, Falco started since":          {3 * time.Second, true, 0, false},
		"forward, Falco of before":              {3 * time.Second, false, 3, true},
		"back, Falco of before":                 {-3 * time.Second, false, 0, false},
		"back, Falco started since":             {-3 * time.Second, true, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			tr := start(t, options(true))
			tr.SetClock(tc.by)
			falco := time.Duration(0)
			if !tc.started {
				falco = -tc.by
			}
			s := run(t, "sh", "-c", "echo $$; read x; :")
			pid := s.pid(t)
			young := func() *pb.Report {
				<-time.After(10 * time.Millisecond)
				return report(t, tr, makeAlert(t, time.Now().Add(falco-2*time.Millisecond), map[string]any{"proc.pid": pid, "proc.name": "sh"}))
			}
			isSet := func() bool {
				return strings.Contains(tr.Status().GetLayers()[1].GetReason(), "the clock of the host was set")
			}
			if !isSet() {
				t.Error("the layer does not say that the clock was set")
			}
			if r := young(); tc.doubtful != (len(r.GetAncestry()) == 0) || tc.doubtful && (len(r.GetAncestryNotes()) != 1 || strings.HasSuffix(show(r), "..")) {
				t.Errorf("at first:\n%s", show(r))
			}
			if r := report(t, tr, makeAlert(t, time.Now().Add(falco-2*time.Millisecond), map[string]any{"proc.pid": 1})); !r.GetAncestryComplete() {
				t.Errorf("pid 1 is the same either way:\n%s", show(r))
			}
			for _, a := range execAlerts(t, tc.execs, falco) {
				tr.Capture(t.Context(), []*alert.Alert{a})
			}
			var r *pb.Report
			waitFor(t, func() bool { // until the layer says that it is known which time Falco goes by
				r = young()
				return !isSet()
			})
			wantChain(t, r)
			if age := time.Now().Add(falco).Sub(r.GetProcess().GetStartTime().AsTime()); age < 0 || age > 2*time.Second {
				t.Errorf("it started %v before now, by the alert's clock", age)
			}
		})
	}
}

// execAlerts are alerts of execs, by a clock that is so much ahead.
func execAlerts(t *testing.T, n int, ahead time.Duration) (out []*alert.Alert) {
	t.Helper()
	if n == 0 {
		return nil
	}
	conn, err := procevent.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // only read from
	s := run(t, "sh", "-c", "echo $$; "+workerScript)
	worker := s.pid(t)
	w := &watcher{
		t: t, conn: conn, exe: "/bin/true", offset: wallOffset(t) + int64(ahead),
		next: map[int32]int{int32(worker): 0}, started: map[int32]begun{}, out: make(chan *alert.Alert, n),
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	feed(s, worker, n)
	w.run(ctx, n)
	for a := range w.out {
		out = append(out, a)
	}
	return out
}

// TestLayersAreLogged: each with its reason, once.
func TestLayersAreLogged(t *testing.T) {
	log, lines := recorder()
	o := options(true)
	o.Log, o.ProcRoots = log, []string{t.TempDir()}
	ctx, cancel := context.WithCancel(t.Context())
	tr := ancestry.New(o)
	done := make(chan error, 1)
	go func() { done <- tr.Run(ctx) }()
	<-tr.Ready()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, want := range []string{"source=alert live=true", "source=process_table live=false reason=", "source=procfs live=false reason="} {
		if strings.Count(lines(), want) != 1 {
			t.Errorf("%q is not in the log once:\n%s", want, lines())
		}
	}
	if !strings.Contains(lines(), "is no mount of /proc") {
		t.Errorf("no reason is in the log:\n%s", lines())
	}
}
