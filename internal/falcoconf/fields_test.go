package falcoconf_test

import (
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/falcoconf"
)

// TestSetsAreFields: what setup adds, Falco has, in every version that can be given it.
func TestSetsAreFields(t *testing.T) {
	list, err := falcoconf.Fields()
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range []falcoconf.FieldSet{falcoconf.Minimal, falcoconf.Full} {
		seen := make(map[string]bool)
		for _, text := range set.List() {
			for minor := 39; minor <= 45; minor++ {
				if _, err := list.Find(text, falcoconf.Version{Minor: minor}); err != nil {
					t.Errorf("%s: %v", set, err)
				}
			}
			if seen[text] {
				t.Errorf("%s has %s twice, which keeps Falco from starting", set, text)
			}
			seen[text] = true
		}
		for _, text := range falcoconf.Minimal.List() {
			if !seen[text] {
				t.Errorf("%s lacks %s", set, text)
			}
		}
	}
}

func TestFindRefuses(t *testing.T) {
	list, err := falcoconf.Fields()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "proc.nonsense", "proc.pid[2]", "proc.aname[x]", "proc.aname[2", "proc.aname[2]]", "proc.aname[99999]", "evt.latency", "proc.env[]"} {
		if f, err := list.Find(text, falcoconf.Version{Minor: 43}); err == nil {
			t.Errorf("%q is found: %v", text, f)
		}
	}
	if _, err := list.Find("proc.aargs[2]", falcoconf.Version{Minor: 40}); err == nil {
		t.Error("proc.aargs is there from 0.41 on")
	}
}

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]string{
		"0.43": "0.43", "0.43.1": "0.43", "v0.44.0-rc1": "0.44", "0.43.0+abc": "0.43", "1.0": "1.0",
		"": "", "43": "", "0.x": "", "0.43\x1b[m": "", "99999.1": "", ".": "", "0.": "",
	} {
		v, err := falcoconf.ParseVersion(text)
		if (err == nil) != (want != "") || err == nil && v.String() != want {
			t.Errorf("%q: got %v, %v; want %q", text, v, err, want)
		}
	}
}

func TestShow(t *testing.T) {
	for in, want := range map[string]string{"/etc/falco": "/etc/falco", "a\x1b[31m\nb": `a\x1b[31m\nb`, "\xff": `\xff`} {
		if got := falcoconf.Show(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"https://chat.example/services/T0/B0": "https://chat.example", "http://h:1/x?y=z": "http://h:1", "x": "an address that is no URL",
	} {
		if got := falcoconf.ShowURL(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
