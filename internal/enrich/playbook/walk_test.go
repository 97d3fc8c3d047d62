package playbook_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
)

// TestEveryRuleOfTheFacts: each core rule and each rule of the Kubernetes audit log has a
// playbook of its own, each other source one for the source, and none of them has an empty
// section, an empty phase or an open placeholder, whatever the alert has of values.
func TestEveryRuleOfTheFacts(t *testing.T) {
	l := embedded(t)
	core := 0
	for _, r := range readRules(t) {
		if strings.HasPrefix(r.Source, "dummy") || strings.Contains(r.File, "/test/") || strings.Contains(r.File, "example") {
			continue // rules of sample plugins and tests, which nobody loads
		}
		p := l.Find(playbook.Subject{Rule: r.Name, Source: r.Source})
		own := r.Repo == "falcosecurity/rules" || r.Source == "k8s_audit"
		if r.Repo == "falcosecurity/rules" {
			core++
		}
		if own && p.Rule != r.Name || !own && p.Source != r.Source {
			t.Errorf("%q of %s gets the playbook of rule %q, source %q", r.Name, r.Source, p.Rule, p.Source)
		}
		checkComplete(t, r.Name, p)
	}
	if core != 97 {
		t.Errorf("%d core rules were looked at; want 97", core)
	}
}

// checkComplete is about a playbook as an alert gets it.
func checkComplete(t *testing.T, name string, p *playbook.Playbook) {
	t.Helper()
	texts := slices.Concat([]string{p.Means}, p.NotShown, p.HarmlessIf, p.Impact)
	if p.Means == "" || len(p.NotShown) == 0 || len(p.HarmlessIf) == 0 || len(p.Impact) == 0 || slices.Contains(texts, "") {
		t.Errorf("%s: a section is empty: %+v", name, p)
	}
	var phases []string
	for _, a := range p.Actions {
		phases = append(phases, a.Phase)
		if a.Why == "" {
			t.Errorf("%s: %q has no why", name, a.Title)
		}
		for _, values := range []func(string) (string, bool){plain, sparse, none} {
			checkFilled(t, name, &a, a.Fill(values))
		}
		if a.Fill(plain) == "" && a.Language != "" {
			t.Errorf("%s: %q: the snippet is empty for an alert that has everything", name, a.Title)
		}
	}
	if p.Source != "internal" && !slices.Equal(slices.Compact(phases), playbook.Phases()) {
		t.Errorf("%s: phases %q; want each, in order", name, slices.Compact(phases))
	}
}

// sparse are the values of an alert as Falco prints them by default: a time, and little else.
func sparse(field string) (string, bool) {
	if field == playbook.TimeField || field == "proc.name" || field == "user.name" {
		return plain(field)
	}
	return "", false
}

// holes are the traces of a value that was not there, and of a template that was not filled.
var holes = regexp.MustCompile(`\{\{|@(time|rfc3339|same)\b|<(no value|nil|NA)>|%!?[a-z]*\((MISSING|BADINDEX)|%!|\bnull\b|\bundefined\b|=(''|"")(\s|$)|(^|[^>&0-9 ])/proc//|[-a-z]=\s*$|[^\s#|]  +[^\s#\\]`)

// checkFilled is about an action as a reader gets it.
func checkFilled(t *testing.T, name string, a *playbook.Action, snippet string) {
	t.Helper()
	rightful := strings.NewReplacer("/dev/null", "/dev/nil", "== null", "")
	if strings.TrimSpace(a.Title) == "" || holes.MatchString(rightful.Replace(a.Title+"\n"+a.Why)) {
		t.Errorf("%s: a hole in %q: %q", name, a.Title, a.Why)
	}
	if snippet != "" && strings.TrimSpace(snippet) == "" {
		t.Errorf("%s: %q: a snippet without a word", name, a.Title)
	}
	for line := range strings.Lines(snippet) {
		line = rightful.Replace(strings.TrimSpace(line))
		if hole := holes.FindString(line); hole != "" || capitals.MatchString(line) && !strings.Contains(line, "<<") {
			t.Errorf("%s: %q: a hole %q in %s", name, a.Title, hole, line)
		}
	}
}

// capitals is what a reader would have to fill in, such as <POD>.
var capitals = regexp.MustCompile(`<[A-Za-z][A-Za-z _-]*>`)

// TestEveryTechniqueOfTheFacts: each technique that a published rule tags, its parents, and
// each tactic has a playbook. A process anywhere has an action in each phase that it speaks of,
// and an event of a plugin gets no command for a process.
func TestEveryTechniqueOfTheFacts(t *testing.T) {
	var facts struct {
		Techniques, ParentsNotTagged []struct{ ID string }
	}
	var attack struct {
		Tactics []struct{ ID string }
	}
	if !readFacts(t, "falco-techniques.json", &facts) || !readFacts(t, "attack-enterprise-18.1.json", &attack) {
		t.Skip("the facts are not in ", shared)
	}
	if len(facts.Techniques) != 51 || len(attack.Tactics) != 14 {
		t.Fatalf("%d techniques, %d tactics", len(facts.Techniques), len(attack.Tactics))
	}
	all := maps.Collect(embedded(t).All())
	var keys []string
	for _, f := range facts.Techniques {
		parent, _, _ := strings.Cut(f.ID, ".")
		keys = append(keys, "technique:"+f.ID, "technique:"+parent)
	}
	for _, f := range attack.Tactics {
		keys = append(keys, "tactic:"+f.ID)
	}
	for _, key := range keys {
		p := all[key]
		if p == nil {
			t.Errorf("there is none for %s", key)
			continue
		}
		fits := make(map[string]bool)
		for _, a := range p.Actions {
			fits[a.Phase] = fits[a.Phase] || a.When == "" || a.When == playbook.WhenProcess
		}
		for phase, any := range fits {
			if !any {
				t.Errorf("%s: nothing to %s for processes of every kind", key, phase)
			}
		}
		for _, a := range embedded(t).Find(subject(p, "okta")).Actions {
			if a.Language != "" && (a.When == "" || a.When == playbook.WhenProcess) && !slices.ContainsFunc(all["source:okta"].Actions, func(b playbook.Action) bool { return a == b }) {
				t.Errorf("%s: %q is for processes, and okta has none", key, a.Title)
			}
		}
		if !fits["verify"] || len(p.NotShown) == 0 || !strings.HasPrefix(p.Means, "The rule's author ") {
			t.Errorf("%s: %+v", key, p)
		}
	}
}

// subject is an alert of the source with the tags of the playbook.
func subject(p *playbook.Playbook, source string) playbook.Subject {
	return playbook.Subject{Techniques: []string{p.Technique}, Tactics: []string{p.Tactic}, Source: source}
}
