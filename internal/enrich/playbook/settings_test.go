package playbook_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func testdata(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestINI holds every configuration snippet against the settings that its tool has.
func TestINI(t *testing.T) {
	dispatch(t, "ini", []check{
		{`in /etc/sysctl\.d/$`, func(t *testing.T, f form) {
			for _, s := range settings(t, f, "=") {
				checkSysctl(t, f, s)
			}
		}},
		{`^systemd .*\.conf$`, checkUnit},
		{`^OpenSSH .*sshd_config`, func(t *testing.T, f form) { checkKnown(t, f, settings(t, f, " "), "sshd_config.txt", "OpenSSH") }},
		{`^npm .*\.npmrc`, func(t *testing.T, f form) { checkKnown(t, f, settings(t, f, "="), "npmrc.txt", "npm") }},
		{`^PHP .*php\.ini`, func(t *testing.T, f form) { checkKnown(t, f, settings(t, f, "="), "php_ini.txt", "PHP") }},
	})
}

// settings are the names of the settings of a snippet.
func settings(t *testing.T, f form, separator string) []string {
	t.Helper()
	var names []string
	for line := range strings.Lines(f.text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '[' {
			continue
		}
		name, value, ok := strings.Cut(line, separator)
		if !ok || strings.TrimSpace(value) == "" {
			t.Errorf("%s: %q is no setting", f.name, line)
		}
		names = append(names, strings.TrimSpace(name))
	}
	if len(names) == 0 {
		t.Errorf("%s: the snippet sets nothing", f.name)
	}
	return names
}

// checkKnown holds names against a list, and the version that Tool claims against the one
// that brought them.
func checkKnown(t *testing.T, f form, names []string, list, product string) {
	t.Helper()
	known := words(t, list)
	for _, name := range names {
		since, ok := known[name]
		if !ok {
			t.Errorf("%s: %q is not in testdata/%s", f.name, name, list)
		} else if since != "" && !atLeast(f.action.Tool, product, since) {
			t.Errorf("%s: %s is there since %s %s, and the tool is %q", f.name, name, product, since, f.action.Tool)
		}
	}
}

func checkSysctl(t *testing.T, f form, name string) {
	t.Helper()
	checkKnown(t, f, []string{name}, "sysctls.txt", "Linux")
}

// checkUnit takes a drop-in for a service.
func checkUnit(t *testing.T, f form) {
	t.Helper()
	if !strings.HasPrefix(f.text, "[Service]\n") || !regexp.MustCompile(`in /etc/systemd/system/[a-z-]+\.service\.d/[a-z-]+\.conf$`).MatchString(f.action.Tool) {
		t.Errorf("%s: %q with\n%s\nis no drop-in for a service", f.name, f.action.Tool, f.text)
	}
	checkKnown(t, f, settings(t, f, "="), "systemd.txt", "systemd")
}

// TestJSON holds every JSON snippet against what its tool reads.
func TestJSON(t *testing.T) {
	dispatch(t, "json", []check{
		{`^AWS Organizations`, func(t *testing.T, f form) {
			var p awsPolicy
			strictJSON(t, f, &p)
			if p.Version != "2012-10-17" || len(p.Statement) == 0 {
				t.Errorf("%s: %+v", f.name, p)
			}
		}},
		{`daemon\.json`, func(t *testing.T, f form) { strictJSON(t, f, &dockerDaemon{}) }},
	})
}

// awsPolicy is a service control policy.
type awsPolicy struct {
	Version   string
	Statement []struct {
		Sid, Effect, Resource string
		Action                []string
	}
}

// dockerDaemon is dockerd's daemon.json, as far as it is used here.
type dockerDaemon struct {
	NoNewPrivileges bool `json:"no-new-privileges"`
	ICC             bool `json:"icc"`
}

// strictJSON reads JSON into a type; members that the type lacks are errors.
func strictJSON(t *testing.T, f form, to any) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(f.text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		t.Errorf("%s: %v\n%s", f.name, err, f.text)
	}
}
