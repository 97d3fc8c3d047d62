package consumer

import "github.com/falco-reporter/falco-reporter/internal/alert"

// maxLosers bounds how many runs of Falco are told apart; further ones are counted together.
const maxLosers = 1024

// falcoLosses adds up what Falco says of its own losses. A drop notice has the number since
// the one before; a metrics snapshot has the total since Falco started. Whichever of the two
// knows of more counts, per host and start of Falco.
type falcoLosses struct {
	runs map[falcoRun]*falcoLoss
}

// falcoRun is one run of Falco on one host. Drop notices do not say the start: they belong to
// the run with start 0, which stands for all runs of the host.
type falcoRun struct {
	host  string
	start int64
}

type falcoLoss struct{ events, outputs uint64 }

// note reads a notice of Falco about itself.
func (f *falcoLosses) note(a *alert.Alert) {
	if n, ok := a.Int("n_drops"); ok && n > 0 {
		f.run(falcoRun{host: a.Hostname}).events += uint64(n)
	}
	start, _ := a.Int("falco.start_ts")
	if start <= 0 {
		return
	}
	events, _ := a.Int("scap.n_drops")
	outputs, _ := a.Int("falco.outputs_queue_num_drops")
	run := f.run(falcoRun{host: a.Hostname, start: start})
	run.events = max(run.events, uint64(max(events, 0)))
	run.outputs = max(run.outputs, uint64(max(outputs, 0)))
}

func (f *falcoLosses) run(r falcoRun) *falcoLoss {
	if f.runs == nil {
		f.runs = make(map[falcoRun]*falcoLoss)
	}
	if f.runs[r] == nil && len(f.runs) >= maxLosers {
		r.host = ""
	}
	if f.runs[r] == nil && len(f.runs) >= 2*maxLosers {
		r.start = 0
	}
	if f.runs[r] == nil {
		f.runs[r] = new(falcoLoss)
	}
	return f.runs[r]
}

// total is what was lost in all.
func (f *falcoLosses) total() (events, outputs uint64) {
	snapshots, notices := map[string]uint64{}, map[string]uint64{}
	for r, l := range f.runs {
		if r.start == 0 {
			notices[r.host] = l.events
		} else {
			snapshots[r.host] += l.events
			outputs += l.outputs
		}
	}
	for host, n := range notices {
		events += max(n, snapshots[host])
		delete(snapshots, host)
	}
	for _, n := range snapshots {
		events += n
	}
	return events, outputs
}
