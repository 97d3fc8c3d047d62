package attack

import (
	"maps"
	"slices"
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/enrich/attack/facts"
)

// source is what Data is made of.
type source struct {
	file         *facts.File
	descriptions map[string]string // by id
	// gone maps the short name of each tactic that the file's version does not have any more
	// to the short names of what it became.
	gone map[string][]string
	// known is the embedded facts, nil where file is them.
	known *facts.File
	// former maps ids to the names that techniques had in an earlier version.
	former map[string]string
}

// learn adds to the facts of a bundle what the embedded ones know of other versions, as far as
// it fits the bundle.
func (s *source) learn(known *facts.File) {
	s.known = known
	shortnames := make(map[string]string, len(s.file.Tactics)) // ids by them
	for _, t := range s.file.Tactics {
		shortnames[t.Shortname] = t.ID
	}
	techniques := make(map[string]*facts.Technique, len(s.file.Techniques))
	for i := range s.file.Techniques {
		techniques[s.file.Techniques[i].ID] = &s.file.Techniques[i]
	}
	s.learnFormer(known, shortnames, techniques)
	if s.file.Version != known.NextVersion {
		s.learnNext(known, shortnames, techniques)
	}
	s.learnAliases(known, shortnames, techniques)
}

// learnFormer adds what the tactics and techniques of the bundle were called in the embedded
// version.
func (s *source) learnFormer(known *facts.File, shortnames map[string]string, techniques map[string]*facts.Technique) {
	s.gone, s.former = make(map[string][]string), make(map[string]string)
	for _, t := range known.Tactics {
		if _, ok := shortnames[t.Shortname]; ok {
			continue
		}
		for _, next := range known.NextTactics {
			if _, ok := shortnames[next.Shortname]; ok && next.Was == t.ID {
				s.gone[t.Shortname] = append(s.gone[t.Shortname], next.Shortname)
			}
		}
	}
	for _, t := range known.Techniques {
		if here, ok := techniques[t.ID]; ok && here.Name != t.Name {
			s.former[t.ID] = t.Name
		}
	}
}

// learnNext adds the ids and names of the later version where the bundle is of an earlier one:
// where it has the tactics that the later version renamed.
func (s *source) learnNext(known *facts.File, shortnames map[string]string, techniques map[string]*facts.Technique) {
	s.file.NextVersion = known.NextVersion
	s.file.NextRevoked, s.file.NextNames = make(map[string]string), make(map[string]string)
	was := make(map[string]string) // short names by id
	for _, t := range known.Tactics {
		was[t.ID] = t.Shortname
	}
	tactics := maps.Clone(shortnames)
	for _, t := range known.NextTactics {
		_, ok := shortnames[t.Shortname]
		if !ok && shortnames[was[t.Was]] == t.Was {
			s.file.NextTactics = append(s.file.NextTactics, t)
			tactics[t.Shortname] = t.ID
		}
	}
	if len(s.file.NextTactics) == 0 {
		return
	}
	next := make(map[string]bool)
	for _, t := range known.NextTechniques { // in order of id: a parent before its sub-techniques
		_, has := techniques[t.ID]
		unknown := func(shortname string) bool { _, ok := tactics[shortname]; return !ok }
		orphan := t.Parent != "" && techniques[t.Parent] == nil && !next[t.Parent]
		if !has && !orphan && !slices.ContainsFunc(t.Tactics, unknown) {
			t.Mitigations = nil // the bundle may not have them
			s.file.NextTechniques = append(s.file.NextTechniques, t)
			next[t.ID] = true
		}
	}
	for old, id := range known.NextRevoked {
		if t := techniques[old]; t != nil && live(t) && next[id] {
			s.file.NextRevoked[old] = id
		}
	}
	for id, name := range known.NextNames {
		if t := techniques[id]; t != nil && t.Name != name {
			s.file.NextNames[id] = name
		}
	}
}

// live is whether a technique is neither revoked nor deprecated.
func live(t *facts.Technique) bool { return t.ReplacedBy == "" && !t.Deprecated }

// learnAliases adds the irregular tags whose meaning the bundle has. A tactic that the bundle
// does not have any more is meant by its short name.
func (s *source) learnAliases(known *facts.File, shortnames map[string]string, techniques map[string]*facts.Technique) {
	s.file.Aliases = make(map[string]string, len(known.Aliases))
	tactics := make(map[string]string) // short names by id, in the embedded version
	for _, t := range known.Tactics {
		tactics[t.ID] = t.Shortname
	}
	for tag, id := range known.Aliases {
		shortname, isTactic := tactics[id]
		switch {
		case isTactic && shortnames[shortname] == id, !isTactic && techniques[id] != nil:
			s.file.Aliases[tag] = id
		case isTactic && len(s.gone[shortname]) > 0:
			s.file.Aliases[tag] = strings.ToLower(shortname)
		default:
		}
	}
}
