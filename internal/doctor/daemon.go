package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/falcoconf"
)

// daemon is our own daemon, as far as it runs and answers.
type daemon struct {
	running      bool
	why          string // it is not
	pid          int
	uid          uint32
	status       *pb.GetStatusResponse
	falcoVersion string
}

// askDaemon asks the daemon how it is, and the kernel who it is.
func (d *examination) askDaemon(ctx context.Context) daemon {
	path, ok := strings.CutPrefix(d.Daemon, "unix://")
	if !ok {
		return daemon{why: "its socket is written unix:///PATH"}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out := daemon{}
	peer, err := peerOf(ctx, path)
	if err != nil {
		return daemon{why: falcoconf.Show(err.Error())}
	}
	out.pid, out.uid = int(peer.Pid), peer.Uid
	conn, err := dialDaemon(d.Daemon)
	if err != nil {
		return daemon{why: falcoconf.Show(err.Error())}
	}
	defer func() { _ = conn.Close() }() // nothing is left on it
	out.status, err = pb.NewReportServiceClient(conn).GetStatus(ctx, &pb.GetStatusRequest{})
	if err != nil {
		return daemon{why: falcoconf.Show(status.Convert(err).Message())}
	}
	out.running = true
	for _, in := range out.status.GetInputs() {
		if v := in.GetFalcoVersion(); v != "" {
			out.falcoVersion = v
		}
	}
	return out
}

func dialDaemon(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// peerOf is the process that listens at a socket.
func peerOf(ctx context.Context, path string) (*unix.Ucred, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // it has told us what we asked
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.New("not a unix socket")
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	var peer *unix.Ucred
	var peerErr error
	err = raw.Control(func(fd uintptr) {
		peer, peerErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return peer, errors.Join(err, peerErr)
}

// checkDaemon tells how our daemon is.
func (d *examination) checkDaemon() {
	const check = "falco-reporter"
	if !d.daemon.running {
		d.add(check, Warn, startDaemon(unitDirs()), "no daemon answers at %s: %s", falcoconf.Show(d.Daemon), d.daemon.why)
		return
	}
	s := d.daemon.status
	worst, remedy := OK, ""
	var seen []string
	for _, in := range s.GetInputs() {
		text := fmt.Sprintf("input %s (%s) %s, %d alerts", falcoconf.Show(in.GetName()), falcoconf.Show(in.GetAddress()), state(in.GetState()), in.GetJournaled())
		if reason := in.GetReason(); reason != "" {
			text += ": " + falcoconf.Show(reason)
		}
		switch in.GetState() {
		case pb.InputState_INPUT_STATE_CONNECTED:
		case pb.InputState_INPUT_STATE_SILENT:
			worst, remedy = max(worst, Warn), "falco-reporter doctor --live"
		default:
			worst, remedy = Fail, "journalctl -u falco-reporter"
		}
		if n := in.GetLost() + in.GetPossibleLosses() + in.GetUncertainDisconnects(); n > 0 {
			text += fmt.Sprintf(", %d times something was or may have been lost", n)
			worst = max(worst, Warn)
		}
		seen = append(seen, text)
	}
	if failure := s.GetJournal().GetFailure(); failure != "" {
		worst, remedy = Fail, "make room on the disk of the journal"
		seen = append(seen, "the journal takes nothing in: "+falcoconf.Show(failure))
	}
	if worst == Warn && remedy == "" {
		remedy = "journalctl -u falco-reporter"
	}
	d.add(check, worst, remedy, "running, version %s; %s", falcoconf.Show(s.GetVersion()), strings.Join(seen, "; "))
}

// unitDirs are where systemd looks for units.
func unitDirs() []string {
	return []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
}

// startDaemon is how our daemon is started: by its unit, where one is installed.
func startDaemon(dirs []string) string {
	const unit = "falco-reporter.service"
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, unit)); err == nil {
			return "systemctl start falco-reporter"
		}
	}
	return "no unit is installed: copy packaging/systemd/" + unit + " to /etc/systemd/system (README, As a service), then systemctl daemon-reload && systemctl enable --now falco-reporter; or start falco-reporter run --listen by hand"
}

// state is an input's state in a word.
func state(s pb.InputState) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "INPUT_STATE_"))
}

// checkLayers tells which sources of the chain of processes can be had.
func (d *examination) checkLayers() {
	const check = "ancestry"
	remedy := "falco-reporter setup falco, or give the daemon CAP_NET_ADMIN and CAP_SYS_PTRACE (packaging/systemd/falco-reporter-ancestry.conf)"
	carried := d.statusOf("pids in alerts") == OK
	if !d.daemon.running {
		// Doctor itself may be root, and say nothing of what the daemon will be allowed.
		if carried {
			d.add(check, OK, "", "alerts carry pids; whether our daemon can look at processes as well is known when it runs")
		} else {
			d.add(check, Warn, remedy, "alerts do not carry pids for certain, and whether our daemon can look at processes is known only when it runs")
		}
		return
	}
	held := "capabilities unknown"
	if c, err := capabilitiesOf(d.daemon.pid); err == nil {
		held = fmt.Sprintf("our daemon has CAP_NET_ADMIN: %s, CAP_SYS_PTRACE: %s", yesNo(c.netAdmin), yesNo(c.sysPtrace))
	}
	seen := []string{held}
	whole := true
	for _, l := range d.daemon.status.GetAncestry().GetLayers() {
		whole = whole && l.GetLive()
		seen = append(seen, describe(l))
	}
	// The alerts' own fields are the layer that needs nothing. The others are opt-in: without
	// them nothing is wrong, unless alerts carry no pids either.
	if !carried && !whole {
		d.add(check, Warn, remedy, "%s", strings.Join(append(seen, "alerts do not carry pids for certain: chains of processes have gaps"), "; "))
		return
	}
	d.add(check, OK, "", "%s", strings.Join(seen, "; "))
}

// describe says whether a layer is live, and what is missing of it.
func describe(l *pb.AncestryLayer) string {
	text := falcoconf.Show(l.GetName())
	if !l.GetLive() {
		text += " not"
	} else {
		text += " live"
	}
	if reason := l.GetReason(); reason != "" {
		text += " (" + falcoconf.Show(reason) + ")"
	}
	return text
}

// statusOf is the status of a check that was made before.
func (d *examination) statusOf(check string) Status {
	for _, f := range d.findings {
		if f.Check == check {
			return f.Status
		}
	}
	return OK
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
