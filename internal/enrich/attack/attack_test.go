package attack

import (
	"os"
	"strings"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/enrich/attack/facts"
)

// embedded loads what is in the program.
func embedded(t testing.TB) *Data {
	t.Helper()
	d, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEmbeddedCounts(t *testing.T) {
	d := embedded(t)
	count := map[string]int{}
	for _, x := range d.techniques {
		switch {
		case x.Version != d.Version():
			count["later"]++
		case x.Revoked:
			count["revoked"]++
		case x.Deprecated:
			count["deprecated"]++
		case x.ParentID != "":
			count["sub-techniques"]++
		default:
			count["techniques"]++
		}
	}
	// MITRE's own figures for v18.1, and what v19.1 added.
	want := map[string]int{"techniques": 216, "sub-techniques": 475, "revoked": 132, "deprecated": 12, "later": 23}
	for what, n := range want {
		if count[what] != n {
			t.Errorf("%d %s, want %d", count[what], what, n)
		}
	}
	if d.Version() != "18.1" || len(d.tactics) != 14 {
		t.Errorf("version %q with %d tactics, want 18.1 with 14", d.Version(), len(d.tactics))
	}
}

func TestTechnique(t *testing.T) {
	d := embedded(t)
	x, ok := d.Technique("T1059.004")
	if !ok || x.Name != "Unix Shell" || x.ParentID != "T1059" || x.ParentName != "Command and Scripting Interpreter" ||
		x.URL != "https://attack.mitre.org/techniques/T1059/004" || !x.Linux || x.Version != "18.1" {
		t.Errorf("T1059.004 is %+v", x)
	}
	if len(x.Tactics) != 1 || x.Tactics[0].ID != "TA0002" || len(x.DetectionStrategies) != 1 {
		t.Errorf("T1059.004 has tactics %v and detection strategies %v", x.Tactics, x.DetectionStrategies)
	}
	if len(x.Mitigations) == 0 || x.Mitigations[0].Name == "" || x.Mitigations[0].URL == "" {
		t.Errorf("T1059.004 has mitigations %v", x.Mitigations)
	}
	if x, _ := d.Technique("T1002"); !x.Revoked || x.ReplacedBy != "T1560" {
		t.Errorf("T1002 is %+v, want it revoked by T1560", x)
	}
	if x, _ := d.Technique("T1685"); x.Version != "19.1" || strings.Join(x.Replaces, " ") != "T1562 T1562.001 T1562.006" {
		t.Errorf("T1685 is %+v", x)
	} else if like, _ := d.Technique("T1562.001"); x.TextOf != like.ID || x.Description != like.Description || len(x.Mitigations) == 0 || len(x.DetectionStrategies) == 0 {
		t.Errorf("T1685 is %+v; want what T1562.001 has, %+v", x, like)
	} else if len(x.Tactics) != 1 || *x.Tactics[0] != (Tactic{ID: "TA0112", Shortname: "defense-impairment", Name: "Defense Impairment", URL: "https://attack.mitre.org/tactics/TA0112", Order: 7}) {
		t.Errorf("T1685 has tactics %+v; want those of v19.1", *x.Tactics[0])
	}
	if _, ok := d.Technique("T9999"); ok {
		t.Error("T9999 exists")
	}
	if x, ok := d.Tactic("TA0005"); !ok || x.Shortname != "defense-evasion" || x.Order != 7 || x.Description == "" {
		t.Errorf("TA0005 is %+v", x)
	}
	if _, ok := d.Tactic("TA9999"); ok {
		t.Error("TA9999 exists")
	}
}

func TestRevokedEndsLive(t *testing.T) {
	d := embedded(t)
	for id, x := range d.techniques {
		if !x.Revoked {
			continue
		}
		r := d.Resolve([]string{id})
		if len(r.Techniques) != 1 {
			t.Fatalf("%s resolves to %d techniques", id, len(r.Techniques))
		}
		if by := r.Techniques[0]; by.Revoked || by.Deprecated || by.ID != x.ReplacedBy || by.TaggedID != id {
			t.Errorf("%s resolves to %s (revoked %t, deprecated %t, tagged %q)", id, by.ID, by.Revoked, by.Deprecated, by.TaggedID)
		}
	}
}

func TestDescriptions(t *testing.T) {
	d := embedded(t)
	f, err := facts.Decode(embeddedFacts)
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]string) // id by text
	check := func(id, text string, required bool) {
		if text == "" {
			if required {
				t.Errorf("%s has no description", id)
			}
			return
		}
		if len(text) > 600 {
			t.Errorf("the description of %s has %d bytes, more than 600", id, len(text))
		}
		if other, ok := texts[text]; ok {
			t.Errorf("%s and %s have the same description", id, other)
		}
		texts[text] = id
	}
	for id, x := range d.tactics {
		check(id, x.Description, true)
	}
	for id, x := range d.techniques {
		live := !x.Revoked && !x.Deprecated && x.Version == d.Version()
		if x.TextOf == "" { // the other has it
			check(id, x.Description, live && (x.Linux || x.Containers))
		}
	}
	if len(f.FalcoTechniques) < 40 {
		t.Errorf("only %d techniques that Falco tags", len(f.FalcoTechniques))
	}
	for _, id := range f.FalcoTechniques {
		if x, _ := d.Technique(id); x.Description == "" {
			t.Errorf("Falco tags %s, which has no description", id)
		}
	}
}

func TestNotice(t *testing.T) {
	notice, err := os.ReadFile("../../../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	d := embedded(t)
	if !strings.Contains(d.Notice(), "The MITRE Corporation") || !strings.Contains(string(notice), "\n"+d.Notice()+"\n") {
		t.Errorf("NOTICE lacks the line %q", d.Notice())
	}
}

func TestNewErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil        func(f *facts.File)
		descriptions map[string]string
		want         string
	}{
		"sound":                  {},
		"described and unknown":  {descriptions: map[string]string{"T9999": "x"}, want: `"T9999"`},
		"technique twice":        {spoil: func(f *facts.File) { f.Techniques[1].ID = "T1001" }, want: "twice"},
		"unknown tactic":         {spoil: func(f *facts.File) { f.Techniques[0].Tactics[0] = "x" }, want: "unknown tactic"},
		"unknown mitigation":     {spoil: func(f *facts.File) { f.Techniques[0].Mitigations[0] = "x" }, want: "unknown mitigation"},
		"unknown parent":         {spoil: func(f *facts.File) { f.Techniques[0].Parent = "x" }, want: "unknown parent"},
		"replacement not live":   {spoil: func(f *facts.File) { f.Techniques[0].ReplacedBy = "T1002" }, want: "not live"},
		"replaced later unknown": {spoil: func(f *facts.File) { f.NextRevoked["T1001"] = "x" }, want: "unknown"},
		"replaced later, dead":   {spoil: func(f *facts.File) { f.NextRevoked["T1002"] = "T1685" }, want: "not live"},
		"renamed unknown":        {spoil: func(f *facts.File) { f.NextNames["x"] = "y" }, want: "unknown"},
		"tactic was unknown":     {spoil: func(f *facts.File) { f.NextTactics[0].Was = "x" }, want: "unknown"},
		"alias of unknown":       {spoil: func(f *facts.File) { f.Aliases["x"] = "T9999" }, want: "unknown"},
		"alias in capitals":      {spoil: func(f *facts.File) { f.Aliases["X"] = "T1001" }, want: "lower case"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := facts.Decode(embeddedFacts)
			if err != nil {
				t.Fatal(err)
			}
			if tc.spoil != nil {
				tc.spoil(f)
			}
			_, err = New(f, tc.descriptions)
			checkError(t, err, tc.want)
		})
	}
}

// checkError wants an error that contains a text, or none where the text is empty.
func checkError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("got error %v, want none", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("got error %v, want one with %q", err, want)
	}
}

func BenchmarkEmbedded(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		embedded(b)
	}
}
