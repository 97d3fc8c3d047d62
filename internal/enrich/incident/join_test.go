package incident_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
)

// inContainer are fields of a process in a container, without pids.
func inContainer(name, cmdline, parent, parentCmdline string, over ...any) map[string]any {
	return fields(map[string]any{
		"evt.type": "openat", "evt.res": "SUCCESS", "fd.name": "/srv/x", "container.id": "aaaaaaaaaaaa", "container.name": "web",
		"proc.name": name, "proc.cmdline": cmdline, "proc.pname": parent, "proc.pcmdline": parentCmdline, "user.name": "root", "user.uid": 0, "proc.tty": 0,
	}, over...)
}

// onHost are fields of a process on the host, without pids, login user and terminal.
func onHost(name, cmdline, parent, parentCmdline string, over ...any) map[string]any {
	return fields(inContainer(name, cmdline, parent, parentCmdline, "container.id", "host", "user.loginuid", -1), over...)
}

// entered are fields of a shell that came into a container at its first terminal.
func entered(pid int) map[string]any {
	return fields(process(pid, 60, "bash", "containerd-shim"), "container.id", "aaaaaaaaaaaa", "proc.tty", 34816)
}

// TestJoining: what belongs together and why, and what stays apart. Every pair is of different
// rules, so that only the tie that is tested can join it, unless it says otherwise.
func TestJoining(t *testing.T) {
	bash, child := process(100, 50, "bash", "make"), process(101, 100, "cp", "bash")
	const build = "make --jobs=8 everything"
	for _, test := range []struct {
		name          string
		first, second map[string]any
		after         time.Duration
		sameRule      bool
		why           string // empty for apart
	}{
		{"same event", bash, bash, 0, false, "the same event under another rule"},
		{"same process", bash, fields(bash, "fd.name", "/srv/y"), time.Second, false, "the same process (pid 100)"},
		{"child", bash, child, time.Second, false, "its parent “bash” (pid 100) is a process of this incident"},
		{"parent", child, bash, time.Second, false, "its process (pid 100) is the parent of one that made an earlier alert"},
		{"sibling", child, process(102, 100, "mv", "bash"), time.Second, false, "the same parent “bash” (pid 100)"},
		{"sibling below pid 1", process(101, 1, "cp", "x"), process(102, 1, "mv", "x"), time.Second, false, ""},
		{"sibling below a runtime", process(101, 60, "cp", "containerd-shim"), process(102, 60, "mv", "containerd-shim"), time.Second, false, ""},
		{"sibling below sshd", process(101, 60, "cp", "sshd"), process(102, 60, "mv", "sshd"), time.Second, false, ""},
		{"a reused pid", bash, fields(bash, "proc.pid.ts", started(100)+1, "proc.ppid", 51, "proc.ppid.ts", started(51)), time.Second, false, ""},
		{"a pid without a start", fields(bash, "proc.pid.ts", nil, "proc.ppid.ts", nil), fields(bash, "proc.pid.ts", nil, "proc.ppid.ts", nil), time.Second, false, ""},
		{"a parent's pid without a start", bash, fields(child, "proc.ppid.ts", nil), time.Second, false, ""},
		{"a start after the event", fields(bash, "proc.pid.ts", start.Add(time.Hour).UnixNano(), "proc.ppid.ts", nil), fields(bash, "proc.pid.ts", start.Add(time.Hour).UnixNano(), "proc.ppid.ts", nil), time.Second, false, ""},
		{"another machine of this name", fields(bash, "machine_id", "1"), fields(bash, "machine_id", "2"), 0, true, ""},
		{"the same machine", fields(bash, "machine_id", "1"), fields(bash, "machine_id", "1", "fd.name", "/srv/y"), time.Second, false, "the same process (pid 100)"},
		{"another host", bash, fields(bash, "host", "other"), 0, true, ""},
		{"same rule and program", bash, process(300, 200, "bash", "make"), time.Second, true, "the same rule, user and program"},
		{"same rule, another user", bash, fields(process(300, 200, "bash", "make"), "user.uid", 7, "user.name", "web"), time.Second, true, ""},
		{"same rule, another login", fields(bash, "user.loginuid", 1000), fields(process(300, 200, "bash", "make"), "user.loginuid", 1001), time.Second, true, ""},
		{"same rule, another terminal", fields(bash, "proc.tty", 34816), fields(process(300, 200, "bash", "make"), "proc.tty", 34817), time.Second, true, ""},
		{"same rule, another parent", bash, process(300, 200, "bash", "sshd"), time.Second, true, ""},
		{"no process", map[string]any{"container.id": "host"}, map[string]any{"container.id": "host"}, time.Second, true, "the same rule and folder; the process is not known"},
		{"too late", bash, fields(bash, "fd.name", "/srv/y"), 30 * time.Second, false, ""},
		{"just in time", bash, fields(bash, "fd.name", "/srv/y"), 30*time.Second - 1, false, "the same process (pid 100)"},
		{"command line", inContainer("make", build, "sh", ""), inContainer("make", build, "sh", "", "fd.name", "/y"), time.Second, false, "the same command line in the same container"},
		{"a short command line", inContainer("sh", "sh -c id", "x", ""), inContainer("sh", "sh -c id", "x", "", "fd.name", "/y"), time.Second, false, ""},
		{"another container", inContainer("make", build, "sh", ""), inContainer("make", build, "sh", "", "container.id", "bbbbbbbbbbbb"), time.Second, true, ""},
		{"a program that was started again", inContainer("make", build, "sh", ""), inContainer("make", build, "sh", "", "evt.type", "execve"), time.Second, false, ""},
		{"command line of another session", inContainer("make", build, "sh", "", "proc.sid", 7), inContainer("make", build, "sh", "", "proc.sid", 8), time.Second, false, ""},
		{"command line of another pid", inContainer("make", build, "sh", "", "proc.pid", 7), inContainer("make", build, "sh", "", "proc.pid", 8), time.Second, false, ""},
		{"command line on the host", onHost("make", build, "sh", ""), onHost("make", build, "sh", "", "fd.name", "/y"), time.Second, false, "the same command line and parent, with no login user and no terminal on the host"},
		{"command line on the host, login and terminal", onHost("make", build, "sh", "", "user.loginuid", 7, "proc.tty", 34816), onHost("make", build, "sh", "", "user.loginuid", 7, "proc.tty", 34816, "fd.name", "/y"), time.Second, false, "the same command line and parent, with the same login user and terminal on the host"},
		{"command line on the host, another parent", onHost("make", build, "sh", ""), onHost("make", build, "bash", ""), time.Second, false, ""},
		{"command line on the host, another user", onHost("make", build, "sh", ""), onHost("make", build, "sh", "", "user.uid", 7), time.Second, false, ""},
		{"command line on the host, another login", onHost("make", build, "sh", ""), onHost("make", build, "sh", "", "user.loginuid", 7), time.Second, false, ""},
		{"command line on the host, another terminal", onHost("make", build, "sh", ""), onHost("make", build, "sh", "", "proc.tty", 34816), time.Second, false, ""},
		{"command line on the host, no word of the login", onHost("make", build, "sh", "", "user.loginuid", nil), onHost("make", build, "sh", "", "user.loginuid", nil), time.Second, false, ""},
		{"command line on the host, no word of the terminal", onHost("make", build, "sh", "", "proc.tty", nil), onHost("make", build, "sh", "", "proc.tty", nil), time.Second, false, ""},
		{"a short command line on the host", onHost("make", "make --jobs=8 every", "sh", ""), onHost("make", "make --jobs=8 every", "sh", ""), time.Second, false, ""},
		{"a service of the host", onHost("sshd", "sshd: root@notty [private]", "sshd", ""), onHost("sshd", "sshd: root@notty [private]", "sshd", ""), time.Second, false, ""},
		{"the parent's command line on the host", onHost("make", build, "sh", ""), onHost("cc", "cc x.c", "make", build), time.Second, false, "the command line of its parent is that of an earlier alert, with no login user and no terminal on the host"},
		{"a child's command line on the host", onHost("cc", "cc x.c", "make", build), onHost("make", build, "sh", ""), time.Second, false, "its command line is that of the parent in an earlier alert, with no login user and no terminal on the host"},
		{"two children on the host", onHost("cc", "cc x.c", "make", build), onHost("ld", "ld x.o", "make", build), time.Second, false, "the same command line of the parent, with no login user and no terminal on the host"},
		{"the parent's command line", inContainer("make", build, "sh", ""), inContainer("cc", "cc x.c", "make", build), time.Second, false, "the command line of its parent is that of an earlier alert, in the same container"},
		{"a shell that entered", inContainer("bash", "bash", "runc", ""), inContainer("cat", "cat x", "bash", ""), time.Second, false, "its parent has the name of the one shell that entered the container"},
		{"session", inContainer("a", "a", "b", "", "proc.sid", 7), inContainer("c", "c", "d", "", "proc.sid", 7), time.Second, false, "the same session (7) in the same container"},
		{"the entrypoint's session", inContainer("a", "a", "b", "", "proc.sid", 1), inContainer("c", "c", "d", "", "proc.sid", 1), time.Second, false, ""},
		{"terminal of two sessions", inContainer("a", "a", "b", "", "proc.sid", 7, "proc.tty", 34816), inContainer("c", "c", "d", "", "proc.sid", 8, "proc.tty", 34816), 20 * time.Second, false, ""},
		{"terminal of two shells", entered(100), entered(300), 20 * time.Second, false, ""},
		{"a shell of another session", inContainer("bash", "bash", "runc", "", "proc.sid", 7), inContainer("cat", "cat x", "bash", "", "proc.sid", 8), time.Second, false, ""},
		{"terminal", inContainer("a", "a", "b", "", "proc.tty", 34816), inContainer("c", "c", "d", "", "proc.tty", 34816), time.Second, false, "the same terminal (pts/0) in the same container"},
	} {
		t.Run(test.name, func(t *testing.T) {
			second := "second"
			if test.sameRule {
				second = "first"
			}
			reports := final(t, joined(t, incident.Options{}, []*alert.Alert{
				made(t, 0, "first", "Notice", test.first), made(t, test.after, second, "Notice", test.second),
			}))
			if test.why == "" {
				if len(reports) != 2 {
					t.Fatalf("joined: %v", reports[0].GetAlerts())
				}
				return
			}
			if len(reports) != 1 {
				t.Fatal("not joined")
			}
			groups := reports[0].GetAlerts()
			samples := groups[len(groups)-1].GetSamples()
			if why := samples[len(samples)-1].GetJoinedBecause(); why != test.why {
				t.Errorf("joined because: %q", why)
			}
		})
	}
}

// TestTwoShellsThatEntered: where two could be meant, none is.
func TestTwoShellsThatEntered(t *testing.T) {
	reports := final(t, joined(t, incident.Options{}, []*alert.Alert{
		made(t, 0, "first", "Notice", inContainer("bash", "bash", "runc", "")),
		made(t, 1e9, "second", "Notice", inContainer("bash", "bash -c 1", "runc", "")),
		made(t, 2e9, "third", "Notice", inContainer("cat", "cat x", "bash", "")),
	}))
	if len(reports) != 3 {
		t.Errorf("%d reports", len(reports))
	}
}

// TestWeakTiesKeepUrgency: the same rule and program do not hide what is more urgent, and what is
// more urgent gathers in one report, however much of it comes.
func TestWeakTiesKeepUrgency(t *testing.T) {
	var alerts []*alert.Alert
	for i := range 6 {
		priority := "Notice"
		if i%2 == 1 {
			priority = "Critical"
		}
		alerts = append(alerts, made(t, time.Duration(i)*time.Second, "R", priority, process(1000+10*i, 999+10*i, "x", "y")))
	}
	reports := final(t, joined(t, incident.Options{}, alerts))
	if len(reports) != 2 || level(reports[0]) != "record" || level(reports[1]) != "page" || total(reports[0]) != 3 || total(reports[1]) != 3 {
		t.Errorf("%v", outlines(t, incident.Options{}, alerts))
	}
}

// TestClocks: the times of the events count as well as those of receipt, and old and new events
// that come mixed make no more reports than two.
func TestClocks(t *testing.T) {
	var alerts []*alert.Alert
	for i := range 20 {
		at := time.Duration(i) * time.Millisecond
		a := made(t, at-time.Duration(i%2)*time.Hour, "R", "Notice", fields(process(100, 50, "x", "y"), "proc.pid.ts", start.Add(-24*time.Hour).UnixNano(), "fd.name", fmt.Sprint("/f", i)))
		a.ReceivedNanos = start.Add(at).UnixNano()
		alerts = append(alerts, a)
	}
	reports := final(t, joined(t, incident.Options{}, alerts))
	if len(reports) != 2 || total(reports[0]) != 10 || total(reports[1]) != 10 {
		t.Errorf("%d reports", len(reports))
	}
}

// TestOneCommandIsOneIncident: by its command line, a process of the container or the host is one
// incident with what it does later that is more urgent.
func TestOneCommandIsOneIncident(t *testing.T) {
	const build = "make --jobs=8 everything"
	for _, f := range []map[string]any{inContainer("make", build, "sh", ""), onHost("make", build, "sh", "")} {
		var alerts []*alert.Alert
		for i, priority := range []string{"Notice", "Critical", "Notice", "Error"} {
			alerts = append(alerts, made(t, time.Duration(i)*time.Second, fmt.Sprint("R", i), priority, fields(f, "fd.name", "/etc/ld.so.preload")))
		}
		if reports := final(t, joined(t, incident.Options{}, alerts)); len(reports) != 1 || level(reports[0]) != "page" {
			t.Errorf("%s", outlines(t, incident.Options{}, alerts))
		}
	}
}

// TestNotices: of what Falco says of itself, only the rule and the host count.
func TestNotices(t *testing.T) {
	notice := func(after time.Duration, rule, host string, n int) *alert.Alert {
		return decode(t, fmt.Appendf(nil, `{"rule":%q,"priority":"Debug","source":"internal","hostname":%q,"time":%q,"output":"x","output_fields":{"n_drops":%d}}`,
			rule, host, start.Add(after).Format(time.RFC3339Nano), n))
	}
	const drop, snapshot = "Falco internal: syscall event drop", "Falco internal: metrics snapshot"
	reports := final(t, joined(t, incident.Options{}, []*alert.Alert{
		notice(0, drop, "a", 1), notice(1e9, drop, "a", 2), notice(2e9, snapshot, "a", 0), notice(3e9, drop, "b", 1),
	}))
	if len(reports) != 3 || total(reports[0]) != 2 {
		t.Errorf("%d reports", len(reports))
	}
}

// outlines are the final accounts, for messages.
func outlines(t *testing.T, o incident.Options, alerts []*alert.Alert) string {
	t.Helper()
	var all []string
	for _, r := range final(t, joined(t, o, alerts)) {
		all = append(all, outline(r))
	}
	return strings.Join(all, "\n\n")
}
