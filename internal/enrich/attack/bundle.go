package attack

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// STIX types and relations that are kept.
const (
	typeTechnique  = "attack-pattern"
	typeTactic     = "x-mitre-tactic"
	typeMitigation = "course-of-action"
	typeDetection  = "x-mitre-detection-strategy"
	typeMatrix     = "x-mitre-matrix"
	typeCollection = "x-mitre-collection"
	typeMarking    = "marking-definition"
	typeRelation   = "relationship"

	relationMitigates = "mitigates"
	relationDetects   = "detects"
	relationRevokedBy = "revoked-by"
)

// enterprise is the domain that falco-reporter is about, as ATT&CK spells it in STIX.
const enterprise = "enterprise-attack"

// bundle is what is kept of a STIX bundle.
type bundle struct {
	objects   map[string]*object   // by STIX id
	relations map[string]*relation // by STIX id
	// isEmbeddedSource is whether it is the file that the embedded facts were made of.
	isEmbeddedSource bool
}

// newBundle makes an empty bundle.
func newBundle() *bundle {
	return &bundle{objects: make(map[string]*object), relations: make(map[string]*relation)}
}

// object is a STIX object, cut to what is needed and cleaned.
type object struct {
	typ, id  string
	modified time.Time

	revoked, deprecated bool
	foreign             bool // belongs to other domains of ATT&CK only

	attackID, name, url, description string

	shortname         string   // of a tactic
	phases            []string // of a technique: shortnames
	linux, containers bool
	tacticRefs        []string // of a matrix
	version           string   // of a collection
	statement         string   // of a marking
}

// live is whether MITRE has not given it up.
func (o *object) live() bool { return !o.revoked && !o.deprecated }

// relation is a STIX relation between two objects.
type relation struct {
	kind, source, target string
	modified             time.Time
	live                 bool
}

// read reads the bundle and wants nothing after it. STIX 2.0 and 2.1 differ in nothing that
// matters here: where the spec_version stands, and that only 2.1 has a collection.
func (b *bundle) read(in io.Reader) error {
	m := &meter{r: in, tooLarge: errObjectTooLarge}
	m.limit = maxObjectBytes
	d := jsontext.NewDecoder(m)
	if _, err := d.ReadToken(); err != nil { // the brace that checkBeginning saw
		return err
	}
	isBundle, hasObjects := false, false
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		m.limit = d.InputOffset() + maxObjectBytes
		switch name.String() {
		case "type":
			isBundle, err = isString(d, "bundle")
		case "objects":
			hasObjects, err = true, b.readObjects(d, m)
		default:
			err = d.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	if !isBundle || !hasObjects {
		return errNotBundle
	}
	return readEnd(d)
}

// isString reads a value and tells whether it is the string.
func isString(d *jsontext.Decoder, want string) (bool, error) {
	v, err := d.ReadValue()
	if err != nil {
		return false, err
	}
	return string(v) == `"`+want+`"`, nil
}

// readEnd reads the end of the bundle and of the file.
func readEnd(d *jsontext.Decoder) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	switch _, err := d.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return errFollowed
	default:
		if syntax := (*jsontext.SyntacticError)(nil); errors.As(err, &syntax) {
			return errFollowed
		}
		return err
	}
}

// readObjects reads the objects one by one. The decoder checks each as it passes; the buffer
// that it is in is used again for the next.
func (b *bundle) readObjects(d *jsontext.Decoder, m *meter) error {
	switch begin, err := d.ReadToken(); {
	case err != nil:
		return err
	case begin.Kind() != '[':
		return errNotBundle
	default:
	}
	for i := 1; d.PeekKind() != ']'; i++ {
		m.limit = d.InputOffset() + maxObjectBytes
		v, err := d.ReadValue()
		if err != nil {
			return err
		}
		if err := b.readObject(v); err != nil {
			return fmt.Errorf("object %d is damaged (%s): %s", i, clip(err.Error()), again)
		}
		if len(b.objects)+len(b.relations) > maxKept {
			return errTooManyObjects
		}
	}
	_, err := d.ReadToken()
	return err
}

// header is what tells whether an object is of any use.
type header struct {
	Type     string `json:"type"`
	Relation string `json:"relationship_type"`
}

// wanted is whether it is.
func (h header) wanted() bool {
	switch h.Type {
	case typeTechnique, typeTactic, typeMitigation, typeDetection, typeMatrix, typeCollection, typeMarking:
		return true
	case typeRelation:
		return h.Relation == relationMitigates || h.Relation == relationDetects || h.Relation == relationRevokedBy
	default:
		return false
	}
}

// stixObject is the members of STIX objects, in all types, that are read.
type stixObject struct {
	Type        string `json:"type"`
	ID          string `json:"id"`
	Modified    string `json:"modified"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Revoked     bool   `json:"revoked"`
	Deprecated  bool   `json:"x_mitre_deprecated"`

	References []struct {
		Source     string `json:"source_name"`
		ExternalID string `json:"external_id"`
		URL        string `json:"url"`
	} `json:"external_references"`
	Phases []struct {
		Chain string `json:"kill_chain_name"`
		Phase string `json:"phase_name"`
	} `json:"kill_chain_phases"`
	Domains    []string `json:"x_mitre_domains"`
	Platforms  []string `json:"x_mitre_platforms"`
	Shortname  string   `json:"x_mitre_shortname"`
	TacticRefs []string `json:"tactic_refs"`
	Version    string   `json:"x_mitre_version"`
	Definition struct {
		Statement string `json:"statement"`
	} `json:"definition"`

	Relation string `json:"relationship_type"`
	Source   string `json:"source_ref"`
	Target   string `json:"target_ref"`
}

// readObject keeps an object that is of use. STIX lets a bundle have several versions of one
// object: the one modified last counts.
func (b *bundle) readObject(v jsontext.Value) error {
	checked := json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) // the decoder has looked
	var h header
	if err := json.Unmarshal(v, &h, checked); err != nil {
		return err
	}
	if !h.wanted() {
		return nil
	}
	var s stixObject
	if err := json.Unmarshal(v, &s, checked); err != nil {
		return err
	}
	return b.keep(&s)
}

// keep keeps an object or relation.
func (b *bundle) keep(s *stixObject) error {
	if s.ID == "" || max(len(s.ID), len(s.Source), len(s.Target)) > maxRefBytes {
		return fmt.Errorf("no id, or one of more than %d bytes", maxRefBytes)
	}
	modified, err := s.modified()
	if err != nil {
		return err
	}
	if s.Type == typeRelation {
		if old, ok := b.relations[s.ID]; !ok || modified.After(old.modified) {
			b.relations[s.ID] = &relation{
				kind: s.Relation, source: s.Source, target: s.Target, modified: modified, live: !s.Revoked && !s.Deprecated,
			}
		}
		return nil
	}
	if old, ok := b.objects[s.ID]; ok && !modified.After(old.modified) {
		return nil
	}
	o, err := s.object()
	if err != nil {
		return err
	}
	o.modified = modified
	b.objects[s.ID] = o
	return nil
}

// modified is when the object was last changed; markings do not say.
func (s *stixObject) modified() (time.Time, error) {
	if s.Modified == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339, s.Modified)
}
