package attack

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	falcoreporterv1 "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/enrich/attack/facts"
)

// loader makes Data of a source.
type loader struct {
	source
	data *Data

	tacticsByShortname map[string]*Tactic                  // with the later version's shortnames
	nextTactics        map[string]*Tactic                  // those of the later version alone, by shortname
	tacticMessages     map[*Tactic]*falcoreporterv1.Tactic // without descriptions
	mitigations        map[string]Mitigation
	mitigationMessages map[string]*falcoreporterv1.Mitigation
	targets            map[*Technique]*target // under their own ids
}

// newLoader prepares to load a source.
func newLoader(src source) *loader {
	f := src.file
	n := len(f.Techniques) + len(f.NextTechniques)
	return &loader{
		source: src,
		data: &Data{
			version:    f.Version,
			notice:     f.Notice,
			tactics:    make(map[string]*Tactic, len(f.Tactics)),
			techniques: make(map[string]*Technique, n),
			tags:       newTagIndex(n),
			cache:      cache{sets: make(map[string]*resolved)},
			elsewhere:  elsewhere(cmp.Or(src.known, f)),

			tacticMessages: make(map[*Tactic]*falcoreporterv1.Tactic, len(f.Tactics)),
		},
		tacticsByShortname: make(map[string]*Tactic, len(f.Tactics)),
		nextTactics:        make(map[string]*Tactic, len(f.NextTactics)),
		tacticMessages:     make(map[*Tactic]*falcoreporterv1.Tactic, len(f.Tactics)),
		mitigations:        make(map[string]Mitigation, len(f.Mitigations)),
		mitigationMessages: make(map[string]*falcoreporterv1.Mitigation, len(f.Mitigations)),
		targets:            make(map[*Technique]*target, n),
	}
}

// load does it, each step on what the ones before have made.
func (l *loader) load(descriptions map[string]string) error {
	l.loadMitigations()
	if err := l.loadTactics(); err != nil {
		return err
	}
	if err := l.loadTechniques(); err != nil {
		return err
	}
	if err := l.describe(descriptions); err != nil {
		return err
	}
	l.inherit()
	l.makeTacticMessages()
	l.indexIDs()
	if err := l.indexNames(); err != nil {
		return err
	}
	return l.indexAliases()
}

// loadTactics loads the tactics and what the later version calls them.
func (l *loader) loadTactics() error {
	for _, f := range l.file.Tactics {
		t := &Tactic{ID: f.ID, Shortname: f.Shortname, Name: f.Name, URL: f.URL, Order: f.Order}
		l.data.tactics[t.ID] = t
		l.data.tags.tacticIDs[t.ID] = []*Tactic{t}
		l.nameTactic(f.Shortname, f.Name, t)
	}
	for _, f := range l.file.NextTactics {
		was, ok := l.data.tactics[f.Was]
		if !ok {
			return fmt.Errorf("tactic %s was %q, which is unknown", f.ID, f.Was)
		}
		if _, ok := l.data.tags.tacticIDs[f.ID]; !ok {
			l.data.tags.tacticIDs[f.ID] = []*Tactic{was}
		}
		l.nameTactic(f.Shortname, f.Name, was)
		l.nextTactics[f.Shortname] = &Tactic{
			ID: f.ID, Shortname: f.Shortname, Name: f.Name, Order: was.Order,
			URL: strings.Replace(was.URL, was.ID, f.ID, 1),
		}
	}
	for shortname, became := range l.gone {
		if _, ok := l.data.tags.tacticNames[shortname]; ok {
			continue // it is what another tactic is called now
		}
		for _, s := range became {
			l.data.tags.tacticNames[shortname] = append(l.data.tags.tacticNames[shortname], l.tacticsByShortname[s])
		}
	}
	return nil
}

// nameTactic makes a tactic known by a shortname and a name.
func (l *loader) nameTactic(shortname, name string, t *Tactic) {
	l.tacticsByShortname[shortname] = t
	l.data.tags.tacticNames[shortname] = []*Tactic{t}
	if s := slug(name); s != "" {
		l.data.tags.tacticNames[s] = []*Tactic{t}
	}
}

// loadMitigations loads the mitigations.
func (l *loader) loadMitigations() {
	for _, f := range l.file.Mitigations {
		l.mitigations[f.ID] = Mitigation(f)
		l.mitigationMessages[f.ID] = &falcoreporterv1.Mitigation{Id: f.ID, Name: f.Name, Url: f.URL}
	}
}

// loadTechniques loads the techniques of both versions.
func (l *loader) loadTechniques() error {
	for i := range l.file.Techniques {
		if err := l.loadTechnique(&l.file.Techniques[i], l.file.Version); err != nil {
			return err
		}
	}
	for i := range l.file.NextTechniques {
		if err := l.loadTechnique(&l.file.NextTechniques[i], l.file.NextVersion); err != nil {
			return err
		}
	}
	for old, id := range l.file.NextRevoked {
		from, ok := l.data.techniques[old]
		if !ok || !l.live(from) {
			return fmt.Errorf("v%s replaced %s, which is not live in v%s", l.file.NextVersion, old, l.file.Version)
		}
		to, ok := l.data.techniques[id]
		if !ok {
			return fmt.Errorf("v%s replaced %s by %s, which is unknown", l.file.NextVersion, old, id)
		}
		to.Replaces = append(to.Replaces, old)
	}
	for _, t := range l.data.techniques {
		slices.Sort(t.Replaces)
		if err := l.link(t); err != nil {
			return err
		}
	}
	return nil
}

// loadTechnique loads one technique, except for what refers to other techniques.
func (l *loader) loadTechnique(f *facts.Technique, version string) error {
	if _, ok := l.data.techniques[f.ID]; ok {
		return fmt.Errorf("technique %s stands there twice", f.ID)
	}
	t := &Technique{
		ID: f.ID, Name: f.Name, ParentID: f.Parent, URL: f.URL,
		Linux: f.Linux, Containers: f.Containers,
		Revoked: f.ReplacedBy != "", ReplacedBy: f.ReplacedBy, Deprecated: f.Deprecated,
		Version: version,
	}
	for _, s := range f.Tactics {
		tactic, ok := l.tacticsByShortname[s]
		if next := l.nextTactics[s]; next != nil && version != l.file.Version {
			tactic = next
		}
		if !ok {
			return fmt.Errorf("technique %s has the unknown tactic %q", f.ID, s)
		}
		if !slices.Contains(t.Tactics, tactic) { // two of the later version can be one here
			t.Tactics = append(t.Tactics, tactic)
		}
	}
	for _, id := range f.Mitigations {
		m, ok := l.mitigations[id]
		if !ok {
			return fmt.Errorf("technique %s has the unknown mitigation %q", f.ID, id)
		}
		t.Mitigations = append(t.Mitigations, m)
	}
	for _, d := range f.Detection {
		t.DetectionStrategies = append(t.DetectionStrategies, DetectionStrategy(d))
	}
	l.data.techniques[f.ID] = t
	return nil
}

// link completes a technique from the others that it refers to.
func (l *loader) link(t *Technique) error {
	if t.ParentID != "" {
		parent, ok := l.data.techniques[t.ParentID]
		if !ok {
			return fmt.Errorf("technique %s has the unknown parent %q", t.ID, t.ParentID)
		}
		t.ParentName = parent.Name
	}
	if t.Revoked {
		by, ok := l.data.techniques[t.ReplacedBy]
		if !ok || !l.live(by) {
			return fmt.Errorf("technique %s is replaced by %q, which is not live in v%s", t.ID, t.ReplacedBy, l.file.Version)
		}
	}
	return nil
}

// live is whether a technique is in force in the version of the data.
func (l *loader) live(t *Technique) bool {
	return !t.Revoked && !t.Deprecated && t.Version == l.file.Version
}

// describe puts the descriptions where they belong.
func (l *loader) describe(descriptions map[string]string) error {
	for id, text := range descriptions {
		if t, ok := l.data.techniques[id]; ok {
			t.Description = text
		} else if t, ok := l.data.tactics[id]; ok {
			t.Description = text
		} else {
			return fmt.Errorf("a description is of the unknown id %q", id)
		}
	}
	return nil
}

// inherit gives what is known of a technique to the one of the later version that replaced it
// among others, and has its name. One that replaced just one resolves to that instead.
func (l *loader) inherit() {
	for _, t := range l.data.techniques {
		if len(t.Replaces) < 2 {
			continue
		}
		from, ok := l.data.techniques[sameName(t.Name, t.Replaces, func(id string) string { return l.data.techniques[id].Name })]
		if ok && t.Description == "" {
			t.TextOf, t.Description = from.ID, from.Description
			t.Mitigations, t.DetectionStrategies = from.Mitigations, from.DetectionStrategies
		}
	}
}

// makeTacticMessages makes the messages of the tactics once for all reports.
func (l *loader) makeTacticMessages() {
	for _, t := range l.data.tactics {
		l.tacticMessages[t] = &falcoreporterv1.Tactic{Id: t.ID, Name: t.Name, Url: t.URL}
		l.data.tacticMessages[t] = &falcoreporterv1.Tactic{Id: t.ID, Name: t.Name, Url: t.URL, Description: t.Description}
	}
	for _, t := range l.nextTactics {
		l.tacticMessages[t] = &falcoreporterv1.Tactic{Id: t.ID, Name: t.Name, Url: t.URL}
	}
}

// indexIDs says for every id of a technique what a tag with it means.
func (l *loader) indexIDs() {
	for id, t := range l.data.techniques {
		if means := l.means(t); means != t {
			l.data.tags.techniqueIDs[id] = &target{technique: means, taggedID: id, message: l.message(means, id)}
			continue
		}
		own := &target{technique: t, message: l.message(t, "")}
		l.data.tags.techniqueIDs[id] = own
		l.targets[t] = own
	}
}

// means follows a technique to the one that stands for it in the version of the data.
func (l *loader) means(t *Technique) *Technique {
	switch {
	case t.Revoked:
		return l.data.techniques[t.ReplacedBy]
	case t.Version != l.file.Version && len(t.Replaces) == 1:
		return l.data.techniques[t.Replaces[0]]
	default:
		return t
	}
}

// indexNames makes techniques known by their names. Where a name was used more than once, the
// live technique has it, then one that MITRE has given up, then one of another version.
func (l *loader) indexNames() error {
	live, givenUp, later := make(nameTier), make(nameTier), make(nameTier)
	for _, t := range l.data.techniques {
		tier := live
		switch {
		case t.Version != l.file.Version:
			tier = later
		case !l.live(t):
			tier = givenUp
		default:
		}
		tier.add(t.Name, l.targets[l.means(t)])
	}
	for id, name := range l.file.NextNames {
		t, ok := l.data.techniques[id]
		if !ok {
			return fmt.Errorf("v%s renamed %q, which is unknown", l.file.NextVersion, id)
		}
		later.add(name, l.targets[l.means(t)])
	}
	for id, name := range l.former {
		if t, ok := l.data.techniques[id]; ok {
			later.add(name, l.targets[l.means(t)])
		}
	}
	for _, tier := range []nameTier{live, givenUp, later} {
		tier.addTo(l.data.tags.techniqueNames)
	}
	return nil
}

// indexAliases makes the irregular tags known.
func (l *loader) indexAliases() error {
	for tag, id := range l.file.Aliases {
		tactics := l.data.tags.tacticIDs[id]
		if tactics == nil {
			tactics = l.data.tags.tacticNames[id] // of a tactic that is gone
		}
		var technique *target
		if t, ok := l.data.techniques[id]; ok {
			technique = l.targets[l.means(t)]
		}
		if tactics == nil && technique == nil {
			return fmt.Errorf("the tag %q means the unknown id %q", tag, id)
		}
		if tag != strings.ToLower(tag) || len(tag) > maxNameBytes {
			return fmt.Errorf("the tag %q is not in lower case, or longer than %d bytes", tag, maxNameBytes)
		}
		l.data.tags.aliases[tag] = meaning{tactics: tactics, technique: technique}
	}
	return nil
}
