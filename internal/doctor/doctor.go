// Package doctor looks at an installation of Falco and falco-reporter and says what it finds,
// each thing with the way to mend it.
//
// It changes nothing and takes no alert away: Falco's gRPC clients share one queue, so it asks
// Falco for its version and never for alerts; for those it reads the alerts file or asks our
// own daemon. What it reads is bounded. Every call ends with its context or within its own
// limit; no goroutine is left behind.
//
// Permissions are computed from owners and modes along a path; access control lists are not
// looked at.
package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"path/filepath"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/falcoconf"
)

// Status is how a finding is. Higher is worse.
type Status int

// Statuses.
const (
	OK Status = iota
	Warn
	Fail
)

// String is the status in a word.
func (s Status) String() string {
	switch s {
	case OK:
		return "ok"
	case Warn:
		return "warn"
	default:
		return "fail"
	}
}

// MarshalText implements encoding.TextMarshaler.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is what one check saw. Its texts are safe to show.
type Finding struct {
	// Check is the name of the check; there is at most one finding of a name.
	Check string `json:"check"`
	// Status is how it is.
	Status Status `json:"status"`
	// Seen is what was seen.
	Seen string `json:"seen"`
	// Remedy is what to do, a command where there is one; empty where nothing is to be done.
	Remedy string `json:"remedy,omitempty"`
}

// Worst is the status of the worst finding.
func Worst(findings []Finding) Status {
	worst := OK
	for _, f := range findings {
		worst = max(worst, f.Status)
	}
	return worst
}

// Options say what to look at.
type Options struct {
	// Falco is the address of Falco's gRPC server: unix:///PATH or HOST:PORT; FalcoTLS is for
	// the latter.
	Falco    string
	FalcoTLS *tls.Config
	// AlertsFile is the file that file_output writes.
	AlertsFile string
	// HTTPListen is where the daemon takes http_output, HOST:PORT.
	HTTPListen string
	// Without any of the three, Falco's configuration says which of them there is.

	// Config is Falco's main file, Root where its root directory is; empty is ours.
	Config, Root string
	// StateDir is the journal's directory; empty for none.
	StateDir string
	// Daemon is the socket of our own daemon: unix:///PATH.
	Daemon string
	// User is whom the daemon runs as; empty is that of the running daemon, or falco-reporter,
	// or us.
	User string
	// Live waits for an alert, for at most Timeout, telling what to do through Say.
	Live    bool
	Timeout time.Duration
	Say     func(text string)
}

// callTimeout bounds each question to another program.
const callTimeout = 3 * time.Second

// Run makes all checks that apply, in a fixed order. What a check could not see is a finding
// too.
func Run(ctx context.Context, o Options) []Finding { return run(ctx, o, kernelClock) }

// run is Run with another clock.
func run(ctx context.Context, o Options, clock func() (bool, error)) []Finding {
	d := &examination{Options: o, clock: clock}
	d.daemon = d.askDaemon(ctx)
	d.account = d.whoRuns()
	d.askVersion(ctx)
	d.readConfig()
	d.chooseInputs()
	if d.Falco != "" {
		d.checkSocket()
		d.checkGRPCConfig()
	}
	d.readAlerts()
	if d.AlertsFile != "" {
		d.checkAlertsFile()
		d.checkRotation()
	}
	if d.HTTPListen != "" {
		d.checkHTTPConfig()
	}
	d.checkPids()
	d.checkRuleFiles()
	d.checkDaemon()
	d.checkLayers()
	d.checkClock()
	d.checkHostname()
	if d.StateDir != "" {
		d.checkStateDir()
	}
	if d.Live {
		d.checkLive(ctx)
	}
	return d.findings
}

// examination is one run.
type examination struct {
	Options
	findings []Finding
	clock    func() (synchronised bool, err error)

	daemon  daemon
	account account
	// missing is the user that the daemon should run as and that is not there; account is then
	// whoever runs this. Empty where it is there.
	missing string
	version falcoconf.Version
	known   bool // whether version is
	conf    *falcoconf.Config
	recent  recent
}

func (d *examination) add(check string, status Status, remedy, format string, args ...any) {
	d.findings = append(d.findings, Finding{Check: check, Status: status, Seen: fmt.Sprintf(format, args...), Remedy: remedy})
}

// chooseInputs takes from the configuration what was not said.
func (d *examination) chooseInputs() {
	if d.Falco != "" || d.AlertsFile != "" || d.HTTPListen != "" {
		return
	}
	if d.conf != nil {
		switch d.conf.InputInUse() {
		case falcoconf.InputGRPC:
			d.Falco = d.conf.GRPCServer().Target
		case falcoconf.InputHTTP:
			d.HTTPListen = falcoconf.DefaultListen
		default:
			file := d.conf.Output(falcoconf.FileOutput)
			if file.Enabled && file.Target != "" && !filepath.IsAbs(file.Target) {
				d.add("input", Fail, "falco-reporter setup falco --input file",
					"file_output writes %q (%s), which is relative to Falco's working directory: where that is cannot be known", falcoconf.Show(file.Target), file.Place)
				return
			}
			if file.Enabled { // though not in JSON
				d.AlertsFile = file.Target
			}
		}
	}
	if d.Falco == "" && d.AlertsFile == "" && d.HTTPListen == "" {
		d.add("input", Fail, "falco-reporter setup falco", "nothing was named, and nothing in Falco's configuration, that brings alerts here")
	}
}
