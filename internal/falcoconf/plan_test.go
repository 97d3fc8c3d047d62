package falcoconf_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/falco-reporter/falco-reporter/internal/falcoconf"
)

// configurations are what operators have.
func configurations() map[string]map[string]string {
	const head = "config_files:\n  - /etc/falco/config.d\nload_plugins: [container]\n"
	const off = "file_output:\n  enabled: false\n  keep_alive: false\n  filename: ./events.txt\nhttp_output:\n  enabled: false\n  url: \"\"\n" +
		"grpc:\n  enabled: false\n  bind_address: \"unix:///run/falco/falco.sock\"\n  threadiness: 0\ngrpc_output:\n  enabled: false\n"
	const suggested = "append_output:\n  - suggested_output: true\n"
	own := suggested + "  - match: {source: syscall, tags: [x]}\n    extra_fields: [proc.pid]\n    extra_output: \"a: %proc.pid ${HOME} #\"\n" +
		"  - match: {source: syscall}\n    extra_fields:\n      - proc.pid.ts\n      - proc.vpid: \"v=%proc.vpid\"\n"
	return map[string]map[string]string{
		"fresh":           {main: head + off + suggested + "json_output: false\nstdout_output: {enabled: true}\nsyslog_output: {enabled: true}\n"},
		"nothing":         {main: head},
		"sidekick":        {main: head + suggested + "json_output: true\n", "/etc/falco/config.d/sidekick.yaml": "http_output:\n  enabled: true\n  url: http://sidekick:2801/\n"},
		"file":            {main: head + suggested + "json_output: true\nfile_output: {enabled: true, filename: /var/log/a b.log}\n"},
		"file off":        {main: head + off + suggested, "/etc/falco/config.d/f.yaml": "file_output: {enabled: no, filename: /x, keep_alive: true}\n"},
		"grpc on":         {main: head + suggested + "grpc: {enabled: true, bind_address: \"unix:///run/x.sock\", threadiness: 8}\ngrpc_output: {enabled: true}\n"},
		"grpc server":     {main: head + "grpc: {enabled: true, bind_address: \"0.0.0.0:5060\"}\ngrpc_output: {enabled: false}\n"},
		"environment":     {main: head + off + "http_output: {enabled: \"${HTTP}\", url: \"${URL}\"}\n"},
		"own fields":      {main: head + own},
		"override":        {main: "config_files:\n  - {path: /etc/falco/config.d, strategy: override}\n" + off + own},
		"add-only":        {main: "config_files:\n  - {path: /etc/falco/config.d, strategy: add-only}\n" + off + own},
		"no directory":    {main: off + own},
		"no plugin":       {main: "config_files: [/etc/falco/config.d]\nload_plugins: []\n" + off + suggested},
		"aliases":         {main: head + "x: &x [proc.pid]\nappend_output:\n  - match: &m {source: syscall, rule: r}\n    extra_fields: *x\n  - match: *m\n    extra_output: |\n      a\n      b\n"},
		"two directories": {main: "config_files:\n  - /etc/falco/config.d\n  - path: /etc/falco/last\n    strategy: add-only\n", "/etc/falco/last/a.yaml": "json_output: true\n"},
	}
}

// sections are Falco's, with the members that setup may write.
var sections = map[string][]string{
	"append_output": nil, "json_output": nil,
	"grpc":        {"enabled", "bind_address", "threadiness"},
	"grpc_output": {"enabled"},
	"file_output": {"enabled", "keep_alive", "filename"},
	"http_output": {"enabled", "url", "keep_alive"},
}

// TestPlan holds every plan to what setup promises: a drop-in that Falco understands, that
// changes nothing which somebody has set, and after which alerts carry the fields, unless what
// is left to do by hand is said.
func TestPlan(t *testing.T) {
	list, err := falcoconf.Fields()
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range configurations() {
		for _, minor := range []int{37, 38, 40, 43, 44} {
			for _, input := range []falcoconf.Input{"", falcoconf.InputGRPC, falcoconf.InputFile, falcoconf.InputHTTP} {
				for _, set := range []falcoconf.FieldSet{falcoconf.Minimal, falcoconf.Full}[:1+minor/43] {
					t.Run(fmt.Sprintf("%s/0.%d/%s/%s", name, minor, input, set), func(t *testing.T) {
						before := read(t, minor, files)
						plan, err := before.Plan(falcoconf.PlanOptions{Input: input, Fields: set})
						if errors.Is(err, falcoconf.ErrNoGRPC) && input == falcoconf.InputGRPC && minor >= 44 {
							return
						}
						if err != nil {
							t.Fatal(err)
						}
						checkPlan(t, before, plan, set, list)
					})
				}
			}
		}
	}
}

// TestChoice: what is set up in full stays, and else it is the file. An input that does not
// reach us changes no format, and no command line follows.
func TestChoice(t *testing.T) {
	for name, tc := range map[string]struct {
		config string
		asked  falcoconf.Input
		want   falcoconf.Input
		run    string // empty: it does not reach us
		exec   string // what our unit must be given; empty where it fits as it comes
	}{
		"fresh":         {"", "", falcoconf.InputFile, falcoconf.DefaultAlertsFile, ""},
		"gRPC, asked":   {"", falcoconf.InputGRPC, falcoconf.InputGRPC, "--falco " + falcoconf.DefaultSocket, "run --falco " + falcoconf.DefaultSocket},
		"gRPC":          {"grpc: {enabled: true, bind_address: \"unix:///x\"}\ngrpc_output: {enabled: true}\n", "", falcoconf.InputGRPC, "--falco unix:///x ", "run --falco unix:///x --listen"},
		"server alone":  {"grpc: {enabled: true, bind_address: \"unix:///x\"}\n", "", falcoconf.InputFile, falcoconf.DefaultAlertsFile, ""},
		"another file":  {"json_output: true\nfile_output: {enabled: true, filename: \"/a %b$c\"}\n", "", falcoconf.InputFile, "'/a %b$c'", `--alerts-file "/a %%b$$c" --listen`},
		"both":          {"json_output: true\nfile_output: {enabled: true, filename: /a}\ngrpc: {enabled: true}\ngrpc_output: {enabled: true}\n", "", falcoconf.InputFile, "--alerts-file /a ", "--alerts-file /a "},
		"ours":          {"http_output: {enabled: true, url: \"http://127.0.0.1:2802/\"}\n", "", falcoconf.InputHTTP, "--http-listen", "--http-listen"},
		"http is taken": {"http_output: {enabled: true, url: \"http://sidekick:2801/\"}\n", falcoconf.InputHTTP, falcoconf.InputHTTP, "", ""},
		"http is off":   {"http_output: {enabled: false, url: \"http://sidekick:2801/\"}\n", falcoconf.InputHTTP, falcoconf.InputHTTP, "", ""},
		"file is off":   {"file_output: {enabled: false, filename: /x}\n", "", falcoconf.InputFile, "", ""},
		"relative file": {"file_output: {enabled: true, filename: ./x}\n", "", falcoconf.InputFile, "", ""},
		"server is off": {"grpc: {enabled: false, bind_address: \"unix:///x\"}\n", falcoconf.InputGRPC, falcoconf.InputGRPC, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := read(t, 43, map[string]string{main: "config_files: [/etc/falco/config.d]\n" + tc.config, "/etc/falco/config.d/a.yaml": "{}\n"})
			plan, err := c.Plan(falcoconf.PlanOptions{Input: tc.asked, Fields: falcoconf.Minimal})
			if err != nil {
				t.Fatal(err)
			}
			if plan.Input != tc.want || !strings.Contains(plan.Run, tc.run) {
				t.Errorf("got input %s and %q", plan.Input, plan.Run)
			}
			if tc.run == "" {
				steps := fmt.Sprint(plan.Steps)
				if plan.Run != "" || plan.Service != nil || len(plan.Manual) == 0 || strings.Contains(plan.DropIn.Content, "_output: true") ||
					strings.Contains(steps, "logrotate.d") || strings.Contains(steps, "chgrp") {
					t.Errorf("it does not reach us: %+v", plan)
				}
				return
			}
			files := fmt.Sprint(plan.Service.Files)
			if (tc.exec == "") != (len(plan.Service.Files) == 0) || !strings.Contains(files, tc.exec) || tc.exec != "" && !strings.Contains(files, "ExecStart=\nExecStart=/usr/bin/falco-reporter run ") {
				t.Errorf("the unit is given %s, want %q", files, tc.exec)
			}
		})
	}
}

func checkPlan(t *testing.T, before *falcoconf.Config, plan *falcoconf.Plan, set falcoconf.FieldSet, list *falcoconf.FieldList) {
	t.Helper()
	checkDropIn(t, plan.DropIn.Content, before.Version(), list)
	for _, m := range plan.Manual {
		if m.YAML != "" {
			checkYAML(t, m.YAML)
		}
	}
	if plan.DropIn.Content == "" {
		if len(plan.Manual) == 0 && len(missing(before, set)) > 0 && before.Version().HasAppendOutput() {
			t.Errorf("nothing to do, and yet fields are missing: %q", missing(before, set))
		}
		return
	}
	after, err := before.With(plan.DropIn.Path, []byte(plan.DropIn.Content))
	if err != nil {
		t.Fatalf("Falco could not start with it: %v\n%s", err, plan.DropIn.Content)
	}
	for _, kind := range []falcoconf.OutputKind{falcoconf.StdoutOutput, falcoconf.SyslogOutput, falcoconf.FileOutput, falcoconf.HTTPOutput, falcoconf.ProgramOutput, falcoconf.GRPCOutput, "grpc"} {
		was, is := before.Output(kind), after.Output(kind)
		if kind == falcoconf.GRPCOutput && !is.Enabled {
			is.Target = was.Target // which is that of the server, not its own
		}
		if was.Set && was != is && (kind != falcoconf.GRPCOutput || was.Enabled != is.Enabled) {
			t.Errorf("%s was set, and changes from %+v to %+v", kind, was, is)
		}
	}
	for f := range before.AppendedFields() {
		if !after.AppendedFields()[f] {
			t.Errorf("%s is not appended any more", f)
		}
	}
	if len(plan.Manual) == 0 && before.Version().HasAppendOutput() {
		if m := missing(after, set); len(m) > 0 {
			t.Errorf("fields are still missing: %q\n%s", m, plan.DropIn.Content)
		}
		again, err := after.Plan(falcoconf.PlanOptions{Input: plan.Input, Fields: set})
		if err != nil || again.DropIn.Content != "" || len(again.Manual) > 0 {
			t.Errorf("a second setup has more to do: %v %+v", err, again)
		}
	}
}

// missing is what alerts lack, but for what needs a plugin that is not loaded.
func missing(c *falcoconf.Config, set falcoconf.FieldSet) []string {
	have := c.AppendedFields()
	return slices.DeleteFunc(set.List(), func(f string) bool {
		plugin := strings.HasPrefix(f, "container.") || strings.HasPrefix(f, "k8s.")
		return have[f] || plugin && !c.HasContainerFields()
	})
}

// checkDropIn: it is YAML, its keys are Falco's, each once, and its fields are fields.
func checkDropIn(t *testing.T, text string, v falcoconf.Version, list *falcoconf.FieldList) {
	t.Helper()
	var got map[string]any
	if err := yaml.Load([]byte(text), &got); err != nil && text != "" {
		t.Fatalf("%v in\n%s", err, text)
	}
	for key, value := range got {
		members, ok := sections[key]
		if !ok || strings.HasPrefix(key, "grpc") && !v.HasGRPC() {
			t.Errorf("%s is no key of Falco %s", key, v)
		}
		if m, ok := value.(map[string]any); ok {
			for name := range m {
				if !slices.Contains(members, name) {
					t.Errorf("%s.%s is none of %v", key, name, members)
				}
			}
		}
	}
	entries, _ := got["append_output"].([]any)
	if len(entries) == 0 {
		return
	}
	ours, _ := entries[len(entries)-1].(map[string]any)
	if match, _ := ours["match"].(map[string]any); len(ours) != 2 || len(match) != 1 || match["source"] != "syscall" {
		t.Errorf("our entry of append_output is %v", ours)
	}
	fields, _ := ours["extra_fields"].([]any)
	if len(fields) == 0 {
		t.Error("our entry of append_output has no fields")
	}
	for _, f := range fields {
		if _, err := list.Find(fmt.Sprint(f), v); err != nil {
			t.Error(err)
		}
	}
}

func checkYAML(t *testing.T, text string) {
	t.Helper()
	var got map[string]any
	if err := yaml.Load([]byte(text), &got); err != nil {
		t.Errorf("%v in\n%s", err, text)
	}
}

// TestRepeatedEntriesAreTheSame: where a later file replaces the list, the operator's entries
// come out as they went in, environment variables unread.
func TestRepeatedEntriesAreTheSame(t *testing.T) {
	for _, name := range []string{"own fields", "aliases"} {
		before := read(t, 40, configurations()[name])
		plan, err := before.Plan(falcoconf.PlanOptions{Fields: falcoconf.Minimal})
		if err != nil {
			t.Fatal(err)
		}
		var was, is struct {
			X       any   `yaml:"x"`
			Entries []any `yaml:"append_output"`
		}
		if err := yaml.Load([]byte(configurations()[name][main]), &was, yaml.WithV4Defaults()); err != nil {
			t.Fatal(err)
		}
		if err := yaml.Load([]byte(plan.DropIn.Content), &is, yaml.WithV4Defaults()); err != nil {
			t.Fatal(err)
		}
		if n := len(was.Entries); len(is.Entries) != n+1 || fmt.Sprint(is.Entries[:n]) != fmt.Sprint(was.Entries) {
			t.Errorf("%s: got %v, want %v and one more", name, is.Entries, was.Entries)
		}
	}
}

// TestOverriddenAfterwards: a file that is read later and takes the drop-in's effect away is
// named.
func TestOverriddenAfterwards(t *testing.T) {
	c := read(t, 43, map[string]string{
		main:                           "config_files: [/etc/falco/config.d]\njson_output: false\n",
		"/etc/falco/config.d/zzz.yaml": "json_output: false\n",
	})
	plan, err := c.Plan(falcoconf.PlanOptions{Input: falcoconf.InputFile, Fields: falcoconf.Minimal})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(plan.Warnings, func(s string) bool { return strings.Contains(s, "zzz.yaml:1 is read after the drop-in") }) {
		t.Errorf("got %q", plan.Warnings)
	}
}
