package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/falcoconf"
)

const (
	// maxTail is how much of the end of the alerts file is looked at: some 200 alerts.
	maxTail = 512 << 10
	// manyAlerts in a row tell how Falco is set up now, whatever came before.
	manyAlerts = 20
	// maxRotationBytes bounds a file of logrotate.
	maxRotationBytes = 256 << 10
)

// recent is what the last alerts of the file look like.
type recent struct {
	err      error // why they could not be read
	alerts   int   // those of system calls
	withPid  int   // and those of them that carry pid, start and parent
	newest   int   // how many of those came last, without another between
	other    int   // lines that are no alerts
	hostname string
}

// readAlerts looks at the end of the alerts file.
func (d *examination) readAlerts() {
	if d.AlertsFile == "" {
		return
	}
	data, err := tail(d.host(d.AlertsFile))
	if err != nil {
		d.recent.err = err
		return
	}
	for line := range bytes.Lines(data) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		a, err := alert.DecodeJSON(line)
		if err != nil {
			d.recent.other++
			continue
		}
		if a.Hostname != "" {
			d.recent.hostname = a.Hostname
		}
		if a.Source != "syscall" {
			continue // append_output is for these
		}
		d.recent.alerts++
		if carriesPid(a) {
			d.recent.withPid++
			d.recent.newest++
		} else {
			d.recent.newest = 0
		}
	}
}

// carriesPid reports whether an alert has the fields that tell its process from others. They
// may be without a value: a process that ended at once lacks all of them.
func carriesPid(a *alert.Alert) bool {
	for _, name := range []string{"proc.pid", "proc.pid.ts", "proc.ppid"} {
		if _, ok := a.Lookup(name); !ok {
			return false
		}
	}
	return true
}

// tail is the last whole lines of a file.
func tail(path string) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, info.Size()-maxTail)
	data, err := io.ReadAll(io.NewSectionReader(f, from, maxTail))
	if err != nil {
		return nil, err
	}
	if from > 0 {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	return data[:bytes.LastIndexByte(data, '\n')+1], nil // Falco may be writing the last
}

var errNotRegular = errors.New("not a regular file")

// openRegular opens a file that has an end.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", path, errNotRegular)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// checkAlertsFile looks whether our user can read the file, and whether there are alerts in it.
func (d *examination) checkAlertsFile() {
	const check = "alerts file"
	path := d.host(d.AlertsFile)
	shown := falcoconf.Show(path)
	remedy := "falco-reporter setup falco --input file"
	d.checkFileConfig(remedy)
	switch err := d.recent.err; {
	case errors.Is(err, fs.ErrNotExist):
		d.add(check, Warn, remedy, "%s is not there: file_output is off, or there was no alert since", shown)
	case err != nil && !errors.Is(err, fs.ErrPermission):
		d.add(check, Fail, remedy, "%s", falcoconf.Show(err.Error()))
	default:
		if err := d.account.may(path, mayRead); err != nil {
			_, group := d.owner()
			d.add(check, Fail, d.onceThere(fmt.Sprintf("chgrp %s '%s' && chmod 0640 '%s'; for those to come: %s", group, shown, shown, remedy)),
				"the user %s cannot read %s: %s", d.account, shown, falcoconf.Show(err.Error()))
			return
		}
		if err != nil {
			d.add(check, Warn, "run doctor as root", "%s", falcoconf.Show(err.Error()))
			return
		}
		if d.recent.other > 0 && d.recent.alerts == 0 {
			d.add(check, Fail, remedy, "%s has lines that are no alerts in JSON: json_output is off, or another program writes it", shown)
			return
		}
		d.add(check, OK, "", "%s, which the user %s may read", shown, d.account)
	}
}

// checkFileConfig compares the file with Falco's configuration.
func (d *examination) checkFileConfig(remedy string) {
	if d.conf == nil {
		return
	}
	const check = "falco file output"
	out := d.conf.Output(falcoconf.FileOutput)
	on, depends := d.conf.JSON()
	switch {
	case !out.Enabled && out.Depends == "":
		d.add(check, Fail, remedy, "file_output is off (%s)", out.Place)
	case out.Enabled && !filepath.IsAbs(out.Target):
		d.add(check, Fail, remedy, "file_output writes %q (%s), which is relative to Falco's working directory: where that is cannot be known", falcoconf.Show(out.Target), out.Place)
	case out.Enabled && d.host(out.Target) != d.host(d.AlertsFile):
		d.add(check, Warn, "falco-reporter run --alerts-file '"+falcoconf.Show(out.Target)+"'", "file_output writes %s, not %s", falcoconf.Show(out.Target), falcoconf.Show(d.AlertsFile))
	case !on && depends == "":
		d.add(check, Fail, remedy, "file_output is on and json_output is off: what is written are plain lines")
	case len(d.conf.LeftOutOfJSON()) > 0:
		status, left, what := d.leftOut()
		d.add(check, status, left, "%s", what)
	default:
		d.add(check, OK, "", "on, in JSON (%s)", out.Place)
	}
}

// leftOut is the finding where JSON lacks what reports are made of: tags are missed least.
func (d *examination) leftOut() (status Status, remedy, seen string) {
	status = Warn
	var off, on []string
	for _, key := range d.conf.LeftOutOfJSON() {
		place, _ := d.conf.Defined(key)
		off = append(off, fmt.Sprintf("%s is off (%s)", key, place))
		on = append(on, key+": true")
		if key != "json_include_tags_property" {
			status = Fail
		}
	}
	return status, "set there: " + strings.Join(on, ", "), strings.Join(off, ", ") + ": alerts lack what reports are made of"
}

// checkRotation looks for what logrotate does with the file.
func (d *examination) checkRotation() {
	const check = "rotation"
	files := []string{d.host("/etc/logrotate.conf")}
	more, _ := filepath.Glob(d.host("/etc/logrotate.d") + "/*") // the pattern is well formed
	for _, file := range append(files, more...) {
		stanza, ok := stanzaFor(file, d.AlertsFile)
		if !ok {
			continue
		}
		shown := falcoconf.Show(file)
		keepAlive := d.conf != nil && d.conf.Output(falcoconf.FileOutput).KeepAlive
		switch {
		case hasWord(stanza, "copytruncate"):
			d.add(check, Warn, "falco-reporter setup falco --input file (the step about rotation)", "%s cuts the file off while it is read (copytruncate): alerts can be lost", shown)
		case keepAlive && !strings.Contains(stanza, "USR1"):
			d.add(check, Warn, "falco-reporter setup falco --input file (the step about rotation)", "%s moves the file away and Falco, which keeps it open, is not told (SIGUSR1): it goes on writing to the old one", shown)
		default:
			d.add(check, OK, "", "%s, without copytruncate", shown)
		}
		return
	}
	d.add(check, Warn, "falco-reporter setup falco --input file (the step about rotation)", "nothing in /etc/logrotate.d names %s: it grows for ever", falcoconf.Show(d.AlertsFile))
}

// stanzaFor is what a file of logrotate says of a path.
func stanzaFor(file, path string) (string, bool) {
	f, err := openRegular(file)
	if err != nil {
		return "", false
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, maxRotationBytes))
	if err != nil {
		return "", false
	}
	inside, ours := false, false
	var stanza strings.Builder
	for line := range strings.Lines(string(data)) {
		words := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(words, "#"):
		case !inside:
			names, _, opens := strings.Cut(words, "{")
			for name := range strings.FieldsSeq(names) {
				name = strings.Trim(name, `"'`)
				if matched, err := filepath.Match(name, path); err == nil && matched {
					ours = true
				}
			}
			inside = opens
		case words == "}":
			if ours {
				return stanza.String(), true
			}
			inside = false
		case ours:
			stanza.WriteString(line)
		default:
		}
	}
	return "", false
}

// hasWord reports whether a line of the text is the word.
func hasWord(text, word string) bool {
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == word {
			return true
		}
	}
	return false
}

// checkPids looks whether alerts carry what the chain of processes needs: in the last of them,
// or else by the configuration.
func (d *examination) checkPids() {
	const check = "pids in alerts"
	remedy := "falco-reporter setup falco"
	if r := d.recent; r.alerts > 0 {
		path := falcoconf.Show(d.AlertsFile)
		switch {
		case r.withPid == r.alerts:
			d.add(check, OK, "", "all of the last %d alerts of system calls in %s carry pid, start and parent", r.alerts, path)
		case r.newest > 0 && (r.newest == r.withPid || r.newest >= manyAlerts):
			// Those before are of before Falco was told to.
			d.add(check, OK, "", "the last %d alerts of system calls in %s carry pid, start and parent; some before them do not", r.newest, path)
		default:
			d.add(check, Warn, remedy, "%d of the last %d alerts of system calls in %s carry pid, start and parent", r.withPid, r.alerts, path)
		}
		return
	}
	if d.conf == nil {
		d.add(check, Warn, remedy, "not known: neither alerts nor Falco's configuration could be read")
		return
	}
	have, missing := d.conf.AppendedFields(), 0
	set := falcoconf.Minimal.List()
	for _, f := range set {
		if !have[f] && !strings.HasPrefix(f, "container.") {
			missing++
		}
	}
	if missing > 0 {
		d.add(check, Warn, remedy, "append_output lacks %d of the %d fields that tell the chain of processes", missing, len(set))
		return
	}
	d.add(check, OK, "", "append_output adds them to every alert of a system call")
}
