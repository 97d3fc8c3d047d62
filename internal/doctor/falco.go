package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/falcosecurity/client-go/pkg/api/version"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/falco-reporter/falco-reporter/internal/falcoconf"
)

// InstalledFalco is the version that the falco on PATH says it has.
func InstalledFalco(ctx context.Context) (string, error) {
	path, err := exec.LookPath("falco")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version") //nolint:gosec // the falco of the operator's own PATH
	cmd.WaitDelay = callTimeout
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", path, err)
	}
	// With json_output set, Falco says it in JSON.
	m := regexp.MustCompile(`(?i)falco[_ ]version"?:\s*"?([0-9][0-9A-Za-z.+-]{0,60})`).FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("%s --version says no version", path)
	}
	return string(m[1]), nil
}

// runningFalco asks the gRPC server. That takes no alert off its queue.
func (d *examination) runningFalco(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	creds := insecure.NewCredentials()
	if d.FalcoTLS != nil {
		creds = credentials.NewTLS(d.FalcoTLS)
	}
	address := d.Falco
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		address = "unix://" + d.host(path)
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }() // nothing is left on it
	answer, err := version.NewServiceClient(conn).Version(ctx, &version.Request{})
	if err != nil {
		return "", errors.New(status.Convert(err).Message())
	}
	return answer.GetVersion(), nil
}

// askVersion finds out Falco's version, from whoever knows it best.
func (d *examination) askVersion(ctx context.Context) {
	const check = "falco version"
	text, from, failure := "", "", ""
	if d.Falco != "" {
		var err error
		if text, err = d.runningFalco(ctx); err != nil {
			failure = "Falco's gRPC server did not answer (" + falcoconf.Show(err.Error()) + ")"
		}
		from = "its gRPC server"
	}
	if text == "" && d.daemon.falcoVersion != "" {
		text, from = d.daemon.falcoVersion, "our daemon"
	}
	if text == "" && d.Root == "" {
		if installed, err := InstalledFalco(ctx); err == nil {
			text, from = installed, "falco --version"
		}
	}
	v, err := falcoconf.ParseVersion(text)
	d.version, d.known = v, err == nil
	if !d.known {
		d.version = falcoconf.DefaultVersion()
	}
	seen := falcoconf.Show(text) + ", says " + from
	switch {
	case failure != "" && text != "":
		d.add(check, Fail, d.startFalco(), "%s; installed is %s", failure, seen)
	case failure != "":
		d.add(check, Fail, d.startFalco(), "%s", failure)
	case text == "":
		d.add(check, Warn, "falco --version", "not known: no Falco on PATH, and no gRPC server to ask; %s is assumed", d.version)
	case !d.known:
		d.add(check, Warn, "", "%s, which is no version that is understood; %s is assumed", seen, d.version)
	case d.Falco != "" && !v.HasGRPC():
		d.add(check, Fail, "falco-reporter setup falco --input file", "%s: it has no gRPC output", seen)
	case !v.HasAppendOutput():
		d.add(check, Warn, "falco-reporter setup falco --falco-version "+v.String(), "%s: too old for append_output (0.39), so that alerts carry no pids", seen)
	default:
		d.add(check, OK, "", "%s", seen)
	}
}

func (d *examination) startFalco() string { return "systemctl status falco; systemctl start falco" }

// readConfig reads Falco's configuration.
func (d *examination) readConfig() {
	const check = "falco configuration"
	conf, err := falcoconf.Read(d.Config, falcoconf.Options{Version: d.version, Root: d.Root})
	switch {
	case errors.Is(err, fs.ErrPermission):
		d.add(check, Warn, "run doctor as root", "%s: what it says is not checked", falcoconf.Show(err.Error()))
	case errors.Is(err, fs.ErrNotExist):
		d.add(check, Warn, "say with --config where it is", "%s: what it says is not checked", falcoconf.Show(err.Error()))
	case err != nil:
		d.add(check, Fail, "mend it, then: falco -c "+falcoconf.Show(d.Config)+" --dry-run", "%s", falcoconf.Show(err.Error()))
	case len(conf.Warnings) > 0:
		d.conf = conf
		d.add(check, Warn, "falco -c "+falcoconf.Show(d.Config)+" --dry-run", "%s", strings.Join(conf.Warnings, "; "))
	default:
		d.conf = conf
		d.add(check, OK, "", "%s and %d files that it includes", falcoconf.Show(d.Config), len(conf.Files)-1)
	}
}

// checkSocket looks at Falco's socket and whether our user may connect.
func (d *examination) checkSocket() {
	const check = "falco socket"
	path, ok := strings.CutPrefix(d.Falco, "unix://")
	if !ok {
		return // the version was asked over it
	}
	path = d.host(path)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.add(check, Fail, "falco-reporter setup falco --input grpc; "+d.startFalco(), "%s is not there: Falco is not running, or its grpc section is off", falcoconf.Show(path))
		return
	case err != nil:
		d.add(check, Fail, "run doctor as root", "%s", falcoconf.Show(err.Error()))
		return
	case info.Mode().Type() != fs.ModeSocket:
		d.add(check, Fail, "falco-reporter setup falco --input grpc", "%s is not a socket", falcoconf.Show(path))
		return
	}
	if err := d.account.may(path, mayWrite); err != nil {
		d.add(check, Fail, "falco-reporter setup falco --input grpc (the step about the user "+falcoconf.User+")", "the user %s cannot connect: %s", d.account, falcoconf.Show(err.Error()))
		return
	}
	d.add(check, OK, "", "%s, and the user %s may connect", falcoconf.Show(path), d.account)
}

// checkGRPCConfig compares the address with the configuration.
func (d *examination) checkGRPCConfig() {
	if d.conf == nil {
		return
	}
	const check = "falco gRPC output"
	server, output := d.conf.GRPCServer(), d.conf.Output(falcoconf.GRPCOutput)
	remedy := "falco-reporter setup falco --input grpc"
	switch {
	case !server.Enabled && server.Depends == "":
		d.add(check, Fail, remedy, "the section grpc is off (%s)", server.Place)
	case !output.Enabled && output.Depends == "":
		d.add(check, Fail, remedy, "the section grpc_output is off (%s): Falco's server answers and has no alerts", output.Place)
	case server.Enabled && server.Target != d.Falco:
		d.add(check, Warn, "falco-reporter run --falco "+falcoconf.Show(server.Target), "the configuration has Falco listen at %s, not at %s", falcoconf.Show(server.Target), falcoconf.Show(d.Falco))
	default:
		d.add(check, OK, "", "on, at %s", falcoconf.Show(server.Target))
	}
}

// checkHTTPConfig looks where Falco posts.
func (d *examination) checkHTTPConfig() {
	if d.conf == nil {
		return
	}
	const check = "falco http output"
	out := d.conf.Output(falcoconf.HTTPOutput)
	on, depends := d.conf.JSON()
	remedy := "falco-reporter setup falco --input http"
	switch {
	case !out.Enabled && out.Depends == "":
		d.add(check, Fail, remedy, "http_output is off (%s)", out.Place)
	case out.Enabled && !strings.Contains(out.Target, "//"+d.HTTPListen):
		d.add(check, Warn, "falco-reporter setup falco --input file", "http_output posts to %s, not to %s", falcoconf.ShowURL(out.Target), falcoconf.Show(d.HTTPListen))
	case !on && depends == "":
		d.add(check, Fail, remedy, "http_output is on and json_output is off: what is posted are plain lines")
	case len(d.conf.LeftOutOfJSON()) > 0:
		status, left, what := d.leftOut()
		d.add(check, status, left, "%s", what)
	default:
		d.add(check, OK, "", "on, to %s", falcoconf.ShowURL(out.Target))
	}
}

// checkRuleFiles looks whether our user can read Falco's rules.
func (d *examination) checkRuleFiles() {
	const check = "rule files"
	paths := []string{"/etc/falco/falco_rules.yaml", "/etc/falco/falco_rules.local.yaml", "/etc/falco/rules.d"}
	if d.conf != nil {
		paths = d.conf.RuleFiles()
	}
	read := 0
	for _, path := range paths {
		path = d.host(path)
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		need, bits := mayRead, "g+r"
		if err == nil && info.IsDir() {
			need, bits = mayRead|maySearch, "g+rx"
		}
		if err == nil {
			err = d.account.may(path, need)
		}
		if err != nil {
			shown := falcoconf.Show(path)
			_, group := d.owner()
			d.add(check, Warn, d.onceThere(fmt.Sprintf("chgrp %s '%s' && chmod %s '%s'", group, shown, bits, shown)),
				"the user %s cannot read %s: reports lack what the rule says of itself (%s)", d.account, shown, falcoconf.Show(err.Error()))
			return
		}
		read++
	}
	if read == 0 {
		d.add(check, Warn, "falco-reporter run --rules PATH", "none of %s is there: reports lack what the rules say of themselves", falcoconf.Show(strings.Join(paths, ", ")))
		return
	}
	d.add(check, OK, "", "%d files and folders, which the user %s may read", read, d.account)
}

// host is where we find a path of Falco's.
func (d *examination) host(path string) string {
	return filepath.Clean(falcoconf.Options{Root: d.Root}.Path(path))
}
