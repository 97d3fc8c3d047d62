package proctable_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/procfs"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/proctable"
)

// insideEnv says that this program runs as pid 1 of a pid namespace of its own.
const insideEnv = "PROCTABLE_TEST_INSIDE"

// TestReuse gives real processes the same pid again and again, in a pid namespace of its own,
// and asks a table that reads its /proc for each of them while it is there and when the next
// has its pid.
func TestReuse(t *testing.T) {
	if os.Getenv(insideEnv) != "" {
		reuse(t)
		return
	}
	if os.Getuid() != 0 {
		t.Skip("only root can make pid namespaces and choose pids")
	}
	cmd := exec.Command("unshare", "--pid", "--mount-proc", "--fork", os.Args[0], "-test.run=^TestReuse$", "-test.v") //nolint:gosec // this test itself
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	out, err := cmd.CombinedOutput()
	switch {
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("pids cannot be chosen here:\n%s", out)
	case err != nil && !strings.Contains(string(out), "TestReuse"):
		t.Skipf("there can be no pid namespace here: %v\n%s", err, out)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	default:
		t.Logf("%s", out)
	}
}

// boot is the time of the table.
func boot() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return ts.Nano()
}

func reuse(t *testing.T) {
	const first, rounds = 900, 300
	table := proctable.New(proctable.Options{Bytes: 1 << 20, Source: procfs.New("/proc"), Now: boot})
	var before proctable.Query
	var reused, found, old int
	for i := range rounds {
		// The pid after this one is given next. The setting is one of the pid namespace.
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", fmt.Append(nil, first-1), 0); err != nil {
			t.Skipf("cannot choose a pid: %v", err)
		}
		name := fmt.Sprintf("round%d", i)
		cmd := exec.Command("sh", "-c", "printf "+name+" >/proc/$$/comm; echo $$; read x")
		in, err1 := cmd.StdinPipe()
		out, err2 := cmd.StdoutPipe()
		if err1 != nil || err2 != nil || cmd.Start() != nil {
			t.Fatal("cannot start a shell")
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			<-time.After(12 * time.Millisecond) // past the tick of its start: it is certain then
		}
		q := proctable.Query{Hint: proctable.Hint{PID: int32(cmd.Process.Pid), Name: name}, At: boot()}
		if q.PID == before.PID {
			reused++
			// An alert of the one before that comes late: its name is given in half of the cases.
			late := before
			if i%4 < 2 {
				late.Name = ""
			}
			late.By = boot()
			table.LookUp(late.PID, late.By)
			if c, _ := table.Find(late); c != nil {
				old++
				if c.Process.Name != "" && c.Process.Name != before.Name {
					t.Errorf("round %d: %s was found for %s", i, c.Process.Name, before.Name)
				}
				if c.Process.Start > before.At {
					t.Errorf("round %d: a process was found that started later", i)
				}
			}
		}
		q.By = boot()
		table.LookUp(q.PID, q.By)
		if c, _ := table.Find(q); c != nil {
			found++
			if c.Process.Name != "" && c.Process.Name != name {
				t.Errorf("round %d: %s was found", i, c.Process.Name)
			}
		}
		before = q
		_ = in.Close()
		_ = cmd.Wait()
	}
	t.Logf("a pid was given again %d times; %d processes were found while there, %d later, by what was known of them", reused, found, old)
	if reused < rounds/2 || found == 0 {
		t.Errorf("the pid was given again %d times only, and %d processes found: the test shows nothing", reused, found)
	}
}
