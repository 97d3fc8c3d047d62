package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/falcoconf"
	"github.com/falco-reporter/falco-reporter/internal/falcosim"
	"github.com/falco-reporter/falco-reporter/internal/journal"
	"github.com/falco-reporter/falco-reporter/internal/serve"
)

// installation is a root directory with Falco and falco-reporter in it, all in order.
type installation struct {
	root    string
	options Options
	journal *journal.Memory
}

// install makes one whose configuration is as setup would have it.
func install(t *testing.T, input falcoconf.Input) *installation {
	t.Helper()
	// A socket's path has at most 107 bytes, which those of t.TempDir exceed.
	root, err := os.MkdirTemp("", "doctor") //nolint:usetesting // for the length of the path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	me, err := accountOf(uint32(os.Geteuid()))
	if err != nil {
		t.Skipf("the user of this test has no name: %v", err)
	}
	i := &installation{root: root, options: Options{
		Config: falcoconf.DefaultPath, Root: root, User: me.name, StateDir: filepath.Join(root, "state"),
		Daemon: "unix://" + filepath.Join(root, "r.sock"), Timeout: 20 * time.Second,
	}}
	i.write(t, "/etc/falco/falco.yaml", "config_files: [/etc/falco/config.d]\nrules_files: [/etc/falco/falco_rules.yaml]\nload_plugins: [container]\n")
	i.write(t, "/etc/falco/falco_rules.yaml", "[]\n")
	conf, err := falcoconf.Read(falcoconf.DefaultPath, falcoconf.Options{Version: falcoconf.DefaultVersion(), Root: root})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := conf.Plan(falcoconf.PlanOptions{Input: input, Fields: falcoconf.Full})
	if err != nil {
		t.Fatal(err)
	}
	i.write(t, plan.DropIn.Path, plan.DropIn.Content)
	for _, step := range plan.Steps {
		for _, f := range step.Files {
			i.write(t, f.Path, f.Content)
		}
	}
	if err := os.Mkdir(i.options.StateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *installation) write(t *testing.T, path, text string) {
	t.Helper()
	path = filepath.Join(i.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// listen opens a socket below the root.
func (i *installation) listen(t *testing.T, path string) net.Listener {
	t.Helper()
	path = filepath.Join(i.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// falco runs the stand-in for Falco.
func (i *installation) falco(t *testing.T) {
	t.Helper()
	sim := falcosim.New(falcosim.Options{})
	l, done := i.listen(t, "/run/falco/falco.sock"), make(chan error, 1)
	go func() { done <- sim.Serve(l) }()
	t.Cleanup(func() {
		sim.Terminate()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// daemon serves reports as our daemon does.
func (i *installation) daemon(t *testing.T, status *pb.GetStatusResponse) {
	t.Helper()
	i.journal = journal.NewMemory(journal.MemoryOptions{})
	server := serve.New(serve.Options{Journal: i.journal, Status: func(context.Context) (*pb.GetStatusResponse, error) {
		return proto.CloneOf(status), nil
	}})
	ctx, stop := context.WithCancel(context.Background())
	l, done := i.listen(t, "r.sock"), make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, i.journal.Close()); err != nil {
			t.Error(err)
		}
	})
}

// fine is the status of a daemon in order.
func fine() *pb.GetStatusResponse {
	return &pb.GetStatusResponse{
		Version: "test",
		Inputs:  []*pb.InputStatus{{Name: "falco", Address: "here", State: pb.InputState_INPUT_STATE_CONNECTED, FalcoVersion: "0.43.0"}},
		Ancestry: &pb.AncestryStatus{Layers: []*pb.AncestryLayer{
			{Name: "alert", Live: true}, {Name: "process_table", Reason: "CAP_NET_ADMIN is missing"},
		}},
	}
}

// examine runs the checks with a clock that is right.
func (i *installation) examine(t *testing.T) map[string]Finding {
	t.Helper()
	out := make(map[string]Finding)
	for _, f := range run(t.Context(), i.options, func() (bool, error) { return true, nil }) {
		if _, twice := out[f.Check]; twice {
			t.Errorf("two findings %q", f.Check)
		}
		if f.Status != OK && f.Remedy == "" {
			t.Errorf("%+v has no remedy", f)
		}
		out[f.Check] = f
	}
	return out
}

const inOrder = `{"time":"2026-11-22T01:00:00Z","rule":"r","priority":"Notice","source":"syscall","output":"x","output_fields":{"proc.name":"a","proc.pid":1,"proc.pid.ts":1,"proc.ppid":1}}` + "\n"

// TestInOrder: after setup, doctor has nothing to say, for every input.
func TestInOrder(t *testing.T) {
	for _, input := range []falcoconf.Input{falcoconf.InputGRPC, falcoconf.InputFile, falcoconf.InputHTTP} {
		t.Run(string(input), func(t *testing.T) {
			i := install(t, input)
			i.falco(t)
			i.daemon(t, fine())
			i.write(t, falcoconf.DefaultAlertsFile, inOrder)
			for _, f := range i.examine(t) {
				if f.Status != OK && (f.Check != "journal" || !strings.Contains(f.Seen, "MiB free")) && f.Check != "hostname" {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

// TestFindings: each thing that is wrong is found, and nothing else changes to fail.
func TestFindings(t *testing.T) {
	for name, tc := range map[string]struct {
		input  falcoconf.Input
		spoil  func(t *testing.T, i *installation)
		check  string
		status Status
		seen   string
	}{
		"no such user": {"file", func(_ *testing.T, i *installation) { i.options.User = "nobody-at-all" }, "user", Fail, "there is no user"},
		"no socket":    {"grpc", func(t *testing.T, i *installation) { remove(t, i, "/run/falco/falco.sock") }, "falco socket", Fail, "is not there"},
		"a file for a socket": {"grpc", func(t *testing.T, i *installation) {
			remove(t, i, "/run/falco/falco.sock")
			i.write(t, "/run/falco/falco.sock", "")
		}, "falco socket", Fail, "not a socket"},
		"gRPC off":             {"file", func(_ *testing.T, i *installation) { i.options.Falco = falcoconf.DefaultSocket }, "falco gRPC output", Fail, "section grpc is off"},
		"broken configuration": {"file", func(t *testing.T, i *installation) { i.write(t, "/etc/falco/config.d/a.yaml", "[") }, "falco configuration", Fail, "a.yaml"},
		"a backup is read":     {"file", func(t *testing.T, i *installation) { i.write(t, "/etc/falco/config.d/a.bak", "{}") }, "falco configuration", Warn, "a.bak"},
		"no configuration":     {"file", func(t *testing.T, i *installation) { remove(t, i, falcoconf.DefaultPath) }, "falco configuration", Warn, "not checked"},
		"nothing set up":       {"file", func(t *testing.T, i *installation) { remove(t, i, "/etc/falco/config.d/zz-falco-reporter.yaml") }, "input", Fail, "nothing"},
		"plain lines": {"file", func(t *testing.T, i *installation) {
			i.write(t, "/etc/falco/config.d/zzz.yaml", "json_output: false\n")
		}, "falco file output", Fail, "plain lines"},
		"no fields in JSON": {"file", func(t *testing.T, i *installation) {
			i.write(t, "/etc/falco/config.d/a.yaml", "json_include_output_property: false\njson_include_output_fields_property: false\n")
		}, "falco file output", Fail, "json_include_output_property is off (/etc/falco/config.d/a.yaml:1), json_include_output_fields_property is off"},
		"no tags in JSON": {"http", func(t *testing.T, i *installation) {
			i.write(t, "/etc/falco/config.d/a.yaml", "json_include_tags_property: false\n")
		}, "falco http output", Warn, "json_include_tags_property is off"},
		"a relative file": {"file", func(t *testing.T, i *installation) {
			i.write(t, "/etc/falco/config.d/zzz.yaml", "file_output: {enabled: true, filename: ./events.txt}\n")
		}, "input", Fail, "relative to Falco's working directory"},
		"a relative file, and its path": {"file", func(t *testing.T, i *installation) {
			i.options.AlertsFile = "/events.txt"
			i.write(t, "/etc/falco/config.d/zzz.yaml", "file_output: {enabled: true, filename: ./events.txt}\n")
		}, "falco file output", Fail, "relative to Falco's working directory"},
		"another file":        {"file", func(_ *testing.T, i *installation) { i.options.AlertsFile = "/x" }, "falco file output", Warn, "not /x"},
		"no JSON in the file": {"file", func(t *testing.T, i *installation) { i.write(t, falcoconf.DefaultAlertsFile, "12:00: Notice x\n") }, "alerts file", Fail, "no alerts in JSON"},
		"alerts without pids": {"file", func(t *testing.T, i *installation) {
			i.write(t, falcoconf.DefaultAlertsFile, inOrder+strings.ReplaceAll(inOrder, "proc.pid", "x"))
		}, "pids in alerts", Warn, "1 of the last 2"},
		"no append_output": {"grpc", func(t *testing.T, i *installation) {
			i.write(t, "/etc/falco/falco.yaml", "grpc: {enabled: true, bind_address: \"unix:///run/falco/falco.sock\"}\ngrpc_output: {enabled: true}\n")
		}, "pids in alerts", Warn, "append_output lacks"},
		"copytruncate": {"file", func(t *testing.T, i *installation) {
			i.write(t, "/etc/logrotate.d/falco", "/var/log/falco/*.log {\n  daily\n  copytruncate\n}\n")
		}, "rotation", Warn, "copytruncate"},
		"Falco is not told": {"file", func(t *testing.T, i *installation) {
			i.write(t, "/etc/logrotate.d/falco", "/a\n/var/log/falco/events.log\n{\n  daily\n}\n")
		}, "rotation", Warn, "SIGUSR1"},
		"no rotation":           {"file", func(t *testing.T, i *installation) { remove(t, i, "/etc/logrotate.d/falco-reporter") }, "rotation", Warn, "grows"},
		"posted elsewhere":      {"http", func(_ *testing.T, i *installation) { i.options.HTTPListen = "127.0.0.1:1" }, "falco http output", Warn, "not to 127.0.0.1:1"},
		"no rules":              {"http", func(t *testing.T, i *installation) { remove(t, i, "/etc/falco/falco_rules.yaml") }, "rule files", Warn, "none of"},
		"journal open to all":   {"http", func(t *testing.T, i *installation) { chmod(t, i.options.StateDir, 0o755) }, "journal", Fail, "mode 0755"},
		"no journal":            {"http", func(_ *testing.T, i *installation) { i.options.StateDir += "x" }, "journal", Warn, "not there"},
		"a file for a journal":  {"http", func(_ *testing.T, i *installation) { i.options.StateDir = i.root + falcoconf.DefaultPath }, "journal", Fail, "not a directory"},
		"no daemon":             {"http", func(_ *testing.T, i *installation) { i.options.Daemon += "x" }, "falco-reporter", Warn, "no daemon answers"},
		"live without a daemon": {"grpc", func(_ *testing.T, i *installation) { i.options.Daemon += "x"; i.options.Live = true }, "live", Fail, "take alerts away"},
	} {
		t.Run(name, func(t *testing.T) {
			i := install(t, tc.input)
			i.falco(t)
			i.daemon(t, fine())
			i.write(t, falcoconf.DefaultAlertsFile, inOrder)
			tc.spoil(t, i)
			if f := i.examine(t)[tc.check]; f.Status != tc.status || !strings.Contains(f.Seen, tc.seen) {
				t.Errorf("got %+v; want %s with %q", f, tc.status, tc.seen)
			}
		})
	}
}

// TestMissingUser: what is to be made is made for the user who is missing, not for who runs this.
func TestMissingUser(t *testing.T) {
	for suffix, want := range map[string]string{"": "chown -R nobody-at-all:nobody-at-all '", "x": "install -d -o nobody-at-all -g nobody-at-all -m 0700 '"} {
		i := install(t, falcoconf.InputFile)
		i.options.User, i.options.StateDir = "nobody-at-all", i.options.StateDir+suffix
		if f := i.examine(t)["journal"]; f.Status != Warn || !strings.HasPrefix(f.Remedy, "first that of the user, then: "+want) {
			t.Errorf("got %+v; want %q", f, want)
		}
	}
}

// TestPidsInTheNewestAlerts: what counts is how Falco is set up now.
func TestPidsInTheNewestAlerts(t *testing.T) {
	bare := strings.ReplaceAll(inOrder, "proc.pid", "proc.x")
	for name, tc := range map[string]struct {
		alerts string
		want   Status
	}{
		"set up since":    {bare + bare + inOrder, OK},
		"no longer":       {inOrder + inOrder + bare, Warn},
		"not all":         {inOrder + bare + inOrder, Warn},
		"for a long time": {inOrder + bare + strings.Repeat(inOrder, manyAlerts), OK},
	} {
		t.Run(name, func(t *testing.T) {
			i := install(t, falcoconf.InputFile)
			i.write(t, falcoconf.DefaultAlertsFile, tc.alerts)
			if f := i.examine(t)["pids in alerts"]; f.Status != tc.want {
				t.Errorf("%+v", f)
			}
		})
	}
}

// TestLayers: what is known of the layers is the daemon's, and what a live one lacks is told.
func TestLayers(t *testing.T) {
	i := install(t, falcoconf.InputFile)
	i.write(t, falcoconf.DefaultAlertsFile, inOrder)
	if f := i.examine(t)["ancestry"]; f.Status != OK || !strings.Contains(f.Seen, "when it runs") {
		t.Errorf("without a daemon: %+v", f)
	}
	status := fine()
	status.Ancestry.Layers[1] = &pb.AncestryLayer{Name: "procfs", Live: true, Reason: "executables cannot be read"}
	i.daemon(t, status)
	if f := i.examine(t)["ancestry"]; f.Status != OK || !strings.Contains(f.Seen, "procfs live (executables cannot be read)") {
		t.Errorf("with a daemon: %+v", f)
	}
}

// TestStartDaemon names the unit only where there is one.
func TestStartDaemon(t *testing.T) {
	dir := t.TempDir()
	if got := startDaemon([]string{dir}); !strings.HasPrefix(got, "no unit is installed: copy") {
		t.Errorf("without a unit: %q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "falco-reporter.service"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := startDaemon([]string{filepath.Join(dir, "x"), dir}); got != "systemctl start falco-reporter" {
		t.Errorf("with a unit: %q", got)
	}
}

func remove(t *testing.T, i *installation, path string) {
	t.Helper()
	if err := os.Remove(filepath.Join(i.root, path)); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// TestDaemonInTrouble: what the daemon says of itself is passed on.
func TestDaemonInTrouble(t *testing.T) {
	s := fine()
	s.Inputs[0].State = pb.InputState_INPUT_STATE_CONNECTING
	s.Inputs[0].Reason = "no permission\x1b[31m"
	s.Inputs[0].Lost = 3
	i := install(t, falcoconf.InputFile)
	i.daemon(t, s)
	f := i.examine(t)["falco-reporter"]
	for _, want := range []string{`no permission\x1b[31m`, "3 times something was or may have been lost", "connecting"} {
		if f.Status != Fail || !strings.Contains(f.Seen, want) {
			t.Errorf("%q is not in %+v", want, f)
		}
	}
}

// TestMay computes permissions for a user that is not us.
func TestMay(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "inner")
	file := filepath.Join(inner, "file")
	if err := errors.Join(os.Mkdir(inner, 0o755), os.WriteFile(file, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	gid := uint32(os.Getegid())
	for name, tc := range map[string]struct {
		dir, file os.FileMode
		gids      []uint32
		need      os.FileMode
		ok        bool
	}{
		"others read":           {0o755, 0o644, nil, mayRead, true},
		"others do not write":   {0o755, 0o644, nil, mayWrite, false},
		"group":                 {0o750, 0o640, []uint32{gid}, mayRead, true},
		"not in the group":      {0o755, 0o640, nil, mayRead, false},
		"folder closed":         {0o700, 0o644, nil, mayRead, false},
		"the group counts less": {0o755, 0o604, []uint32{gid}, mayRead, false},
		"both":                  {0o755, 0o664, []uint32{gid}, mayRead | mayWrite, true},
	} {
		t.Run(name, func(t *testing.T) {
			chmod(t, inner, tc.dir)
			chmod(t, file, tc.file)
			for up := filepath.Dir(inner); up != "/" && strings.HasPrefix(up, os.TempDir()+"/"); up = filepath.Dir(up) {
				chmod(t, up, 0o755)
			}
			err := account{name: "x", uid: 4_000_000, gids: append([]uint32{4_000_000}, tc.gids...)}.may(file, tc.need)
			if (err == nil) != tc.ok {
				t.Errorf("got %v", err)
			}
		})
	}
	if err := (account{uid: 0}).may(file+"x", mayRead); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestInstalledFalco reads what Falco says, in both of its ways.
func TestInstalledFalco(t *testing.T) {
	for out, want := range map[string]string{
		"Falco version: 0.43.0 (x86_64)\nLibs version:  0.22.1": "0.43.0",
		`{"falco_version":"0.44.1","libs_version":"1"}`:         "0.44.1",
		"nonsense": "",
	} {
		dir := t.TempDir()
		script := "#!/bin/sh\ncat <<'EOF'\n" + out + "\nEOF\n"
		if err := os.WriteFile(filepath.Join(dir, "falco"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
		if got, err := InstalledFalco(t.Context()); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v", out, got, err)
		}
	}
}

// TestStatusInJSON: programs get the words.
func TestStatusInJSON(t *testing.T) {
	got, err := json.Marshal([]Status{OK, Warn, Fail, Worst([]Finding{{Status: Warn}, {Status: OK}})})
	if err != nil || string(got) != `["ok","warn","fail","warn"]` {
		t.Errorf("got %s, %v", got, err)
	}
}

// TestLiveThroughDaemon: the alert comes as a new revision of a report that is there already.
func TestLiveThroughDaemon(t *testing.T) {
	i := install(t, falcoconf.InputHTTP)
	i.daemon(t, fine())
	revision := uint32(0)
	add := func(rule string, when time.Time) {
		revision++
		report := &pb.Report{Id: strings.Repeat("0", 32), Revision: revision, Alerts: []*pb.AlertGroup{
			{Rule: "long ago", Occurrences: &pb.Occurrences{LastTime: timestamppb.New(when.Add(-time.Hour))}},
			{Rule: rule, Occurrences: &pb.Occurrences{LastTime: timestamppb.New(when)}},
		}}
		data, err := proto.Marshal(report)
		if err != nil {
			t.Error(err)
			return
		}
		if err := i.journal.AppendReports(t.Context(), journal.Cursor{}, []journal.Report{{ID: alert.ID(report.GetId()), Revision: revision, Data: data}}); err != nil {
			t.Error(err)
		}
	}
	i.options.Live = true
	add(liveRule, time.Now()) // before it is asked for
	i.options.Say = func(text string) {
		if !strings.Contains(text, "cat /etc/shadow") {
			t.Errorf("said %q", text)
		}
		other := time.Now()
		add("other", other)
		add("other", other)
		add(liveRule, time.Now())
	}
	f := i.examine(t)["live"]
	if f.Status != OK || !strings.Contains(f.Seen, "our daemon's stream") || !strings.Contains(f.Seen, "other alerts meanwhile: 1") {
		t.Errorf("got %+v", f)
	}
}

// TestLiveThroughFile: without a daemon the file is followed, over a rotation.
func TestLiveThroughFile(t *testing.T) {
	i := install(t, falcoconf.InputFile)
	i.write(t, falcoconf.DefaultAlertsFile, line(liveRule, time.Now().Add(time.Hour)))
	i.options.Live = true
	i.options.Say = func(string) {
		path := filepath.Join(i.root, falcoconf.DefaultAlertsFile)
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		_, err = f.WriteString(line("before", time.Now()) + "no alert\n" + line(liveRule, time.Now().Add(-time.Hour)))
		if err := errors.Join(err, f.Close(), os.Rename(path, path+".1")); err != nil {
			t.Error(err)
		}
		i.write(t, falcoconf.DefaultAlertsFile, line(liveRule, time.Now()))
	}
	f := i.examine(t)["live"]
	if f.Status != OK || !strings.Contains(f.Seen, "the alerts file") || !strings.Contains(f.Seen, "other alerts meanwhile: 1") {
		t.Errorf("got %+v", f)
	}
}

// TestLiveInVain: nothing, or only others, within the time.
func TestLiveInVain(t *testing.T) {
	for other, want := range map[bool]Status{false: Fail, true: Warn} {
		i := install(t, falcoconf.InputFile)
		i.options.Live, i.options.Timeout = true, 300*time.Millisecond
		i.options.Say = func(string) {
			if other {
				i.write(t, falcoconf.DefaultAlertsFile, line("another", time.Now()))
			}
		}
		if f := i.examine(t)["live"]; f.Status != want {
			t.Errorf("got %+v; want %s", f, want)
		}
	}
}

func line(rule string, when time.Time) string {
	return fmt.Sprintf(`{"time":%q,"rule":%q,"priority":"Notice","source":"syscall","output":"x","output_fields":{}}`+"\n", when.UTC().Format(time.RFC3339Nano), rule)
}
