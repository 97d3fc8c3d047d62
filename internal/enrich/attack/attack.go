// Package attack knows the facts of MITRE ATT&CK that reports need, and resolves the tags of
// Falco rules to them.
//
// The facts (ids, names, links, relations) are of ATT&CK v18.1 and embedded; facts.json names
// their source, and the generator in gen makes it. The descriptions are falco-reporter's own.
// Of v19.1 it knows the new ids and names, so that rules written for it are understood:
//
//   - An id of v19.1 that replaced one technique of v18.1 resolves to that technique.
//   - One that replaced several of them, or none, resolves to itself; see [Technique.Version].
//     Its tactics are those of v19.1. Where one of those that it replaced has its name, as
//     T1562.001 has that of T1685, the rest is of that one; see [Technique.TextOf].
//   - Stealth and Defense Impairment, into which v19.1 split Defense Evasion, resolve to that.
//
// [LoadSTIX] reads MITRE's own bundle instead, of any version and with MITRE's descriptions.
// What the program knows by itself then serves to read tags that the bundle does not explain:
//
//   - Where the bundle is from before v19, ids, names and tactics of v19.1 are read as above.
//   - Where it is of v19 or later, ids that were revoked resolve to what replaced them, by the
//     bundle's own account, and names that MITRE changed since v18.1 to what has them now.
//   - Such a bundle has no Defense Evasion. A tag that names it, such as mitre_defense_evasion,
//     can mean either of the two tactics that it became, and resolves to those of them that
//     the techniques tagged beside it belong to. Without such a technique it is unresolved.
//     The id TA0005 is no guess: MITRE gave it to Stealth.
//   - Aliases of Falco's rules hold if the bundle has what they mean.
//
// How a tag is read is said at [Data.Resolve], and what else people may type at [Data.Lookup].
//
// The package starts no goroutine. What it resolved is cached by the set of tags, at most
// maxSets of them; when the cache is full it is emptied and fills again.
package attack

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	falcoreporterv1 "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/enrich/attack/facts"
)

//go:generate go run ./gen

//go:embed facts.json
var embeddedFacts []byte

//go:embed descriptions/*.yaml
var embeddedDescriptions embed.FS

// Data is the facts and descriptions of ATT&CK. It never changes and may be used concurrently.
type Data struct {
	version, notice string

	tactics    map[string]*Tactic    // by id
	techniques map[string]*Technique // by id, those of the later version too

	tags           tagIndex
	elsewhere      map[string][]string                 // ids of other versions, by id
	tacticMessages map[*Tactic]*falcoreporterv1.Tactic // with descriptions
	cache          cache
}

// Tactic is an ATT&CK tactic: what an attacker wants to achieve.
type Tactic struct {
	// ID is such as TA0005, Shortname such as defense-evasion, Name such as Defense Evasion.
	ID, Shortname, Name string
	// Description is falco-reporter's own, or MITRE's from a loaded bundle.
	Description string
	// URL is MITRE's page.
	URL string
	// Order is the place in ATT&CK's order, from 1.
	Order int
}

// Technique is an ATT&CK technique or sub-technique: how an attacker does it. Its slices must
// not be changed.
type Technique struct {
	// ID is such as T1059.004.
	ID string
	// Name is the name; of a sub-technique without its parent's.
	Name string
	// ParentID and ParentName are empty for a technique that is no sub-technique.
	ParentID, ParentName string
	// Description is falco-reporter's own; empty for techniques that concern neither Linux
	// nor containers and for those that MITRE has given up. From a loaded bundle it is
	// MITRE's; empty for those that are revoked.
	Description string
	// URL is MITRE's page.
	URL string
	// Tactics are those that it belongs to, in ATT&CK's order.
	Tactics []*Tactic
	// Mitigations are MITRE's, in order of id.
	Mitigations []Mitigation
	// DetectionStrategies are MITRE's.
	DetectionStrategies []DetectionStrategy
	// Linux and Containers are whether it applies to these platforms.
	Linux, Containers bool
	// Revoked is whether MITRE replaced it; ReplacedBy is the live technique that took its
	// place in the end.
	Revoked    bool
	ReplacedBy string
	// Deprecated is whether MITRE gave it up without a replacement.
	Deprecated bool
	// Version is the ATT&CK version that these facts are of. It is later than Data.Version
	// for an id that only the later version has.
	Version string
	// Replaces are the ids in Data.Version that a technique of the later version replaced.
	Replaces []string
	// TextOf is the one of several in Replaces that has the same name, from which the
	// description, mitigations and detection strategies are; empty otherwise.
	TextOf string
}

// Mitigation is an ATT&CK mitigation.
type Mitigation struct {
	// ID is such as M1038.
	ID, Name string
	// URL is MITRE's page.
	URL string
}

// DetectionStrategy is an ATT&CK detection strategy.
type DetectionStrategy struct {
	// ID is such as DET0053.
	ID, Name string
}

// Embedded reads the facts and descriptions in the program. It does so anew at each call,
// within about 10 ms: call it once. A description of an unknown id, a second one of the same
// id and facts that contradict themselves are errors.
func Embedded() (*Data, error) {
	f, err := facts.Decode(embeddedFacts)
	if err != nil {
		return nil, err
	}
	descriptions, err := readDescriptions(embeddedDescriptions, "descriptions")
	if err != nil {
		return nil, err
	}
	return New(f, descriptions)
}

// New makes Data of facts and of descriptions by id. A description of an unknown id and facts
// that contradict themselves are errors.
func New(f *facts.File, descriptions map[string]string) (*Data, error) {
	return newData(source{file: f, descriptions: descriptions})
}

// newData makes Data of a source.
func newData(src source) (*Data, error) {
	l := newLoader(src)
	if err := l.load(src.descriptions); err != nil {
		return nil, fmt.Errorf("load ATT&CK v%s: %w", src.file.Version, err)
	}
	return l.data, nil
}

// Version is the ATT&CK version, such as 18.1, or "unknown" where a loaded bundle does not say
// it.
func (d *Data) Version() string { return d.version }

// Notice is the notice that MITRE's licence asks everyone to carry who uses the facts.
func (d *Data) Notice() string { return d.notice }

// Tactic returns the tactic with the id, in capital letters: one of Version's.
func (d *Data) Tactic(id string) (Tactic, bool) {
	t, ok := d.tactics[id]
	if !ok {
		return Tactic{}, false
	}
	return *t, true
}

// KnownAs returns the ids under which something may have been written about a technique or
// tactic, the most telling first: its own, the one that it was tagged with (empty for none),
// and those that ATT&CK v18.1 or v19.1 has for it, or at last for the technique that a
// sub-technique belongs to. Of several that it replaced only one with its name counts.
func (d *Data) KnownAs(id, taggedID string) []string {
	var ids []string
	add := func(more ...string) {
		for _, id := range more {
			if id != "" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	add(id, taggedID)
	add(d.elsewhere[id]...)
	add(d.elsewhere[taggedID]...)
	if parent, _, ok := strings.Cut(id, "."); ok {
		add(d.elsewhere[parent]...)
	}
	return ids
}

// Technique returns the technique with exactly the id, in capital letters: also one that is
// revoked, deprecated or of the later version.
func (d *Data) Technique(id string) (Technique, bool) {
	t, ok := d.techniques[id]
	if !ok {
		return Technique{}, false
	}
	return *t, true
}
