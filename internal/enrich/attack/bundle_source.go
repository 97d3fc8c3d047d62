package attack

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/enrich/attack/facts"
)

// entries are the objects of one type by ATT&CK id.
type entries map[string]*object

// source makes the source of Data of the bundle and of what the program knows by itself.
func (b *bundle) source(known *facts.File) (source, error) {
	matrix, err := b.matrix()
	if err != nil {
		return source{}, err
	}
	c := &converter{bundle: b, src: source{
		file:         &facts.File{Version: b.version(known), Notice: b.notice(known)},
		descriptions: make(map[string]string),
	}}
	for typ, into := range map[string]*entries{
		typeTactic: &c.tactics, typeTechnique: &c.techniques, typeMitigation: &c.mitigations, typeDetection: &c.detections,
	} {
		if *into, err = b.entries(typ); err != nil {
			return source{}, err
		}
	}
	c.addTactics(matrix)
	c.addMitigations()
	c.addTechniques()
	if len(c.src.file.Tactics) == 0 || len(c.src.file.Techniques) == 0 {
		return source{}, fmt.Errorf("it has %d tactics and %d techniques", len(c.src.file.Tactics), len(c.src.file.Techniques))
	}
	c.src.learn(known)
	return c.src, nil
}

// matrix finds the matrix of Enterprise, and by that refuses what is not ATT&CK or not of its
// domain.
func (b *bundle) matrix() (*object, error) {
	var domains []string
	for _, id := range slices.Sorted(maps.Keys(b.objects)) {
		o := b.objects[id]
		if o.typ != typeMatrix || !o.live() {
			continue
		}
		if o.attackID == enterprise {
			return o, nil
		}
		if d := clip(o.attackID); !slices.Contains(domains, d) && len(domains) < 5 {
			domains = append(domains, d)
		}
	}
	if len(domains) == 0 {
		return nil, fmt.Errorf("it is a STIX bundle, but has no ATT&CK matrix: %s", advice)
	}
	return nil, fmt.Errorf("it is the bundle of %s, and Falco's rules speak of Enterprise: %s", strings.Join(domains, " and "), advice)
}

// version is the version of ATT&CK.
func (b *bundle) version(known *facts.File) string {
	v := ""
	for _, o := range b.objects {
		if o.typ != typeCollection || !o.live() || o.foreign {
			continue
		}
		if v != "" && v != o.version {
			return unknownVersion
		}
		v = o.version
	}
	switch {
	case v != "":
		return v
	case b.isEmbeddedSource:
		return known.Version
	default:
		return unknownVersion
	}
}

// notice is what MITRE's licence asks for: its copyright as the bundle has it, and the
// sentence about the permission.
func (b *bundle) notice(known *facts.File) string {
	_, permission, ok := strings.Cut(known.Notice, "Corporation. ")
	for _, id := range slices.Sorted(maps.Keys(b.objects)) {
		if o := b.objects[id]; ok && strings.Contains(o.statement, "The MITRE Corporation") {
			return o.statement + " " + permission
		}
	}
	return known.Notice
}

// entries finds the objects of a type. An id that several have belongs to the live one, then
// to one that was replaced.
func (b *bundle) entries(typ string) (entries, error) {
	found := make(entries)
	for _, id := range slices.Sorted(maps.Keys(b.objects)) {
		o := b.objects[id]
		if o.typ != typ || o.foreign || o.attackID == "" {
			continue
		}
		old, ok := found[o.attackID]
		switch {
		case !ok, !old.live() && o.live(), !old.live() && !old.revoked && o.revoked:
			found[o.attackID] = o
		case old.live() && o.live():
			return nil, fmt.Errorf("%s and %s are both %s", old.id, o.id, o.attackID)
		default:
		}
	}
	return found, nil
}

// converter makes facts of a bundle.
type converter struct {
	bundle *bundle
	src    source

	tactics, techniques, mitigations, detections entries

	mitigatedBy, detectedBy map[string][]string // by the STIX id of the technique: ATT&CK ids
}

// addTactics adds the live tactics in the order of the matrix. One that is not in the matrix
// comes after them, in order of id.
func (c *converter) addTactics(matrix *object) {
	ids := slices.Clone(matrix.tacticRefs)
	for _, attackID := range slices.Sorted(maps.Keys(c.tactics)) {
		if id := c.tactics[attackID].id; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		o := c.bundle.objects[id]
		if o == nil || c.tactics[o.attackID] != o || !o.live() {
			continue
		}
		c.src.file.Tactics = append(c.src.file.Tactics, facts.Tactic{
			ID: o.attackID, Shortname: o.shortname, Name: o.name, Order: len(c.src.file.Tactics) + 1, URL: o.url,
		})
		c.describe(o)
	}
}

// describe adds the description of a tactic or technique.
func (c *converter) describe(o *object) {
	if o.description != "" {
		c.src.descriptions[o.attackID] = o.description
	}
}

// addMitigations adds the live mitigations.
func (c *converter) addMitigations() {
	for _, id := range slices.Sorted(maps.Keys(c.mitigations)) {
		if o := c.mitigations[id]; o.live() {
			c.src.file.Mitigations = append(c.src.file.Mitigations, facts.Mitigation{ID: id, Name: o.name, URL: o.url})
		}
	}
}

// addTechniques adds all techniques, also those that MITRE has given up.
func (c *converter) addTechniques() {
	c.mitigatedBy = c.related(relationMitigates, c.mitigations)
	c.detectedBy = c.related(relationDetects, c.detections)
	revokedBy := c.revokedBy()
	for _, id := range slices.Sorted(maps.Keys(c.techniques)) {
		o := c.techniques[id]
		t := c.technique(o)
		if o.revoked {
			t.ReplacedBy = c.follow(o, revokedBy)
		}
		// Revoked without a technique in force at the end is given up without a replacement.
		t.Deprecated = !o.live() && t.ReplacedBy == ""
		c.src.file.Techniques = append(c.src.file.Techniques, t)
		c.describe(o)
	}
}

// technique takes over one technique, except for its replacement.
func (c *converter) technique(o *object) facts.Technique {
	t := facts.Technique{
		ID: o.attackID, Name: o.name, URL: o.url, Linux: o.linux, Containers: o.containers,
		Tactics: c.tacticsOf(o), Mitigations: c.mitigatedBy[o.id],
	}
	// The id names the parent; the relation "subtechnique-of" says the same.
	if parent, _, isSub := strings.Cut(o.attackID, "."); isSub && (o.live() || c.techniques[parent] != nil) {
		t.Parent = parent
	}
	for _, id := range c.detectedBy[o.id] {
		t.Detection = append(t.Detection, facts.DetectionStrategy{ID: id, Name: c.detections[id].name})
	}
	return t
}

// tacticsOf are the short names of a technique's tactics, in ATT&CK's order. Tactics that are
// no more are left out where the technique is no more either.
func (c *converter) tacticsOf(o *object) []string {
	var in, out []string
	for _, t := range c.src.file.Tactics {
		if slices.Contains(o.phases, t.Shortname) {
			in = append(in, t.Shortname)
		}
	}
	for _, p := range o.phases {
		if o.live() && !slices.Contains(in, p) {
			out = append(out, p)
		}
	}
	return append(in, out...)
}

// related finds by what the techniques are mitigated or detected. What is not in force, or not
// in the bundle, is left out: MITRE keeps relations of what it has given up.
func (c *converter) related(kind string, of entries) map[string][]string {
	by := make(map[string][]string)
	for _, r := range c.bundle.relations {
		o := c.bundle.objects[r.source]
		if r.kind == kind && r.live && o != nil && o.live() && of[o.attackID] == o {
			by[r.target] = append(by[r.target], o.attackID)
		}
	}
	for target, ids := range by {
		slices.Sort(ids)
		by[target] = slices.Compact(ids)
	}
	return by
}

// revokedBy maps the STIX ids of revoked objects to those of the objects in their place. Of
// several the relation modified last counts.
func (c *converter) revokedBy() map[string]string {
	last := make(map[string]*relation)
	for _, id := range slices.Sorted(maps.Keys(c.bundle.relations)) {
		r := c.bundle.relations[id]
		if r.kind != relationRevokedBy || !r.live {
			continue
		}
		if old, ok := last[r.source]; !ok || r.modified.After(old.modified) {
			last[r.source] = r
		}
	}
	by := make(map[string]string, len(last))
	for source, r := range last {
		by[source] = r.target
	}
	return by
}

// follow goes along the replacements to the technique in force at the end, if there is one.
func (c *converter) follow(o *object, revokedBy map[string]string) string {
	for range c.techniques {
		o = c.bundle.objects[revokedBy[o.id]]
		if o == nil || c.techniques[o.attackID] != o {
			return ""
		}
		if o.live() {
			return o.attackID
		}
	}
	return ""
}
