package attack

import (
	"slices"
	"strings"
)

// Found is what a query names: at least one tactic or technique. It is shared: nothing in it
// may be changed.
type Found struct {
	// Tactics are in ATT&CK's order. There are several where the tactic that was asked for
	// became several in the version of the data.
	Tactics []Tactic
	// Techniques are in order of id. There are several where they share the name. TaggedID
	// is set where the query is another id; [Data.Technique] has what stands under that.
	Techniques []ResolvedTechnique
}

// Lookup finds what a person asks for, in any case and with spaces around it:
//
//   - the id of a tactic or technique, also a revoked one: TA0005, T1059.004;
//   - a tag, in every spelling that [Data.Resolve] reads: mitre_defense_evasion,
//     T1083-file-and-directory-discovery;
//   - the name of a tactic or technique, also of one word, and with anything but letters and
//     digits in place of the spaces: Defense Evasion, rootkit, exploit public facing application;
//   - the name of a sub-technique after that of its parent and a colon, as MITRE writes it:
//     Create Account: Local Account.
//
// Unlike in a tag, a name that several share finds them all: live techniques, or if there are
// none, those that took the place of the ones that had the name. Queries of more than
// maxNameBytes find nothing. It may be called concurrently.
func (d *Data) Lookup(query string) (Found, bool) {
	query = strings.TrimSpace(query)
	if len(query) > maxNameBytes {
		return Found{}, false
	}
	if m, _ := d.tags.read(query); m.technique != nil {
		return found(m.tactics, []*target{m.technique})
	} else if m.known() {
		return found(m.tactics, nil)
	}
	if name, ok := cutMitrePrefix(query); ok {
		query = name
	}
	s := slug(query)
	if s == "" {
		return Found{}, false
	}
	tactics, techniques := d.tags.tacticNames[s], d.tags.techniqueNames[s]
	if len(techniques) == 0 {
		techniques = d.subTechniques(query)
	}
	return found(tactics, techniques)
}

// subTechniques finds those that a query names after their parent and a colon.
func (d *Data) subTechniques(query string) []*target {
	parent, name, ok := strings.Cut(query, ":")
	if !ok {
		return nil
	}
	parent = slug(parent)
	var found []*target
	for _, t := range d.tags.techniqueNames[slug(name)] {
		if parent != "" && slug(t.technique.ParentName) == parent {
			found = append(found, t)
		}
	}
	return found
}

// found makes the exported form. It is false if there is nothing.
func found(tactics []*Tactic, techniques []*target) (Found, bool) {
	tactics = slices.SortedFunc(slices.Values(tactics), func(a, b *Tactic) int { return a.Order - b.Order })
	r := resolution(tactics, techniques, nil)
	return Found{Tactics: r.Tactics, Techniques: r.Techniques}, len(tactics)+len(techniques) > 0
}
