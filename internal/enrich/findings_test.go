package enrich_test

import (
	"maps"
	"strings"
	"testing"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

const eventStart = int64(1728133246937782756)

// TestFindingsOfCombinations: what several fields together show.
func TestFindingsOfCombinations(t *testing.T) {
	entered := map[string]any{
		"container.id": "abc", "container.name": "web", "container.start_ts": eventStart - 2e9,
		"proc.name": "cp", "proc.pname": "bash", "proc.ppid.ts": eventStart - 2e8, "proc.aname[2]": "containerd-shim", "proc.sid": 7, "proc.sname": "bash",
	}
	changed := func(name string, value any) map[string]any {
		out := maps.Clone(entered)
		out[name] = value
		return out
	}
	for name, tc := range map[string]struct {
		fields map[string]any
		want   string // part of a finding; with a leading ! of none
	}{
		"parent entered":          {entered, "Its parent “bash” may have been started from outside, as docker exec does: 1.8 s after the container."},
		"parent is the start":     {changed("proc.ppid.ts", eventStart-19e8), "!from outside"},
		"parent leads no session": {changed("proc.sname", "sh"), "!from outside"},
		"session of pid 1":        {changed("proc.sid", 1), "!from outside"},
		"written after start":     {map[string]any{"container.id": "abc", "container.name": "web", "container.start_ts": eventStart - 9e9, "proc.name": "x", "proc.exe_ino.mtime": eventStart - 4e9}, "written 5 s after the container started"},
		"written before start":    {map[string]any{"container.id": "abc", "container.name": "web", "container.start_ts": eventStart - 9e9, "proc.name": "x", "proc.exe_ino.mtime": eventStart - 10e9}, "!after the container started"},
		"changed after start":     {map[string]any{"container.id": "abc", "proc.name": "x", "proc.exe_ino.ctime_duration_pidns_start": int64(3e9)}, "changed 3 s after the container started"},
		"fresh program":           {map[string]any{"container.id": "host", "proc.name": "x", "proc.exe_ino.ctime_duration_proc_start": int64(2e9)}, "changed 2 s before the process started"},
		"old program":             {map[string]any{"container.id": "host", "proc.name": "x", "proc.exe_ino.ctime_duration_proc_start": int64(1e15)}, "!before the process started"},
		"server in tmp":           {map[string]any{"evt.type": "execve", "evt.res": "SUCCESS", "proc.name": "sh", "proc.pname": "nginx", "proc.pexepath": "/tmp/nginx"}, "The program of “nginx” lies below /tmp: perhaps no server at all."},
		"server in its place":     {map[string]any{"evt.type": "execve", "evt.res": "SUCCESS", "proc.name": "sh", "proc.pname": "nginx", "proc.pexepath": "/usr/sbin/nginx"}, "!perhaps no server"},
		"input from the network":  {map[string]any{"proc.name": "sh", "proc.stdin.type": "ipv4"}, "reads its input from a network connection"},
		"busybox":                 {map[string]any{"proc.name": "cp", "proc.exepath": "/bin/busybox"}, "!disguise"},
		"preload":                 {map[string]any{"proc.name": "x", "proc.env": "A=1 LD_PRELOAD=/tmp/x.so"}, "LD_PRELOAD (“/tmp/x.so”), which loads code"},
		"ordinary environment":    {map[string]any{"proc.name": "x", "proc.env": "PATH=/bin HOME=/root"}, "!environment has"},
		"runtime":                 {map[string]any{"container.id": "abc", "proc.name": "runc:[1:CHILD]", "proc.exepath": "/usr/sbin/runc", "proc.vpid": 1, "proc.pname": "runc"}, "a container runtime's, “/usr/sbin/runc”"},
		"runtime is no first":     {map[string]any{"container.id": "abc", "proc.name": "runc:[1:CHILD]", "proc.exepath": "/usr/sbin/runc", "proc.vpid": 1, "proc.pname": "runc"}, "!first process"},
		"no runtime":              {map[string]any{"container.id": "abc", "proc.name": "runc", "proc.exepath": "/tmp/runc"}, "!a container runtime's"},
		"script in shm":           {map[string]any{"evt.type": "execve", "proc.name": "sh", "proc.cmdline": "sh -c /dev/shm/x.sh"}, "told to run a file below /dev/shm"},
		"path out of arguments":   {map[string]any{"evt.type": "unlinkat", "evt.args": "res=0 dirfd=-100(AT_FDCWD) name=/etc/cron.d/a flags=0 flags=0", "proc.name": "x"}, "“/etc/cron.d/a flags=0” holds jobs"},
		"rename out of arguments": {map[string]any{"evt.type": "renameat", "evt.args": "res=0 olddirfd=-100(AT_FDCWD) oldpath=/tmp/a newdirfd=-100(AT_FDCWD) newpath=/etc/shadow ", "proc.name": "x"}, "“/etc/shadow” holds"},
		"rename with two ends":    {map[string]any{"evt.type": "renameat", "evt.args": "res=0 oldpath=/tmp/a newpath=/etc/shadow newpath=/b", "proc.name": "x"}, "!holds"},
		"new program":             {map[string]any{"evt.type": "openat", "evt.arg.mode": "0755", "fd.name": "/tmp/x", "proc.name": "cp"}, "execute bits (mode 0755)"},
		"new file":                {map[string]any{"evt.type": "openat", "evt.arg.mode": "0644", "fd.name": "/tmp/x", "proc.name": "cp"}, "!execute bits"},
		"drill by arguments":      {map[string]any{"proc.name": "3", "proc.cmdline": "3 run helper.DoNothing"}, "name an action as Falco's event-generator calls it"},
		"drill by file":           {map[string]any{"proc.name": "sh", "fd.name": "/tmp/falco-event-generator-x"}, "A path is named “falco-event-generator-”"},
		"another drill":           {map[string]any{"proc.name": "sh", "proc.pname": "stratus"}, "The parent is called “stratus”, as an attack simulator is"},
		"no drill":                {map[string]any{"proc.name": "sh", "proc.pname": "bash", "proc.cmdline": "sh run test"}, "!drill"},
		"unix socket":             {map[string]any{"proc.name": "x", "fd.type": "unix", "fd.name": "abc->def /run/x.sock"}, "a unix socket"},
	} {
		t.Run(name, func(t *testing.T) {
			a := withFields(t, tc.fields)
			r := enricher(t).Report(a)
			checkReport(t, a, r)
			got := strings.Join(statements(r), "\n")
			want, none := strings.CutPrefix(tc.want, "!")
			if strings.Contains(got, want) == none {
				t.Errorf("want %q in:\n%s", tc.want, got)
			}
		})
	}
}

// TestWhatIsLeftOpen: a playbook's sentence is left out where the result answers it.
func TestWhatIsLeftOpen(t *testing.T) {
	const setuid = "Set Setuid or Setgid bit"
	for _, tc := range []struct {
		rule, result, path string
		want               string // part of what is not shown; with a leading ! of none
	}{
		{setuid, "SUCCESS", "", "!refused calls match"},
		{setuid, "EPERM", "", "That it succeeded."},
		{setuid, "", "", "refused calls match"},
		{"Some rule", "SUCCESS", "/x", "only the open is seen"},
		{"Some rule", "ENOENT", "/x", "!only the open is seen"},
		{"Some rule", "SUCCESS", "/x", "the path is the container's"},
		{"Some rule", "SUCCESS", "/proc/1/environ", "!the path is the container's"},
	} {
		fields := map[string]any{"evt.type": "openat", "evt.res": tc.result, "proc.name": "x", "fd.name": tc.path, "container.id": "abc"}
		raw := strings.Replace(alertJSON(t, "syscall", fields), `"rule":"Some rule"`, `"rule":"`+tc.rule+`"`, 1)
		got := strings.Join(enricher(t).Report(decode(t, raw)).GetNotShown(), "\n")
		want, none := strings.CutPrefix(tc.want, "!")
		if strings.Contains(got, want) == none {
			t.Errorf("%v: want %q in:\n%s", tc, tc.want, got)
		}
	}
}

// TestDrillIsAskedFor: second, and never twice.
func TestDrillIsAskedFor(t *testing.T) {
	ask := func(actions []*pb.Action) (places []int) {
		for i, a := range actions {
			if strings.Contains(a.GetTitle(), "drill") {
				places = append(places, i)
			}
		}
		return places
	}
	hinted := enricher(t).Report(withFields(t, map[string]any{"proc.name": "x", "proc.pname": "event-generator"})).GetActions()
	if got := ask(hinted); len(got) != 1 || got[0] != 1 {
		t.Errorf("asked at %v of %q", got, titles(hinted, 9))
	}
	if got := ask(enricher(t).Report(decode(t, seed)).GetActions()); len(got) != 1 {
		t.Errorf("the playbook's own question stands at %v", got)
	}
	if got := ask(enricher(t).Report(withFields(t, map[string]any{"proc.name": "x"})).GetActions()); len(got) != 0 {
		t.Errorf("asked without a hint, at %v", got)
	}
}
