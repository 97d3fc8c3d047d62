package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/falcosim"
)

// recordedAlerts carries alerts of the recordings beside the repository, so that their reports
// are golden without them too. It is made by -update, from the lines that picks names.
var recordedAlerts = filepath.Join("testdata", "recorded.jsonl")

// picks are lines of recordings, FILE:LINE: alerts that differ from the bundled ones by rule,
// result, place or by what their fields lack.
func picks() []string {
	const full, defaults = "falco-0.43-full-json.jsonl:", "falco-0.43-default-json.jsonl:"
	return []string{
		full + "43",                        // refused with EPERM, priority Critical
		full + "45",                        // failed with EISDIR, the path in evt.args alone
		full + "85",                        // a program start that failed
		full + "18",                        // a program written into a container
		full + "16",                        // a file below /etc in a container
		full + "14",                        // the runtime itself, in a container without a name
		full + "22",                        // a privileged container asked for from within one
		full + "75",                        // a cron job
		full + "54",                        // a connection within the machine
		full + "53",                        // a program in /dev/shm
		full + "36",                        // an environment with GLIBC_TUNABLES
		full + "51",                        // ptrace
		full + "29",                        // a system user, priority Informational
		defaults + "83",                    // a listening nc, result unknown
		defaults + "75",                    // another process's environment
		defaults + "79",                    // a download
		defaults + "27",                    // a proxy in the environment
		"falco-0.43-internal-grpc.jsonl:1", // Falco's own figures
		"falco-0.43-plain-grpc.jsonl:1",    // gRPC without JSON: every field a string
	}
}

// TestRecordedReports: the reports of very different recorded alerts.
func TestRecordedReports(t *testing.T) {
	alerts, err := os.ReadFile(recordedAlerts)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(alerts, []byte("\n")) + bytes.Count(falcosim.DemoAlerts(), []byte("\n")); n < 20 {
		t.Errorf("%d golden alerts; want at least 20", n)
	}
	golden(t, filepath.Join("testdata", "golden", "recorded.md"), report(t, "markdown", string(alerts)))
}

// TestRecordedAlertsAreTheRecordings: nobody has touched up the alerts of the golden reports.
func TestRecordedAlertsAreTheRecordings(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "alerts")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the recorded alerts of ../shared are not here")
	}
	var want bytes.Buffer
	for _, p := range picks() {
		name, number, _ := strings.Cut(p, ":")
		line, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		alerts, err := falcosim.Load(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		want.WriteString(alerts[line-1].FalcoJSON() + "\n")
	}
	golden(t, recordedAlerts, want.String())
}

// TestFirstScreens: whoever reads no further knows what happened, what is not shown, when it is
// harmless, and what to do first.
func TestFirstScreens(t *testing.T) {
	alerts, err := os.ReadFile(recordedAlerts)
	if err != nil {
		t.Fatal(err)
	}
	for raw := range strings.Lines(string(falcosim.DemoAlerts()) + string(alerts)) {
		screen, _, ok := strings.Cut(report(t, "text", raw), "\nDETAILS")
		if !ok {
			t.Fatalf("no first screen of %s", raw)
		}
		labels := []string{"What happened", "Shown", "Not shown", "Harmless if", "1. ", "2. "}
		if strings.Contains(raw, "metrics snapshot") {
			labels = slices.DeleteFunc(labels, func(l string) bool { return l == "Not shown" }) // figures lead to no conclusion
		}
		for _, label := range labels {
			if !strings.Contains(screen, label) {
				t.Errorf("without %q:\n%s", label, screen)
			}
		}
	}
}

// TestJoinEveryRecording: no recorded alert breaks the joining of alerts, and each is counted once.
func TestJoinEveryRecording(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "alerts", "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Skip("the recorded alerts of ../shared are not here")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var out, errs bytes.Buffer
			if status := run([]string{"report", "--rules=", "--join", "-o", "json", file}, strings.NewReader(""), &out, &errs); status != exitOK {
				t.Fatalf("status %d: %s", status, &errs)
			}
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			counted := 0
			for line := range bytes.Lines(out.Bytes()) {
				var r struct {
					Closed bool `json:"closed"`
					Alerts []struct {
						Occurrences struct {
							Count int `json:"count,string"`
						} `json:"occurrences"`
					} `json:"alerts"`
				}
				if err := json.Unmarshal(line, &r); err != nil || !r.Closed {
					t.Fatalf("%v: %s", err, line)
				}
				for _, g := range r.Alerts {
					counted += g.Occurrences.Count
				}
			}
			if want := bytes.Count(raw, []byte("\n")); counted != want {
				t.Errorf("the reports account for %d of %d alerts", counted, want)
			}
		})
	}
}
