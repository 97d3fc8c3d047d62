package ancestry_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"unsafe"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// helperEnv makes this test's program a process for tests: it says so, and does what the lines
// of its input say until that ends.
const helperEnv = "ANCESTRY_TEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) != "" {
		help()
		return
	}
	goleak.VerifyTestMain(m)
}

func help() {
	_, _ = fmt.Fprintln(os.Stdout, "ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch lines.Text() {
		case "overwrite": // as mysql does with a password
			text := unsafe.Slice(unsafe.StringData(os.Args[1]), len(os.Args[1])) //nolint:gosec // the arguments lie where the kernel put them, and can be written to
			for i := range text {
				text[i] = 'x'
			}
			_, _ = fmt.Fprintln(os.Stdout, "overwritten")
		case "reap": // what is orphaned below, and run the argument
			if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
				_, _ = fmt.Fprintln(os.Stdout, err)
				return
			}
			cmd := exec.Command("sh", "-c", os.Args[1]) //nolint:gosec // of a test
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			_ = cmd.Run()
		}
	}
}
