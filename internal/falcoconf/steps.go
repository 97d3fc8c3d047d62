package falcoconf

import (
	"path/filepath"
	"strings"
)

// socketAccess lets our user connect to Falco's socket.
func (p *planner) socketAccess(address string) {
	path, ok := strings.CutPrefix(address, "unix://")
	if !ok {
		p.Steps = append(p.Steps, Step{
			Title: "Certificates",
			Text:  "Falco's gRPC server on " + Show(address) + " wants mutual TLS: add --falco-ca, --falco-cert and --falco-key to the command below.",
		})
		return
	}
	content := "[Service]\nGroup=" + User + "\nUMask=0007\n"
	text := "To connect takes write permission on the socket and search permission on its directory. Falco's own units have UMask=0077, which leaves them to root. " +
		"The drop-in gives what Falco creates to our group; Falco's user stays root."
	if filepath.Dir(path) == "/run/falco" {
		content += "RuntimeDirectory=falco\nRuntimeDirectoryMode=0750\n"
	} else {
		text += " The directory " + Show(filepath.Dir(path)) + " must let the group " + User + " through, too."
	}
	p.Steps = append(p.Steps, p.unitStep("Let the user "+User+" connect to Falco's socket", text, content))
}

// fileAccess lets our user read Falco's file.
func (p *planner) fileAccess(path string) {
	dir := filepath.Dir(path)
	content := "[Service]\nGroup=" + User + "\nUMask=0027\n"
	text := "Falco's own units have UMask=0077: what Falco writes is root's alone. The drop-in gives what it creates to our group, to read; Falco's user stays root. " +
		"A file that is there already keeps its owner and mode, hence the last command."
	if dir == filepath.Dir(DefaultAlertsFile) {
		content += "LogsDirectory=falco\nLogsDirectoryMode=0750\n"
	} else {
		// Others may have files in it: setup does not say how to change it.
		text += " Falco does not make the directory " + Show(dir) + ", which must let the group " + User + " through."
	}
	step := p.unitStep("Let the user "+User+" read Falco's file", text, content)
	quoted := shellQuote(path)
	step.Commands = append(step.Commands, "test ! -e "+quoted+" || { chgrp "+User+" "+quoted+" && chmod 0640 "+quoted+"; }")
	p.Steps = append(p.Steps, step)
}

// unitStep is a drop-in for Falco's unit.
func (p *planner) unitStep(title, text, content string) Step {
	unit := p.conf.Unit()
	return Step{
		Title: title, Text: text + " The group must be there first: systemd starts no unit whose group does not exist.",
		Files:    []Document{{Path: "/etc/systemd/system/" + unit + ".d/falco-reporter.conf", Content: content}},
		Commands: []string{makeGroup, "systemctl daemon-reload", "systemctl restart " + unit},
	}
}

// makeGroup makes our group, if it is not there yet: systemd does not start a unit whose group
// does not exist, and that unit is Falco's.
const makeGroup = "getent group " + User + " || groupadd --system " + User

// rotation keeps the file from growing for ever, in a way that loses nothing.
func (p *planner) rotation(path string, keepAlive bool) {
	text := "create makes a new file and leaves the old one whole, so that falco-reporter reads it to its end; copytruncate would cut off what is not read yet. " +
		"delaycompress leaves it uncompressed until then."
	script := ""
	if keepAlive {
		text += " Falco keeps its file open (keep_alive): SIGUSR1 makes it open the new one."
		script = "    postrotate\n        systemctl kill --kill-who=main --signal=SIGUSR1 " + p.conf.Unit() + "\n    endscript\n"
	}
	text += " If another file in /etc/logrotate.d names the same path, change that one instead: logrotate refuses two."
	p.late = append(p.late, Step{Title: "Rotate the file", Text: text, Files: []Document{{
		Path: "/etc/logrotate.d/falco-reporter",
		Content: logrotateQuote(path) + " {\n    daily\n    rotate 7\n    missingok\n    notifempty\n    compress\n    delaycompress\n" +
			"    create 0640 root " + User + "\n" + script + "}\n",
	}}, Commands: []string{makeGroup, "logrotate --debug /etc/logrotate.d/falco-reporter"}})
}

// logrotateQuote is a path for logrotate, which takes double quotes around blanks.
func logrotateQuote(path string) string {
	if strings.ContainsAny(path, " \t") {
		return `"` + Show(path) + `"`
	}
	return Show(path)
}

// finish adds what all plans have.
func (p *planner) finish() {
	if p.DropIn.Content != "" {
		p.overrides()
		// After those of access: a Falco that cannot open its file stops, and a socket keeps the
		// mode that it was made with.
		p.Steps = append(p.Steps, p.install())
	}
	p.Steps = append(append(p.Steps, p.late...), sidekick())
	if p.conf.assumed {
		p.warn("No configuration was read: this is for Falco %s as it comes. Run setup where Falco is, as root, to have it fit.", p.FalcoVersion)
	}
	p.note("Options on Falco's command line (-o, -p) count more than any file and are not seen here: systemctl cat %s shows them.", p.conf.Unit())
}

// overrides says what merging does to what was set before.
func (p *planner) overrides() {
	var replaced []string
	for _, ch := range p.changes {
		place, defined := p.conf.Defined(ch.key)
		if !defined || !strings.Contains(p.DropIn.Content, "\n"+ch.yaml) {
			continue
		}
		if ch.key == appendOutput && p.strategy == strategyAppend {
			p.note("append_output is a list, which Falco %s appends to: what %s has stays, and the drop-in comes after it.", p.FalcoVersion, place)
			continue
		}
		replaced = append(replaced, ch.key+" ("+place.String()+")")
	}
	if len(replaced) > 0 {
		p.note("A later file replaces a top-level key whole. The drop-in replaces: %s.", strings.Join(replaced, ", "))
	}
}

// install puts the drop-in in place.
func (p *planner) install() Step {
	s := Step{
		Title: "Put the drop-in in place",
		Text:  "falco-reporter setup falco --write does it, and never overwrites a file. Then let Falco check its configuration.",
		Commands: []string{
			"install -d -m 0755 " + shellQuote(filepath.Dir(p.DropIn.Path)),
			"falco -c " + shellQuote(p.conf.main) + " --dry-run",
		},
	}
	if p.conf.WatchesFiles() {
		s.Text += " Falco watches its files (watch_config_files) and loads the drop-in at once"
		if p.Input == InputGRPC {
			s.Text += "; a Falco with an open gRPC stream can end at that, and its service manager starts it again"
		}
		s.Text += "."
	} else {
		s.Commands = append(s.Commands, "systemctl reload "+p.conf.Unit())
	}
	return s
}

// sidekick says how both programs get all alerts.
func sidekick() Step {
	return Step{
		Title: "Beside falcosidekick",
		Text: "Falco has one http_output and one gRPC queue, which its clients share. Leave http_output to falcosidekick and give falco-reporter the file " +
			"(setup falco --input file): both then get every alert.",
	}
}
