package attack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// spell writes a resolution in short: ids, id<tagged id, and ?tag for what is unresolved.
func spell(r Resolution) string {
	var parts []string
	for _, t := range r.Tactics {
		parts = append(parts, t.ID)
	}
	for _, t := range r.Techniques {
		s := t.ID
		if t.TaggedID != "" {
			s += "<" + t.TaggedID
		}
		parts = append(parts, s)
	}
	for _, tag := range r.Unresolved {
		parts = append(parts, "?"+tag)
	}
	return strings.Join(parts, " ")
}

func TestResolve(t *testing.T) {
	d := embedded(t)
	for _, tc := range []struct{ tags, want string }{
		// Ids.
		{"T1059", "T1059"},
		{"t1059.004", "T1059.004"},
		{"T1083-file-and-directory-discovery", "T1083"},
		{"T1567-exfiltration-to-Cloud-Storage", "T1567"},
		{"T1498-DOS", "T1498"},
		{"T1059.004-", "T1059.004"},
		{"TA0005", "TA0005"},
		{"ta0005-Defense-Evasion", "TA0005"},
		// Names.
		{"mitre_command_and_control", "TA0011"},
		{"MITRE_Privilege_Escalation", "TA0004"},
		{"mitre_data_destruction", "T1485"},
		{"mitre_port_knocking", "T1205.001"},
		{"mitre_rootkit", "T1014"},
		{"mitre_process_doppelganging", "T1055.013"},
		{"mitre_exploit_public-facing_application", "T1190"},
		{"abuse-elevation-control-mechanism", "T1548"},
		{"Data-Destruction", "T1485"},
		// Spellings of Falco's rules.
		{"mitre_defense_evation", "TA0005"},
		{"MITRE_remote_service", "T1021"},
		// Revoked, also through two steps and by a name that only the revoked one had.
		{"T1002", "T1560<T1002"},
		{"T1073", "T1574.001<T1073"},
		{"T1150", "T1647<T1150"},
		{"mitre_data_compressed", "T1560"},
		{"T1064", "T1064"}, // deprecated: nothing took its place
		// Of v19: in place of one technique, of several, of none; renamed; tactics.
		{"T1685.004", "T1562.012<T1685.004"},
		{"mitre_modify_or_spoof_tool_ui", "T1562.011"},
		{"T1685", "T1685"},
		{"mitre_disable_or_modify_tools", "T1562.001"},
		{"T1687", "T1687"},
		{"mitre_exploitation_for_stealth", "T1211"},
		{"mitre_stealth", "TA0005"},
		{"mitre_defense_impairment", "TA0005"},
		{"TA0112-defense-impairment", "TA0005"},
		// Looks like ATT&CK's and is not known.
		{"T9999 T1059.999 TA9999 T10590", "?T1059.999 ?T10590 ?T9999 ?TA9999"},
		{"T1059.004.001 T1059. T1059x", "?T1059. ?T1059.004.001 ?T1059x"},
		{"mitre_ mitre_nonsense", "?mitre_ ?mitre_nonsense"},
		{"mitre_local_account", "?mitre_local_account"}, // two live techniques have this name
		{"T9999 T9999", "?T9999"},
		// Not ATT&CK's.
		{"container host maturity_stable PCI_DSS_10.2.5 NIST_800-53_AC-2 cis", ""},
		{"impact data-exfiltration discovery initial-access defense-evasion", ""},
		{"python javascript proxy server local-account", ""},
		{"t3.large TA505 T TA T- mitre data_destruction -", ""},
		{"", ""},
		// Together.
		{"T1059 TA0040 T1059 mitre_execution mitre_impact TA0002", "TA0002 TA0040 T1059"},
		{"mitre_exfiltration mitre_command_and_control", "TA0011 TA0010"}, // ATT&CK's order
		{"T1560 T1002", "T1560"},
		{"T1022 T1002", "T1560<T1002"},
		{"T1685.004 T1562.012", "T1562.012"},
	} {
		t.Run(tc.tags, func(t *testing.T) {
			tags := strings.Split(tc.tags, " ")
			if got := spell(d.Resolve(tags)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			slices.Reverse(tags)
			if got := spell(d.Resolve(tags)); got != tc.want {
				t.Errorf("in another order: got %q, want %q", got, tc.want)
			}
		})
	}
}

// TestResolveEveryName holds every live technique against its own name and id.
func TestResolveEveryName(t *testing.T) {
	d := embedded(t)
	byName := make(map[string][]string)
	for id, x := range d.techniques {
		if !x.Revoked && !x.Deprecated && x.Version == d.Version() {
			byName[slug(x.Name)] = append(byName[slug(x.Name)], id)
		}
	}
	for name, ids := range byName {
		tag := "mitre_" + strings.ReplaceAll(name, "-", "_")
		want := ids[0]
		if len(ids) > 1 {
			want = "?" + tag
		}
		if got := spell(d.Resolve([]string{tag})); got != want {
			t.Errorf("%s resolves to %q, want %q", tag, got, want)
		}
		if len(ids) > 1 || !strings.Contains(name, "-") {
			want = ""
		}
		if got := spell(d.Resolve([]string{name})); got != want {
			t.Errorf("%s resolves to %q, want %q", name, got, want)
		}
	}
}

func TestResolveFalcoTags(t *testing.T) {
	data, err := os.ReadFile("../../../../shared/facts/falco-tags.json")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the gathered facts about Falco's tags are not beside this repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tags []struct {
			Tag, Kind, Technique string
			TacticID             string `json:"tactic_id"`
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	d := embedded(t)
	count := map[string]int{}
	for _, x := range file.Tags {
		count[x.Kind]++
		want := ""
		switch x.Kind {
		case "mitre_tactic":
			want = x.TacticID
		case "mitre_technique":
			want = x.Technique
		}
		if got := spell(d.Resolve([]string{x.Tag})); got != want {
			t.Errorf("%s (%s) resolves to %q, want %q", x.Tag, x.Kind, got, want)
		}
	}
	if count["mitre_tactic"] == 0 || count["mitre_technique"] == 0 || count["other"] == 0 {
		t.Errorf("the facts have tags of these kinds: %v", count)
	}
}

func TestCacheIsBounded(t *testing.T) {
	d := embedded(t)
	for i := range 3 * maxSets {
		d.Resolve([]string{"T1059", fmt.Sprint(i)})
		if n := len(d.cache.sets); n > maxSets {
			t.Fatalf("%d sets in the cache, want at most %d", n, maxSets)
		}
	}
	before := len(d.cache.sets)
	long := []string{"T1059", strings.Repeat("x", maxKeyBytes)}
	if got := spell(d.Resolve(long)); got != "T1059" {
		t.Errorf("beside a long tag, T1059 resolves to %q", got)
	}
	if len(d.cache.sets) != before {
		t.Error("a set of tags longer than a key was cached")
	}
}

func TestCacheTellsSetsApart(t *testing.T) {
	d := embedded(t)
	for _, tc := range []struct {
		tags []string
		want string
	}{
		{[]string{"T1059", "T1083"}, "T1059 T1083"},
		{[]string{"T1059\x05T1083"}, "?T1059\x05T1083"},
		{[]string{"T1059", ""}, "T1059"},
		{[]string{"T1059"}, "T1059"},
	} {
		if got := spell(d.Resolve(tc.tags)); got != tc.want {
			t.Errorf("%q resolves to %q, want %q", tc.tags, got, tc.want)
		}
	}
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{
		"T1059.004 mitre_execution", "T1685 T1685.004", "ta0112- MITRE_STEALTH", "T1059. mitre_", "\xff T1\u0661\u0662\u0663",
		"abuse-elevation-control-mechanism", "T1002 T1022 T1560", "mitre_\u212aeychain T1059\x00",
	} {
		f.Add(s)
	}
	d := embedded(f)
	f.Fuzz(func(t *testing.T, s string) {
		tags := strings.Split(s, " ")
		r := d.Resolve(tags)
		order := 0
		for _, x := range r.Tactics {
			if _, ok := d.Tactic(x.ID); !ok || x.Order <= order {
				t.Errorf("tactic %s is unknown or out of order", x.ID)
			}
			order = x.Order
		}
		last := ""
		for _, x := range r.Techniques {
			if known, ok := d.Technique(x.ID); !ok || known.Revoked || x.ID <= last {
				t.Errorf("technique %s is unknown, revoked or out of order", x.ID)
			}
			if _, ok := d.Technique(x.TaggedID); x.TaggedID != "" && !ok {
				t.Errorf("the tagged id %q is unknown", x.TaggedID)
			}
			last = x.ID
		}
		for _, tag := range r.Unresolved {
			if !slices.Contains(tags, tag) || spell(d.Resolve([]string{tag})) != "?"+tag {
				t.Errorf("%q is no tag, or not unresolved alone", tag)
			}
		}
		slices.Reverse(tags)
		if diff := cmp.Diff(spell(r), spell(d.compute(tags).resolution)); diff != "" {
			t.Errorf("another order gives another result: %s", diff)
		}
	})
}

// falcoTags are the tags of a stock rule, as they come in an alert.
var falcoTags = []string{
	"NIST_800-53_AC-2", "T1059", "container", "host", "maturity_stable", "mitre_execution", "shell", "users",
}

func BenchmarkResolve(b *testing.B) {
	d := embedded(b)
	b.ReportAllocs()
	for b.Loop() {
		d.Resolve(falcoTags)
	}
}

func BenchmarkResolveParallel(b *testing.B) {
	d := embedded(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			d.Resolve(falcoTags)
		}
	})
}

func BenchmarkResolveUncached(b *testing.B) {
	d := embedded(b)
	b.ReportAllocs()
	for b.Loop() {
		d.compute(falcoTags)
	}
}
