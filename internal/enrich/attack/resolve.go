package attack

import (
	"slices"
	"strings"

	falcoreporterv1 "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// Resolution is what the tags of an alert say in ATT&CK's terms. It is shared: nothing in it
// may be changed.
type Resolution struct {
	// Tactics are those that tags name, in ATT&CK's order, each once.
	Tactics []Tactic
	// Techniques are those that tags name, in order of id, each once.
	Techniques []ResolvedTechnique
	// Unresolved are the tags that look like ATT&CK's and are not known, sorted, each once.
	// They are as received: text that an attacker may have chosen.
	Unresolved []string
}

// ResolvedTechnique is a technique that a tag names.
type ResolvedTechnique struct {
	*Technique
	// TaggedID is the id in the tag, where that is another one: an older id that MITRE revoked
	// in favour of this technique, or a newer one that this technique was revoked in favour
	// of. It is empty if any of the tags has the technique's own id or a name; of several
	// other ids it is the lowest.
	TaggedID string
}

// Resolve reads the tags of an alert. Their order means nothing. A tag is, in any case:
//
//   - an id, alone or with a suffix after a dash, which is ignored: T1059.004,
//     T1083-file-and-directory-discovery, TA0005-defense-evasion;
//   - mitre_ and the name of a tactic or technique: mitre_data_destruction;
//   - the name of a technique that has more than one word, with dashes:
//     abuse-elevation-control-mechanism;
//   - one of a few misspelt tags of Falco's own rules, listed in facts.json.
//
// A name that several techniques share means none of them. The name of a tactic that became
// several means those that the techniques beside it belong to; see the package. Every other tag is ignored, unless
// it begins with mitre_, or with T or TA and at least four digits: it is then Unresolved.
//
// The result is cached and shared; see [Resolution].
func (d *Data) Resolve(tags []string) Resolution {
	return d.resolved(tags).resolution
}

// resolved is what is cached of a set of tags.
type resolved struct {
	resolution Resolution
	message    *falcoreporterv1.Attack
}

// resolved resolves tags through the cache.
func (d *Data) resolved(tags []string) *resolved {
	var buf [maxKeyBytes]byte
	key, fits := appendKey(buf[:0], tags)
	if !fits {
		return d.compute(tags)
	}
	if r, ok := d.cache.get(key); ok {
		return r
	}
	return d.cache.put(key, d.compute(tags))
}

// compute resolves tags.
func (d *Data) compute(tags []string) *resolved {
	var tactics []*Tactic
	var techniques []*target
	var unresolved []string
	var split []splitTag
	for _, tag := range tags {
		switch m, looks := d.tags.read(tag); {
		case len(m.tactics) > 1:
			split = append(split, splitTag{tag: tag, became: m.tactics})
		case len(m.tactics) == 1:
			tactics = append(tactics, m.tactics[0])
		case m.technique != nil:
			techniques = append(techniques, m.technique)
		case looks:
			// A copy: the cache must not hold on to what the tag may be a part of.
			unresolved = append(unresolved, strings.Clone(tag))
		default:
		}
	}
	for _, s := range split {
		if sure := s.sure(techniques); len(sure) > 0 {
			tactics = append(tactics, sure...)
		} else {
			unresolved = append(unresolved, strings.Clone(s.tag))
		}
	}
	slices.SortFunc(tactics, func(a, b *Tactic) int { return a.Order - b.Order })
	tactics = slices.Compact(tactics)
	slices.SortFunc(techniques, compareTargets)
	techniques = slices.CompactFunc(techniques, func(a, b *target) bool { return a.technique == b.technique })
	slices.Sort(unresolved)
	unresolved = slices.Compact(unresolved)
	return &resolved{
		resolution: resolution(tactics, techniques, unresolved),
		message:    d.newMessage(tactics, techniques, unresolved),
	}
}

// splitTag is a tag that names a tactic which became several.
type splitTag struct {
	tag    string
	became []*Tactic
}

// sure is those of the tactics that the techniques beside the tag belong to.
func (s splitTag) sure(techniques []*target) []*Tactic {
	var sure []*Tactic
	for _, tactic := range s.became {
		if slices.ContainsFunc(techniques, func(t *target) bool { return slices.Contains(t.technique.Tactics, tactic) }) {
			sure = append(sure, tactic)
		}
	}
	return sure
}

// compareTargets orders by technique; one without another id in the tag comes first.
func compareTargets(a, b *target) int {
	if c := strings.Compare(a.technique.ID, b.technique.ID); c != 0 {
		return c
	}
	return strings.Compare(a.taggedID, b.taggedID)
}

// resolution makes the exported form.
func resolution(tactics []*Tactic, techniques []*target, unresolved []string) Resolution {
	r := Resolution{Unresolved: unresolved}
	for _, t := range tactics {
		r.Tactics = append(r.Tactics, *t)
	}
	for _, t := range techniques {
		r.Techniques = append(r.Techniques, ResolvedTechnique{Technique: t.technique, TaggedID: t.taggedID})
	}
	return r
}
