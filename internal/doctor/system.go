package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/falco-reporter/falco-reporter/internal/falcoconf"
)

const (
	// lowRoom is where the journal's disk is short: its bounds are below this. noRoom is where
	// it is about to fail.
	lowRoom = 1 << 30
	noRoom  = 64 << 20
)

// capabilities are those that ancestry needs.
type capabilities struct{ netAdmin, sysPtrace bool }

// capabilitiesOf reads the effective capabilities of a process.
func capabilitiesOf(pid int) (capabilities, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return capabilities{}, err
	}
	for line := range strings.Lines(string(data)) {
		text, ok := strings.CutPrefix(line, "CapEff:")
		if !ok {
			continue
		}
		bits, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64)
		if err != nil {
			return capabilities{}, fmt.Errorf("read the capabilities of process %d: %w", pid, err)
		}
		return capabilities{bits>>unix.CAP_NET_ADMIN&1 == 1, bits>>unix.CAP_SYS_PTRACE&1 == 1}, nil
	}
	return capabilities{}, errors.New("the kernel does not say which capabilities a process has")
}

// kernelClock asks the kernel whether something keeps its clock right.
func kernelClock() (bool, error) {
	var t unix.Timex // without modes: it is only read
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return false, err
	}
	return state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, nil
}

func (d *examination) checkClock() {
	const check = "clock"
	synchronised, err := d.clock()
	switch {
	case err != nil:
		d.add(check, Warn, "timedatectl", "not known whether it is synchronised: %s", falcoconf.Show(err.Error()))
	case !synchronised:
		d.add(check, Warn, "timedatectl set-ntp true", "not synchronised: times in reports cannot be compared with those of other hosts")
	default:
		d.add(check, OK, "", "synchronised")
	}
}

func (d *examination) checkHostname() {
	const check = "hostname"
	name, err := os.Hostname()
	switch {
	case err != nil:
		d.add(check, Warn, "hostnamectl", "%s", falcoconf.Show(err.Error()))
	case name == "" || strings.HasPrefix(name, "localhost"):
		d.add(check, Warn, "hostnamectl set-hostname NAME", "%q does not tell this host from others", name)
	case d.recent.hostname != "" && d.recent.hostname != name:
		d.add(check, Warn, "systemctl show -p Environment falco (FALCO_HOSTNAME), unless the alerts are another host's",
			"%s, while the alerts say %s: they are not looked up in this host's processes", falcoconf.Show(name), falcoconf.Show(d.recent.hostname))
	default:
		d.add(check, OK, "", "%s", falcoconf.Show(name))
	}
}

// checkStateDir looks at the journal's directory.
func (d *examination) checkStateDir() {
	const check = "journal"
	shown := falcoconf.Show(d.StateDir)
	name, group := d.owner()
	make0700 := d.onceThere(fmt.Sprintf("install -d -o %s -g %s -m 0700 '%s'", name, group, shown))
	info, err := os.Stat(d.StateDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.add(check, Warn, make0700, "%s is not there (our unit makes it when it starts)", shown)
		return
	case err != nil:
		d.add(check, Warn, "run doctor as root", "%s", falcoconf.Show(err.Error()))
		return
	case !info.IsDir():
		d.add(check, Fail, make0700, "%s is not a directory", shown)
		return
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case d.missing != "":
		d.add(check, Warn, d.onceThere("chown -R "+name+":"+group+" '"+shown+"' && chmod 0700 '"+shown+"'"), "%s is there, and the user %s, whose it should be, is not", shown, falcoconf.Show(name))
		return
	case !ok || owner.Uid != d.account.uid:
		d.add(check, Fail, "chown -R "+name+" '"+shown+"'", "%s is not owned by the user %s", shown, d.account)
		return
	case info.Mode().Perm() != 0o700:
		d.add(check, Fail, "chmod 0700 '"+shown+"'", "%s has mode %04o; it holds alerts with their secrets, and should have 0700", shown, info.Mode().Perm())
		return
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(d.StateDir, &disk); err != nil {
		d.add(check, Warn, "df '"+shown+"'", "not known how much room there is: %s", falcoconf.Show(err.Error()))
		return
	}
	free := disk.Bavail * uint64(disk.Bsize) //nolint:gosec // a block size is positive
	d.add(check, roomStatus(free), roomRemedy(free, shown), "%s, mode 0700, of the user %s, %d MiB free", shown, d.account, free>>20)
}

func roomStatus(free uint64) Status {
	switch {
	case free < noRoom:
		return Fail
	case free < lowRoom:
		return Warn
	default:
		return OK
	}
}

func roomRemedy(free uint64, shown string) string {
	if free >= lowRoom {
		return ""
	}
	return "make room: df -h '" + shown + "'"
}
