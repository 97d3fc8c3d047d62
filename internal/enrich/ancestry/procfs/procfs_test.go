package procfs

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
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

// TestDeletedExecutable: the path of a program that was deleted is what it was, and one that is
// called "x (deleted)" keeps its name.
func TestDeletedExecutable(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("there is no sleep here")
	}
	program, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	for name, deleted := range map[string]bool{"sleep": true, "sleep (deleted)": false} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, program, 0o700); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(path, "60")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if deleted {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		if p, err := New("/proc").Read(int32(cmd.Process.Pid)); err != nil || p.ExePath != path {
			t.Errorf("%q: read %q, %v", path, p.ExePath, err)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// hiddenEnv runs this test again as a user who does not see others, as under ProtectProc=invisible.
const hiddenEnv = "PROCFS_TEST_HIDDEN"

// TestFindSaysWhy: without a mount that will do, what is wrong with the first.
func TestFindSaysWhy(t *testing.T) {
	if os.Getenv(hiddenEnv) != "" {
		_, err := Find("/proc", "/host/proc")
		if err == nil || !strings.Contains(err.Error(), "/proc hides the processes of other users") || strings.Contains(err.Error(), "/host/proc") || strings.Contains(err.Error(), "hostPID") {
			t.Error(err)
		}
		return
	}
	if _, err := Find(t.TempDir(), "/host/proc"); err == nil || !strings.Contains(err.Error(), "is no mount of /proc") {
		t.Error(err)
	}
	if os.Getuid() != 0 {
		t.Skip("only root can mount /proc")
	}
	cmd := exec.Command("unshare", "--mount", "sh", "-ec", `mount -t proc -o hidepid=2 proc /proc; exec setpriv --reuid 65534 --regid 65534 --clear-groups "$0" -test.run='^TestFindSaysWhy$'`, copyForAll(t))
	cmd.Env = append(os.Environ(), hiddenEnv+"=1")
	if out, err := cmd.CombinedOutput(); strings.Contains(string(out), "mount: ") || strings.Contains(string(out), "unshare: ") {
		t.Skipf("/proc cannot be mounted here: %s", out)
	} else if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// copyForAll is this test's program where another user can run it.
func copyForAll(t *testing.T) string {
	t.Helper()
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "procfs") //nolint:usetesting // t.TempDir() is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "test")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, program, 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
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
