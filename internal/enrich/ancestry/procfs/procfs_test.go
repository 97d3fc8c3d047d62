package procfs

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestParseCgroup(t *testing.T) {
	const id = "45405fee8d3f0123456789abcdef0123456789abcdef0123456789abcdef0123"
	const uid = "pod2d3b4c5d_1111_2222_3333_444455556666"
	for in, want := range map[string]Cgroup{
		"0::/\n":                         {},
		"0::/system.slice/ssh.service\n": {Unit: "ssh.service"},
		"0::/user.slice/user-1000.slice/session-3.scope\n":                              {Unit: "session-3.scope", Session: "3"},
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n":        {Unit: "user@1000.service"},
		"0::/user.slice/user-1000.slice/user@1000.service/user.slice/session-9.scope\n": {Unit: "user@1000.service"},
		"0::/init.scope\n":                           {Unit: "init.scope"},
		"0::/system.slice/docker-" + id + ".scope\n": {Container: id[:12]},
		"0::/docker/" + id + "\n":                    {Container: id[:12]},
		"0::/system.slice/docker-" + id + ".scope/system.slice/cron.service\n":                                             {Container: id[:12]},
		"9:name=systemd:/docker/" + id + "\n8:pids:/docker/" + id + "\n":                                                   {Container: id[:12]},
		"9:name=systemd:/system.slice/cron.service\n8:pids:/system.slice\n0::/x\n":                                         {Unit: "cron.service"},
		"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-" + uid + ".slice/cri-containerd-" + id + ".scope": {Container: id[:12]},
		"0::/kubepods/besteffort/" + uid + "/" + id + "\n":                                                                 {Container: id[:12]},
		"0::/system.slice/containerd.service/kubepods-burstable-" + uid + ".slice:cri-containerd:" + id + "\n":             {Container: id[:12]},
		"0::/kubepods.slice/kubepods-" + uid + ".slice/crio-" + id + ".scope\n":                                            {Container: id[:12]},
		"0::/kubepods.slice/kubepods-" + uid + ".slice/crio-conmon-" + id + ".scope\n":                                     {Unit: "crio-conmon-" + id + ".scope"},
		"0::/machine.slice/libpod-" + id + ".scope/container\n":                                                            {Container: id[:12]},
		"0::/machine.slice/libpod-conmon-" + id + ".scope\n":                                                               {Unit: "libpod-conmon-" + id + ".scope"},
		"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope\n":                            {Container: id[:12]},
		"0::/machine.slice/systemd-nspawn@web.service/payload/init.scope\n":                                                {Container: "web"},
		"0::/machine.slice/systemd-nspawn@web.service/supervisor\n":                                                        {Unit: "systemd-nspawn@web.service"},
		"0::/machine.slice/machine-a\\x2db.scope/payload\n":                                                                {Container: "a-b"},
		"0::/lxc.payload.c1/system.slice\n":                                                                                {Container: "c1"},
		"12:cpu:/lxc/c1\n":                                                                                                 {Container: "c1"},
		"0::/../../system.slice/docker-" + id + ".scope\n":                                                                 {Container: id[:12]},
		"garbage": {},
	} {
		want.Known = true
		if got := ParseCgroup(in); got != want {
			t.Errorf("%q\n got %+v\nwant %+v", in, got, want)
		}
	}
}

func TestParseStat(t *testing.T) {
	tail := " S 41 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 12345 1 2 3\n"
	for name, want := range map[string]string{"sh": "sh", "a) R 1 (b": "a) R 1 (b", "x\ny z": "x\ny z", "\xff": "\uFFFD", ")": ")"} {
		p, ok := parseStat([]byte("42 (" + name + ")" + tail))
		if !ok || p.PID != 42 || p.Parent != 41 || p.Name != want || p.Threads != 3 || p.StartTick != 12345 || p.Kernel || p.Zombie {
			t.Errorf("%q: %+v, %v", name, p, ok)
		}
	}
	if p, ok := parseStat([]byte("2 (kthreadd) Z 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 5 0")); !ok || !p.Kernel || !p.Zombie {
		t.Errorf("%+v, %v", p, ok)
	}
	for _, bad := range []string{"", "42", "42 (sh", ")(", "42 (sh) S 1 2", "x (sh)" + tail} {
		if p, ok := parseStat([]byte(bad)); ok {
			t.Errorf("%q parsed as %+v", bad, p)
		}
	}
}

func TestCommandLine(t *testing.T) {
	long := strings.Repeat("a", 3*MaxCommandLine)
	for in, want := range map[string]struct {
		line   string
		second int
	}{
		"":                {"", 0},
		"sh\x00":          {"sh", 2},
		"sh\x00-c\x00ls ": {"sh -c ls ", 3},
		"\xff\x00b\x00":   {"\uFFFD b", 4},
		"\x00b\x00":       {" b", 1},
		long:              {long[:MaxCommandLine] + "…", MaxCommandLine},
	} {
		if line, second := commandLine([]byte(in)); line != want.line || second != want.second {
			t.Errorf("%.20q: %.40q, %d", in, line, second)
		}
	}
}

// TestRead reads this test itself, and nothing of a process that has ended.
func TestRead(t *testing.T) {
	r := New("/proc")
	pid := int32(os.Getpid())
	p, err := r.Read(pid)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if p.PID != pid || p.Parent != int32(os.Getppid()) || p.ExePath != exe || !strings.HasPrefix(p.CommandLine, os.Args[0]) ||
		!p.HasUID || p.UID != uint32(os.Geteuid()) || p.StartTick == 0 || p.Exec == 0 || !p.Cgroup.Known {
		t.Errorf("read %+v", p)
	}
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(int32(cmd.Process.Pid)); !errors.Is(err, ErrGone) {
		t.Errorf("of a process that has ended: %v", err)
	}
	if _, err := Find(t.TempDir()); err == nil {
		t.Error("an empty directory passes for the host's /proc")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("42 (sh) S 41 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 12345 1 2 3\n"))
	f.Add([]byte("Uid:\t0\t0\t0\t0\nNSpid:\t5\t1\n"))
	f.Add([]byte("0::/machine.slice/systemd-nspawn@web.service/payload\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, _ := parseStat(b)
		parseStatus(b, &p)
		line, second := commandLine(b)
		if second > len(line) || len(line) > 3*MaxCommandLine+3 {
			t.Errorf("the second argument begins at %d of %d", second, len(line))
		}
		if c := ParseCgroup(string(b)); c.Container != "" && c.Unit != "" {
			t.Errorf("both a container and a unit: %+v", c)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	r := New("/proc")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Read(int32(os.Getpid())); err != nil {
			b.Fatal(err)
		}
	}
}
