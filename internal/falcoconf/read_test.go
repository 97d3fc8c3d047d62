package falcoconf_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/falcoconf"
)

const main = falcoconf.DefaultPath

// tree makes a root directory with files.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func read(t *testing.T, minor int, files map[string]string) *falcoconf.Config {
	t.Helper()
	c, err := falcoconf.Read(main, falcoconf.Options{Version: falcoconf.Version{Minor: minor}, Root: tree(t, files)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestMerge: what counts after merging is what Falco's own yaml_helper.h makes of it.
func TestMerge(t *testing.T) {
	const base = "json_output: false\nrules_files: [a, b]\nfile_output: {enabled: true, filename: /main, keep_alive: true}\n"
	for name, tc := range map[string]struct {
		minor   int
		include string // the value of config_files
		files   map[string]string
		json    bool
		rules   string
		file    string // filename
		keep    bool
		order   string
	}{
		"lists are replaced up to 0.40": {40, "[/d]", map[string]string{"/d/1.yaml": "rules_files: [c]\njson_output: true\n"}, true, "c", "/main", true, "/d/1.yaml"},
		"lists are appended from 0.41":  {41, "[/d]", map[string]string{"/d/1.yaml": "rules_files: [c]\njson_output: yes\n"}, true, "a b c", "/main", true, "/d/1.yaml"},
		"override":                      {43, "[{path: /d, strategy: override}]", map[string]string{"/d/1.yaml": "rules_files: [c]\n"}, false, "c", "/main", true, "/d/1.yaml"},
		"add-only":                      {43, "[{path: /d, strategy: add-only}]", map[string]string{"/d/1.yaml": "rules_files: [c]\njson_output: true\n"}, false, "a b", "/main", true, "/d/1.yaml"},
		"sections are replaced whole":   {43, "[/d]", map[string]string{"/d/1.yaml": "file_output: {enabled: true, filename: /x}\n"}, false, "a b", "/x", false, "/d/1.yaml"},
		"by name, whatever they are called": {43, "[/d]", map[string]string{
			"/d/b": "file_output: {filename: /b}\n", "/d/a.yaml": "file_output: {filename: /a}\n", "/d/B.yml": "file_output: {filename: /B}\n",
		}, false, "a b", "/b", false, "/d/B.yml /d/a.yaml /d/b"},
		"not there":            {43, "[/nowhere, /e.yaml]", map[string]string{"/e.yaml": "json_output: \"TRUE\"\n"}, true, "a b", "/main", true, "/e.yaml"},
		"0.37 reads no more":   {37, "[/d]", map[string]string{"/d/1.yaml": "json_output: true\n"}, false, "a b", "/main", true, ""},
		"only the first":       {43, "[/d]", map[string]string{"/d/1.yaml": "{}\n---\njson_output: true\n"}, false, "a b", "/main", true, "/d/1.yaml"},
		"the first of two":     {43, "[]\njson_output: true", nil, false, "a b", "/main", true, ""},
		"not a truth value":    {43, "[/d]", map[string]string{"/d/1.yaml": "json_output: tRUE\n"}, false, "a b", "/main", true, "/d/1.yaml"},
		"nothing in it":        {43, "[/d]", map[string]string{"/d/1.yaml": "# nothing\n"}, false, "a b", "/main", true, "/d/1.yaml"},
		"an alias is followed": {43, "[/d]", map[string]string{"/d/1.yaml": "x: &x {filename: /alias}\nfile_output: *x\n"}, false, "a b", "/alias", false, "/d/1.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.files == nil {
				tc.files = make(map[string]string)
			}
			tc.files[main] = base + "config_files: " + tc.include + "\n"
			c := read(t, tc.minor, tc.files)
			on, _ := c.JSON()
			out := c.Output(falcoconf.FileOutput)
			var order []string
			for _, f := range c.Files[1:] {
				order = append(order, f.Path)
			}
			if on != tc.json || strings.Join(c.RuleFiles(), " ") != tc.rules || out.Target != tc.file || out.KeepAlive != tc.keep || strings.Join(order, " ") != tc.order {
				t.Errorf("json %t, rules %v, file %q, keep alive %t, order %v", on, c.RuleFiles(), out.Target, out.KeepAlive, order)
			}
		})
	}
}

// TestRefused: what Falco would not start with, and what is no configuration.
func TestRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		main, included, want string
	}{
		"no mapping":             {"[a]", "", "line 1: not a YAML mapping"},
		"broken":                 {"a: [", "", "falco.yaml"},
		"included is no mapping": {"config_files: [/d.yaml]", "- a", "/d.yaml: line 1: not a YAML mapping"},
		"nested":                 {"config_files: [/d.yaml]", "x: 1\nconfig_files: [/e]", "/d.yaml: line 2: config_files in an included file"},
		"itself":                 {"a: 1\nconfig_files: [" + main + "]", "", "line 2: config_files names"},
		"list onto a scalar":     {"rules_files: a\nconfig_files: [/d.yaml]", "rules_files: [b]", `/d.yaml: line 1: a list "rules_files"`},
		"binary":                 {"\xff\xfe\x00", "", "not a text in UTF-8"},
		"large":                  {strings.Repeat("#", 1<<20+1), "", "larger than"},
		"dense":                  {"a: [" + strings.Repeat("{},", 30_000) + "]", "", "separators"},
		"deep":                   {strings.Repeat("[", 1000), "", "falco.yaml"},
		"unknown alias":          {"a: *b", "", "falco.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t, map[string]string{main: tc.main, "/d.yaml": tc.included})
			c, err := falcoconf.Read(main, falcoconf.Options{Version: falcoconf.Version{Minor: 43}, Root: root})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, %v; want an error with %q", c, err, tc.want)
			}
		})
	}
	root := tree(t, map[string]string{"/etc/falco/x": ""})
	if _, err := falcoconf.Read(main, falcoconf.Options{Root: root}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, main), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := falcoconf.Read(main, falcoconf.Options{Root: root}); err == nil {
		t.Error("a pipe was read")
	}
}

// TestAliasBomb: a small file that stands for a large one is bounded.
func TestAliasBomb(t *testing.T) {
	text := "a0: &a0 {x: y}\n"
	for i := range 8 {
		n := string(rune('0' + i))
		m := string(rune('1' + i))
		text += "a" + m + ": &a" + m + " [" + strings.TrimSuffix(strings.Repeat("*a"+n+", ", 10), ", ") + "]\n"
	}
	c := read(t, 40, map[string]string{main: text + "append_output: [*a8]\nconfig_files: [/etc/falco/config.d]\n"})
	if _, err := c.Plan(falcoconf.PlanOptions{Fields: falcoconf.Minimal}); err == nil || !strings.Contains(err.Error(), "too many parts") {
		t.Errorf("got %v", err)
	}
}

func TestWarnings(t *testing.T) {
	c := read(t, 43, map[string]string{
		main:       "json_output: true\njson_output: false\nconfig_files:\n  - {path: /d, strategy: appnd}\n  - {strategy: override}\n",
		"/d/x.bak": "json_output: false\n",
	})
	for _, want := range []string{`"json_output" stands in lines 1 and 2`, `no strategy "appnd"`, "line 5", "/d/x.bak: Falco reads every file"} {
		if !slices.ContainsFunc(c.Warnings, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("no warning with %q in %q", want, c.Warnings)
		}
	}
}

func TestContainerFields(t *testing.T) {
	for text, want := range map[string]bool{
		"load_plugins: [container]\n":                          true,
		"load_plugins: [json]\nplugins: [{name: container}]\n": false,
		"plugins: [{name: json}, {name: container}]\n":         true,
		"{}": false,
	} {
		if got := read(t, 43, map[string]string{main: text}).HasContainerFields(); got != want {
			t.Errorf("%q: got %t", text, got)
		}
		if !read(t, 40, map[string]string{main: text}).HasContainerFields() {
			t.Errorf("%q: Falco 0.40 has them in its core", text)
		}
	}
}
