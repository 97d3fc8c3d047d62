package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/enrich/attack/facts"
)

// file makes the file of facts, without what is about tags.
func (s *sources) file() (*facts.File, error) {
	f := &facts.File{
		Version: s.current.Version, Released: s.current.Released,
		Source: s.current.Source, Notice: s.current.Notice,
		NextVersion: s.next.Version, NextSource: s.next.Source,
		NextRevokedSource: s.next.RevokedSource,
		TagSources: map[string]string{
			"falcosecurity/rules":   s.tags.Sources.Rules,
			"falcosecurity/plugins": s.tags.Sources.Plugins,
		},
		NextRevoked: s.next.Revoked, NextNames: map[string]string{},
		Aliases: map[string]string{},
	}
	for _, t := range s.current.Tactics {
		f.Tactics = append(f.Tactics, facts.Tactic(t))
	}
	for _, m := range s.current.Mitigation {
		f.Mitigations = append(f.Mitigations, facts.Mitigation(m))
	}
	if err := s.addTechniques(f); err != nil {
		return nil, err
	}
	s.addNextTechniques(f)
	if err := s.addNextTactics(f); err != nil {
		return nil, err
	}
	return f, s.checkCounts(f)
}

// addTechniques adds the techniques of the current version.
func (s *sources) addTechniques(f *facts.File) error {
	byID := s.byID()
	for _, t := range s.current.Techniques {
		out := convert(t)
		if t.Revoked {
			final, err := follow(byID, t)
			if err != nil {
				return err
			}
			out.ReplacedBy = final
		}
		f.Techniques = append(f.Techniques, out)
	}
	slices.SortFunc(f.Techniques, compareTechniques)
	return nil
}

// byID is the techniques of the current version by id.
func (s *sources) byID() map[string]technique {
	m := make(map[string]technique, len(s.current.Techniques))
	for _, t := range s.current.Techniques {
		m[t.ID] = t
	}
	return m
}

// follow goes along the replacements of a revoked technique to the live one at the end.
func follow(byID map[string]technique, t technique) (string, error) {
	at := t
	for range len(byID) {
		next, ok := byID[at.RevokedBy]
		if !ok {
			return "", fmt.Errorf("technique %s: %s is revoked by %q, which is unknown", t.ID, at.ID, at.RevokedBy)
		}
		if at = next; at.Revoked {
			continue
		}
		if at.Deprecated || at.ID != t.FinalReplacement {
			return "", fmt.Errorf("technique %s ends at %s, not live or not its final replacement %q", t.ID, at.ID, t.FinalReplacement)
		}
		return at.ID, nil
	}
	return "", fmt.Errorf("technique %s: the replacements go in a circle", t.ID)
}

// convert takes over the facts of a technique, except for its replacement.
func convert(t technique) facts.Technique {
	out := facts.Technique{
		ID: t.ID, Name: t.Name, Parent: t.Parent, Tactics: t.Tactics, URL: t.URL,
		Linux:      slices.Contains(t.Platforms, "Linux"),
		Containers: slices.Contains(t.Platforms, "Containers"),
		Deprecated: t.Deprecated,
	}
	for _, m := range t.Mitigations {
		out.Mitigations = append(out.Mitigations, m.ID)
	}
	for _, d := range t.Detection {
		out.Detection = append(out.Detection, facts.DetectionStrategy{ID: d.ID, Name: d.Name})
	}
	return out
}

// compareTechniques orders by id.
func compareTechniques(a, b facts.Technique) int { return strings.Compare(a.ID, b.ID) }

// addNextTechniques adds the ids and names that only the next version has.
func (s *sources) addNextTechniques(f *facts.File) {
	byID := s.byID()
	for _, t := range s.next.Techniques {
		switch old, ok := byID[t.ID]; {
		case !ok:
			f.NextTechniques = append(f.NextTechniques, convert(t))
		case old.Name != t.Name:
			f.NextNames[t.ID] = t.Name
		default:
		}
	}
	slices.SortFunc(f.NextTechniques, compareTechniques)
}

// addNextTactics adds the tactics whose shortname only the next version has. Each must come
// out of one tactic that is no more: the one that its techniques, or those that they replaced,
// belonged to.
func (s *sources) addNextTactics(f *facts.File) error {
	kept := make(map[string]bool)
	for _, t := range s.next.Tactics {
		kept[t.Shortname] = true
	}
	gone := make(map[string]string) // id by shortname
	for _, t := range s.current.Tactics {
		if !kept[t.Shortname] {
			gone[t.Shortname] = t.ID
		}
		delete(kept, t.Shortname)
	}
	for _, t := range s.next.Tactics {
		if !kept[t.Shortname] {
			continue
		}
		was := s.formerTactics(t.Shortname, gone)
		if len(was) != 1 {
			return fmt.Errorf("tactic %s of v%s comes out of %v, want one", t.ID, s.next.Version, was)
		}
		f.NextTactics = append(f.NextTactics, facts.NextTactic{ID: t.ID, Shortname: t.Shortname, Name: t.Name, Was: was[0]})
	}
	return nil
}

// formerTactics are the ids of those tactics that are gone which the techniques of one of the
// next version's tactics had before.
func (s *sources) formerTactics(shortname string, gone map[string]string) []string {
	replaced := make(map[string][]string)
	for old, id := range s.next.Revoked {
		replaced[id] = append(replaced[id], old)
	}
	byID := s.byID()
	var was []string
	for _, t := range s.next.Techniques {
		if !slices.Contains(t.Tactics, shortname) {
			continue
		}
		for _, id := range append(replaced[t.ID], t.ID) {
			for _, before := range byID[id].Tactics {
				if old, ok := gone[before]; ok && !slices.Contains(was, old) {
					was = append(was, old)
				}
			}
		}
	}
	return was
}

// checkCounts holds the result against the numbers that the sources state.
func (s *sources) checkCounts(f *facts.File) error {
	isNew := 0
	for _, t := range s.next.Techniques {
		if t.New {
			isNew++
		}
	}
	for what, n := range map[string][2]int{
		"tactics":        {len(f.Tactics), s.current.Counts["tactics"]},
		"mitigations":    {len(f.Mitigations), s.current.Counts["mitigations"]},
		"techniques":     {len(f.Techniques), s.current.Counts["total_objects"]},
		"new techniques": {len(f.NextTechniques), isNew},
	} {
		if n[0] != n[1] {
			return fmt.Errorf("%d %s, but the facts state %d", n[0], what, n[1])
		}
	}
	return nil
}
