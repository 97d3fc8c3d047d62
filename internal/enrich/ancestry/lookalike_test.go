package ancestry_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry"
)

// bare is an alert of a process that opened a file, as rules print it: without a pid.
func bare(t *testing.T, name, line, exe string, uid int) map[string]any {
	t.Helper()
	return map[string]any{
		"evt.type": "openat", "proc.name": name, "proc.cmdline": name + line, "proc.exepath": exe,
		"proc.pname": "ancestry.test", "user.uid": uid, "container.id": "host",
	}
}

// askUntilSure asks for an alert of now until the clocks' tolerance has passed.
func askUntilSure(t *testing.T, tr *ancestry.Tracker, fields map[string]any) *pb.Report {
	t.Helper()
	at := time.Now().Add(3 * time.Millisecond)
	<-time.After(time.Until(at.Add(3 * time.Millisecond)))
	return report(t, tr, makeAlert(t, at, fields))
}

// TestLookAlike: what a process shows is no longer what Falco has of it, and another one that
// came later looks as it did. Neither is named.
func TestLookAlike(t *testing.T) {
	for _, name := range []string{"arguments overwritten", "program replaced"} {
		t.Run(name, func(t *testing.T) {
			program := copyOf(t, os.Args[0], filepath.Join(t.TempDir(), "client"))
			first := run(t, program, "-psecret", "db")
			first.line(t)
			if name == "program replaced" {
				if err := os.Rename(copyOf(t, program, program+".new"), program); err != nil {
					t.Fatal(err)
				}
			} else {
				first.tell(t, "overwrite")
				first.line(t)
			}
			tr := start(t, options(true))
			second := run(t, program, "-psecret", "db")
			second.line(t)
			r := askUntilSure(t, tr, bare(t, "client", " -psecret db", program, os.Geteuid()))
			if p := r.GetProcess(); p.Pid != nil {
				t.Errorf("pid %d is named, and pids %d and %d can be meant:\n%s", p.GetPid(), first.cmd.Process.Pid, second.cmd.Process.Pid, show(r))
			}
		})
	}
}

// TestOnlyOneFits: the only process of a user is found without a pid.
func TestOnlyOneFits(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can change its user")
	}
	const nobodyElse = 1_234_567
	tr := start(t, options(true))
	s := run(t, "setpriv", "--reuid", "1234567", "--clear-groups", "sh", "-c", "echo ready; read x; :")
	s.line(t)
	exe, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	r := askUntilSure(t, tr, bare(t, "sh", " -c echo ready; read x; :", exe, nobodyElse))
	if r.GetProcess().GetPid() != int64(s.cmd.Process.Pid) || r.GetProcess().GetPidProvenance() != pb.Provenance_PROVENANCE_INFERRED {
		t.Fatalf("got pid %d; want %d, inferred:\n%s", r.GetProcess().GetPid(), s.cmd.Process.Pid, show(r))
	}
	wantChain(t, r)
}

func copyOf(t *testing.T, from, to string) string {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close() //nolint:errcheck // only read from
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return to
}
