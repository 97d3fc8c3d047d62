package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/enrich/attack"
	"github.com/falco-reporter/falco-reporter/internal/enrich/attack/facts"
)

// addTags adds the techniques that tags name, and an alias for each tag that the general rules
// of package attack do not resolve. A tag that they resolve to anything else than what the
// facts say is an error.
func addTags(f *facts.File, tags []tag) error {
	rules, err := attack.New(f, nil)
	if err != nil {
		return err
	}
	for _, t := range tags {
		want := t.TacticID + t.Technique // a tag has one of them, or neither
		got := resolve(rules, t.Tag)
		if tech, ok := rules.Technique(t.Technique); ok && tech.Revoked {
			want = tech.ReplacedBy
		}
		switch got {
		case want:
		case "":
			f.Aliases[strings.ToLower(t.Tag)] = want
		default:
			return fmt.Errorf("tag %q (%s) resolves to %q, but the facts say %q", t.Tag, t.Kind, got, want)
		}
		if t.Technique != "" {
			f.FalcoTechniques = append(f.FalcoTechniques, want)
		}
	}
	slices.Sort(f.FalcoTechniques)
	f.FalcoTechniques = slices.Compact(f.FalcoTechniques)
	return nil
}

// resolve returns the id that a tag alone resolves to, empty for none.
func resolve(rules *attack.Data, tag string) string {
	r := rules.Resolve([]string{tag})
	switch {
	case len(r.Tactics) > 0:
		return r.Tactics[0].ID
	case len(r.Techniques) > 0:
		return r.Techniques[0].ID
	default:
		return ""
	}
}
