package falcoconf

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Input is how falco-reporter gets Falco's alerts.
type Input string

// The inputs.
const (
	InputGRPC Input = "grpc"
	InputFile Input = "file"
	InputHTTP Input = "http"
)

// Where things are unless the configuration has them elsewhere.
const (
	// DefaultPath is Falco's main file.
	DefaultPath = "/etc/falco/falco.yaml"
	// DefaultSocket is where Falco's gRPC server listens.
	DefaultSocket = "unix:///run/falco/falco.sock"
	// DefaultURL is where falco-reporter takes http_output.
	DefaultURL = "http://" + DefaultListen + "/"
	// DefaultListen is the same for falco-reporter.
	DefaultListen = "127.0.0.1:2802"
	// DefaultAlertsFile is the file for file_output.
	DefaultAlertsFile = "/var/log/falco/events.log"
	// User is falco-reporter's own user and group.
	User = "falco-reporter"

	dropInDir = "/etc/falco/config.d"
	// dropInName is last in the order of names, so that what is set in it counts.
	dropInName = "zz-falco-reporter.yaml"
)

// ErrNoGRPC is asking a Falco for gRPC that does not have it.
var ErrNoGRPC = errors.New("falco has no gRPC output from 0.44 on: choose the input file or http")

// PlanOptions choose what is to be set up.
type PlanOptions struct {
	// Input is how alerts are to come; empty chooses what is there already, or else the file.
	Input Input
	// Fields is how much an alert is given.
	Fields FieldSet
}

// Plan is what is to be done to a Falco. All texts are safe to show.
type Plan struct {
	// FalcoVersion is the version that it is for.
	FalcoVersion string `json:"falco_version"`
	// Input is the one that was asked for, or chosen.
	Input Input `json:"input"`
	// FilesRead are those of Falco's configuration, in their order.
	FilesRead []string `json:"files_read"`
	// DropIn is a new file for Falco; its content is empty where there is nothing to add.
	DropIn Document `json:"drop_in"`
	// Directory must be there before the drop-in is: Falco does not make it. Empty for none.
	Directory string `json:"directory,omitempty"`
	// Manual is what no drop-in can do, or may: the operator's own sections are theirs.
	Manual []Manual `json:"manual,omitempty"`
	// Warnings are what the operator must know before; Notes what changes, and what does not.
	Warnings []string `json:"warnings,omitempty"`
	Notes    []string `json:"notes,omitempty"`
	// Steps are the rest, in order.
	Steps []Step `json:"steps,omitempty"`
	// Run is the command line of falco-reporter for it; empty where the input does not reach us
	// before the operator has changed what only they can: setup is to be run again after that.
	Run string `json:"run,omitempty"`
	// Service is how falco-reporter's own unit follows the input; nil where Run is empty.
	Service *Step `json:"service,omitempty"`
}

// Document is a file and what belongs into it.
type Document struct {
	Path    string `json:"path"`
	Content string `json:"content"`
}

// Manual is a change that the operator must make.
type Manual struct {
	// Where is the file, and the line where that is known.
	Where string `json:"where"`
	// Why it is not in the drop-in.
	Why string `json:"why"`
	// YAML is what should stand there; empty where Why says it all.
	YAML string `json:"yaml,omitempty"`
}

// Step is one thing to do outside Falco's configuration.
type Step struct {
	Title    string     `json:"title"`
	Text     string     `json:"text,omitempty"`
	Files    []Document `json:"files,omitempty"`
	Commands []string   `json:"commands,omitempty"`
}

// change is a top-level key that is to be set.
type change struct {
	key, yaml string
}

// planner collects a plan.
type planner struct {
	*Plan
	conf     *Config
	strategy string // of the place for the drop-in; empty where there is none
	changes  []change
	fields   []string // that are added
	json     bool     // whether alerts are JSON afterwards
	turned   bool     // whether that is new
	late     []Step   // those after the drop-in
}

// Plan computes what is to be done. It touches no section that somebody has set.
func (c *Config) Plan(o PlanOptions) (*Plan, error) {
	if o.Input == "" {
		o.Input = c.chooseInput()
	}
	if o.Input == InputGRPC && !c.opts.Version.HasGRPC() {
		return nil, ErrNoGRPC
	}
	p := &planner{conf: c, Plan: &Plan{FalcoVersion: c.opts.Version.String(), Input: o.Input, Warnings: append([]string(nil), c.Warnings...)}}
	for _, f := range c.Files {
		p.FilesRead = append(p.FilesRead, Show(f.Path))
	}
	p.json, _ = c.JSON()
	p.place()
	if err := p.appendOutput(o.Fields); err != nil {
		return nil, err
	}
	switch o.Input {
	case InputGRPC:
		p.grpc()
	case InputFile:
		p.file()
	case InputHTTP:
		p.http()
	default:
		return nil, fmt.Errorf("unknown input %q: choose one of grpc, http, file", string(o.Input))
	}
	p.receivers()
	p.write()
	p.check()
	p.finish()
	return p.Plan, nil
}

// chooseInput prefers what is set up already. Else it is the file, which our unit follows,
// which all versions have, and which is read again after a crash.
func (c *Config) chooseInput() Input {
	if in := c.InputInUse(); in != "" {
		return in
	}
	return InputFile
}

// InputInUse is the input that Falco is set up for already; empty for none.
func (c *Config) InputInUse() Input {
	file, http := c.Output(FileOutput), c.Output(HTTPOutput)
	asJSON, _ := c.JSON()
	switch {
	case file.Enabled && asJSON && filepath.IsAbs(file.Target):
		return InputFile
	case c.opts.Version.HasGRPC() && c.GRPCServer().Enabled && c.Output(GRPCOutput).Enabled:
		return InputGRPC
	case http.Enabled && IsOurs(http.Target): // nobody else reads that
		return InputHTTP
	default:
		return ""
	}
}

// IsOurs reports whether http_output posts to falco-reporter.
func IsOurs(url string) bool {
	return strings.TrimRight(url, "/") == strings.TrimRight(DefaultURL, "/")
}

// place finds where the drop-in goes: the last directory of config_files that does more than
// add.
func (p *planner) place() {
	for _, inc := range p.conf.includes {
		isDir := inc.dir || !inc.there && !isYAML(inc.path)
		if isDir && (p.strategy == "" || p.strategy == strategyAddOnly || inc.strategy != strategyAddOnly) {
			p.DropIn.Path, p.strategy = filepath.Join(inc.path, dropInName), inc.strategy
		}
	}
}

// appendOutput adds the fields.
func (p *planner) appendOutput(set FieldSet) error {
	c := p.conf
	if !c.opts.Version.HasAppendOutput() {
		p.withoutAppendOutput(set)
		return nil
	}
	missing, err := c.missingFields(set)
	if err != nil {
		return err
	}
	if !c.HasContainerFields() {
		p.note("The container plugin is not loaded: container.* and k8s.* are left out, for Falco would not start with them.")
	}
	if len(missing) == 0 {
		p.note("append_output gives alerts all %d fields of the %s set already.", len(set.List()), set)
		return nil
	}
	p.fields = missing
	body := appendEntry(missing)
	place, defined := c.Defined(appendOutput)
	if defined {
		p.note("append_output is set already (%s): %d fields of the %s set are missing there and are added.", place, len(missing), set)
	}
	if entries := len(c.items(appendOutput)); entries > 0 && p.strategy == strategyOverride {
		old, err := c.existingEntries()
		if err != nil {
			return err
		}
		body = old + body
		p.note("Here a later file replaces append_output: the drop-in repeats what is set there (%s). "+
			"A change there does not count any more; make it in the drop-in.", count(entries, "entry", "entries"))
	}
	p.changes = append(p.changes, change{appendOutput, appendOutput + ":\n" + body})
	return nil
}

// items are the entries of a list.
func (c *Config) items(key string) []item {
	if s := c.sections[key]; s != nil {
		return s.items
	}
	return nil
}

// withoutAppendOutput says what can be done for a Falco before 0.39.
func (p *planner) withoutAppendOutput(set FieldSet) {
	var format []string
	for _, f := range set.List() {
		if strings.HasPrefix(f, "proc.") {
			format = append(format, strings.NewReplacer(".", "_", "[", "_", "]", "").Replace(f)+"=%"+f)
		}
	}
	p.warn("Falco %s has no append_output (0.39 and later have it): alerts lack pids, and the chain of processes has gaps.", p.conf.opts.Version)
	step := Step{
		Title: "Add the fields without append_output",
		Text: "Better is an update of Falco. Until then: Falco's option -p appends to the output of every rule, of every source. " +
			"Use it only where all rules are of system calls, for others would not load with it. The ExecStart= here is that of Falco's own unit: systemctl cat " + p.conf.Unit() + " shows whether yours has more.",
		Files: []Document{{
			Path: "/etc/systemd/system/" + p.conf.Unit() + ".d/falco-reporter-fields.conf",
			Content: "[Service]\nExecStart=\nExecStart=" + ownCommand(p.conf) +
				" -p \"" + strings.ReplaceAll(strings.Join(format, " "), "%", "%%") + "\"\n",
		}},
	}
	if p.conf.opts.Version.AtLeast(sinceOverride) {
		step.Text += " Or append the same text to the output of single rules, in a rule file that is read after theirs; here for one rule."
		step.Files = append(step.Files, Document{
			Path:    "/etc/falco/rules.d/zz-falco-reporter.yaml",
			Content: "- rule: Read sensitive file untrusted\n  output: \"" + strings.Join(format, " ") + "\"\n  override:\n    output: append\n",
		})
	}
	p.late = append(p.late, step)
}

// ownCommand is the command line of Falco's own units, which ExecStart= replaces.
func ownCommand(c *Config) string {
	unit := c.Unit()
	if !c.opts.Version.AtLeast(sinceEngineKind) {
		if unit == modernUnit {
			return "/usr/bin/falco --pidfile=/var/run/falco.pid --modern-bpf"
		}
		return "/usr/bin/falco --pidfile=/var/run/falco.pid"
	}
	switch unit {
	case modernUnit:
		return "/usr/bin/falco -o engine.kind=modern_ebpf"
	case kmodUnit:
		return "/usr/bin/falco -o engine.kind=kmod"
	case bpfUnit:
		return "/usr/bin/falco -o engine.kind=ebpf"
	default:
		return "/usr/bin/falco"
	}
}

// needJSON switches JSON on, which files and HTTP need.
func (p *planner) needJSON() {
	on, depends := p.conf.JSON()
	place, _ := p.conf.Defined("json_output")
	for _, key := range p.conf.LeftOutOfJSON() {
		at, _ := p.conf.Defined(key)
		p.Manual = append(p.Manual, Manual{Where: at.String(), Why: "Alerts lack what reports are made of while this is off.", YAML: key + ": true\n"})
	}
	switch {
	case depends != "":
		p.Manual = append(p.Manual, Manual{Where: place.String(), Why: "json_output depends on " + Show(depends) + " in Falco's environment: it must be true.", YAML: "json_output: true\n"})
		p.json = true
	case !on:
		p.changes = append(p.changes, change{"json_output", "json_output: true\n"})
		p.json, p.turned = true, true
	default:
	}
	if v := p.conf.opts.Version; v.HasAppendOutput() && !v.AtLeast(sinceUTF8) {
		p.warn("With json_output, Falco before 0.44 can end at an alert with a byte that is not UTF-8, which anybody who can run a program can cause "+
			"(seen with 0.43; its service manager starts it again).%s", p.grpcHint())
	}
}

// grpcHint names the way around.
func (p *planner) grpcHint() string {
	if on, _ := p.conf.JSON(); on {
		return ""
	}
	return " The input grpc works without json_output."
}

func (p *planner) grpc() {
	server, output := p.conf.GRPCServer(), p.conf.Output(GRPCOutput)
	address := server.Target
	connected := true
	switch {
	case server.Enabled:
		p.note("The gRPC server is on already (%s) and stays as it is.", server.Place)
	case server.Set:
		connected = false
		p.manual(server, "The section grpc is set and off, or depends on Falco's environment: it must be on.", "grpc:\n  enabled: true\n")
	default:
		address = DefaultSocket
		p.changes = append(p.changes, change{"grpc", "grpc:\n  enabled: true\n  bind_address: \"" + DefaultSocket + "\"\n  threadiness: 0\n"})
	}
	switch {
	case output.Enabled:
		p.warn("gRPC output was on already (%s). All gRPC clients of Falco share one queue: if another program reads it, each gets a part of the alerts. "+
			"Let it read from falco-reporter, or use the input file.", output.Place)
	case output.Depends != "":
		connected = false
		p.manual(output, "grpc_output depends on Falco's environment: it must be on.", "grpc_output:\n  enabled: true\n")
	case connected:
		p.changes = append(p.changes, change{"grpc_output", "grpc_output:\n  enabled: true\n"})
	default:
	}
	if p.conf.opts.Version.AtLeast(withoutGRPC - 1) {
		p.note("gRPC is deprecated in Falco 0.43 and gone in 0.44: the input file works with both.")
	}
	if connected {
		p.run("--falco", address)
		p.socketAccess(address)
	}
}

func (p *planner) file() {
	out := p.conf.Output(FileOutput)
	if out.Set && !out.Enabled {
		p.manual(out, "The section file_output is set and off, or depends on Falco's environment: it must be on.", "file_output:\n  enabled: true\n")
		return
	}
	if out.Enabled && !filepath.IsAbs(out.Target) {
		p.manual(out, "The filename "+strconv.Quote(Show(out.Target))+" of file_output is relative to Falco's working directory, which cannot be known from here: it must be absolute, in a directory that is there.",
			"file_output:\n  enabled: true\n  keep_alive: true\n  filename: "+DefaultAlertsFile+"\n")
		return
	}
	p.needJSON()
	path, keepAlive := out.Target, out.KeepAlive
	if out.Enabled {
		p.note("file_output is on already (%s) and stays as it is; falco-reporter reads %s.", out.Place, Show(path))
	} else {
		path, keepAlive = DefaultAlertsFile, true
		p.Directory = filepath.Dir(path)
		p.changes = append(p.changes, change{string(FileOutput), "file_output:\n  enabled: true\n  keep_alive: true\n  filename: " + DefaultAlertsFile + "\n"})
	}
	for _, hidden := range []string{"/tmp/", "/var/tmp/", "/root/", "/home/"} {
		if strings.HasPrefix(path, hidden) {
			p.warn("%s is hidden from other services, or not writable, under Falco's own units (PrivateTmp, ProtectHome): choose a directory below /var/log.", Show(path))
		}
	}
	p.run("--alerts-file", path)
	p.fileAccess(path)
	p.rotation(path, keepAlive)
	if http := p.conf.Output(HTTPOutput); http.Enabled && !IsOurs(http.Target) {
		p.note("http_output goes to %s and stays as it is: falco-reporter runs beside it, on the file.", ShowURL(http.Target))
	}
}

func (p *planner) http() {
	out := p.conf.Output(HTTPOutput)
	switch {
	case out.Enabled && IsOurs(out.Target):
		p.note("http_output posts to falco-reporter already (%s).", out.Place)
	case out.Enabled:
		p.Manual = append(p.Manual, Manual{Where: out.Place.String(), Why: "http_output goes to " + ShowURL(out.Target) + ". Falco has one http_output: " +
			"pointing it here would unplug what is there now. It stays as it is. Use --input file, or let that program forward to falco-reporter."})
		return
	case out.Set:
		p.manual(out, "The section http_output is set and off, or depends on Falco's environment: it must be on and post here.",
			"http_output:\n  enabled: true\n  url: "+DefaultURL+"\n  keep_alive: true\n")
		return
	default:
		p.changes = append(p.changes, change{string(HTTPOutput), "http_output:\n  enabled: true\n  url: " + DefaultURL + "\n  keep_alive: true\n"})
	}
	p.needJSON()
	p.note("Falco tries each alert once: what it posts while falco-reporter is not running is lost. The file input has no such gap.")
	p.run("--http-listen", DefaultListen)
}

// receivers says who else sees the change.
func (p *planner) receivers() {
	var fielded, plain, all []string
	for _, o := range p.conf.Enabled() {
		name := string(o.Kind)
		switch o.Kind {
		case HTTPOutput:
			name += " (" + ShowURL(o.Target) + ")"
		case FileOutput:
			name += " (" + Show(o.Target) + ")"
		default:
		}
		if o.Kind != GRPCOutput {
			all = append(all, name)
		}
		if p.json || o.Kind == GRPCOutput {
			fielded = append(fielded, name)
		} else {
			plain = append(plain, name)
		}
	}
	if p.turned && len(all) > 0 {
		p.warn("json_output turns from plain lines to JSON what these outputs write: %s. Whoever reads plain lines there must be told.", strings.Join(all, ", "))
	}
	if len(p.fields) == 0 {
		return
	}
	if len(fielded) > 0 {
		p.note("These outputs, on already, receive the added fields too, in output_fields: %s.", strings.Join(fielded, ", "))
	}
	if len(plain) > 0 {
		p.note("These write plain lines, which do not show added fields, and stay as they are: %s.", strings.Join(plain, ", "))
	}
}

// write puts the changes where they can be made.
func (p *planner) write() {
	var b strings.Builder
	for _, ch := range p.changes {
		place, defined := p.conf.Defined(ch.key)
		switch {
		case p.strategy == "":
			where := p.conf.main
			if defined {
				where = place.String()
			}
			why := "Nothing in config_files is a directory for a drop-in."
			if !p.conf.opts.Version.AtLeast(sinceConfigFiles) {
				why = "Falco before 0.38 reads no further file."
			}
			if defined && ch.key == appendOutput {
				why += " Add the entry to the list that is there."
			}
			p.Manual = append(p.Manual, Manual{Where: Show(where), Why: why, YAML: ch.yaml})
		case p.strategy == strategyAddOnly && defined:
			p.Manual = append(p.Manual, Manual{Where: place.String(), Why: "Files in " + Show(filepath.Dir(p.DropIn.Path)) + " only add (add-only): what is set elsewhere stays.", YAML: ch.yaml})
		default:
			b.WriteString("\n" + ch.yaml)
		}
	}
	if b.Len() > 0 {
		p.DropIn.Content = "# " + Show(p.DropIn.Path) + "\n# Made by falco-reporter setup for Falco " + p.FalcoVersion + ".\n" + b.String()
	}
}

// check reads the configuration as it would be with the drop-in: what is read after it could
// take its effect away.
func (p *planner) check() {
	if p.DropIn.Content == "" {
		return
	}
	after, err := p.conf.With(p.DropIn.Path, []byte(p.DropIn.Content))
	if err != nil {
		p.warn("Falco could not start with the drop-in: %s", Show(err.Error()))
		return
	}
	for _, ch := range p.changes {
		if !strings.Contains(p.DropIn.Content, "\n"+ch.yaml) {
			continue // it is not in the drop-in
		}
		s := after.sections[ch.key]
		if !s.list && s.place.File != p.DropIn.Path {
			p.warn("%s is read after the drop-in and takes its %s away: move that elsewhere.", s.place, ch.key)
		}
	}
	have := after.AppendedFields()
	for _, f := range p.fields {
		if !have[f] && strings.Contains(p.DropIn.Content, appendOutput) {
			p.warn("A file that is read after the drop-in takes its append_output away: see those after it in %s.", Show(filepath.Dir(p.DropIn.Path)))
			return
		}
	}
}

// manual leaves a section to the operator.
func (p *planner) manual(o Output, why, yaml string) {
	p.Manual = append(p.Manual, Manual{Where: o.Place.String(), Why: why + " It is yours, and setup leaves it.", YAML: yaml})
}

func (p *planner) warn(format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}

func (p *planner) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}

// String is file and line, safe to show.
func (p Place) String() string {
	if p.File == "" {
		return "not set"
	}
	if p.Line == 0 {
		return Show(p.File)
	}
	return fmt.Sprintf("%s:%d", Show(p.File), p.Line)
}

// count is a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// shellQuote is a word for a shell, safe to show.
func shellQuote(s string) string {
	s = Show(s)
	const plain = "/:._-@%+=,0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(plain, r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
