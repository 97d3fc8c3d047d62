package rules_test

import (
	"flag"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/enrich/rules"
)

var update = flag.Bool("update", false, "write upstream_proofs.tsv anew")

// TestProofs: what follows for all events that match, and nothing that only may be.
func TestProofs(t *testing.T) {
	const macros = `
- macro: open_write
  condition: (evt.type in (open,openat,openat2) and evt.is_open_write=true and fd.typechar='f' and fd.num>=0)
- macro: loose
  condition: (evt.type in (open,openat) and evt.is_open_write=true)
- macro: circle
  condition: circle and open_write
- macro: grown
  condition: evt.type = openat
- macro: grown
  condition: and fd.num >= 0
  append: true
- macro: replaced
  condition: open_write
- macro: replaced
  condition: loose
  override: {condition: replace}
`
	done, write := rules.Proof{Succeeded: true}, rules.Proof{Writes: true}
	both := rules.Proof{Succeeded: true, Writes: true}
	for condition, want := range map[string]rules.Proof{
		`open_write and fd.name startswith "/etc (not)"`:                         both,
		"(open_write and fd.name=/x) or (evt.type in (execve) and proc.name=x)":  both,
		"(open_write and fd.name=/x) or (evt.type=openat and proc.name=x)":       {},
		"(open_write and fd.name=/x) or (evt.type in (some_calls) and fd.num=3)": {},
		"not open_write":                       {},
		"not (fd.name=/x) and open_write":      both,
		"loose":                                write,
		"grown":                                done,
		"replaced":                             write,
		"circle":                               both, // open_write stands beside it
		"evt.type=openat and evt.res=SUCCESS":  done,
		"evt.type=openat and evt.res!=SUCCESS": {},
		"evt.type=openat and evt.rawres >= 0":  done,
		"evt.type=openat and evt.is_open_read=true":                      {Reads: true},
		"evt.type=openat and tolower(fd.name)=x and open_write":          both,
		"evt.type=openat and proc.aname[2] in (a, \"b)\") and fd.num>=0": done,
		"open_write and fd.name = val(proc.name)":                        both,
		"open_write and (fd.name exists or proc.name in (shells))":       both,
		"open_write and (": {},
		"open_write )":     {},
		"and or not in":    {},
	} {
		rule := "- rule: R\n  desc: d\n  priority: NOTICE\n  output: o\n  condition: >\n    " + condition + "\n"
		set, err := rules.Load([]string{file(t, macros+rule)}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if r, ok := set.Rule("R"); !ok || r.Proofs["openat"] != want {
			t.Errorf("%s: %+v; want %+v", condition, r.Proofs["openat"], want)
		}
	}
}

// TestRequestProofs: what a condition proves of events that are no system calls.
func TestRequestProofs(t *testing.T) {
	for condition, want := range map[string]bool{
		`ct.name="ConsoleLogin" and json.value[/responseElements/ConsoleLogin]="Success"`:  true,
		`ct.name="ConsoleLogin" and json.value[/responseElements/ConsoleLogin]!="Success"`: false,
		`ct.name="DeleteTrail" and not ct.error exists`:                                    true,
		`ct.name in (DeleteTrail, StopLogging) and not ct.error exists`:                    true,
		`ct.name in (some_list) and not ct.error exists`:                                   false,
		`ct.name="ConsoleLogin" and not ct.error exists`:                                   false,
		`ct.user="root" and not ct.error exists`:                                           false,
		`ct.name="DeleteTrail" and ct.error exists`:                                        false,
		`ct.name="DeleteTrail" or not ct.error exists`:                                     false,
		`evt.type=openat and evt.res=SUCCESS`:                                              false,
	} {
		rule := "- rule: R\n  desc: d\n  priority: NOTICE\n  output: o\n  condition: >\n    " + condition + "\n"
		set, err := rules.Load([]string{file(t, rule)}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if r, ok := set.Rule("R"); !ok || r.Proofs[""].Succeeded != want {
			t.Errorf("%s: %+v; want %v", condition, r.Proofs[""], want)
		}
	}
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestUpstreamProofs holds what is embedded against Falco's own rule files; -update writes it.
func TestUpstreamProofs(t *testing.T) {
	set, err := rules.Load(upstream(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# rule\tcall\twhat the condition proves; made by TestUpstreamProofs from falcosecurity/rules\n")
	for name := range set.Names() {
		r, _ := set.Rule(name)
		for _, call := range slices.Sorted(maps.Keys(r.Proofs)) {
			p := r.Proofs[call]
			b.WriteString(name + "\t" + call + "\t:")
			if p.Succeeded {
				b.WriteString(" succeeded")
			}
			if p.Reads {
				b.WriteString(" reads")
			}
			if p.Writes {
				b.WriteString(" writes")
			}
			b.WriteByte('\n')
			if !*update && rules.UpstreamProof(name, call) != p {
				t.Errorf("%s, %s: embedded %+v; want %+v", name, call, rules.UpstreamProof(name, call), p)
			}
		}
	}
	if *update {
		if err := os.WriteFile("upstream_proofs.tsv", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile("upstream_proofs.tsv"); err != nil || string(got) != b.String() {
		t.Errorf("upstream_proofs.tsv is not up to date (%v): go generate", err)
	}
}
