// Package facts is the file format of the ATT&CK facts that falco-reporter embeds: what the
// generator beside it writes and package attack reads.
//
// A file holds ids, names, links and relations of ATT&CK, and none of MITRE's texts. It is
// one JSON object with one tactic, technique or mitigation a line, always in the same order,
// so that a new ATT&CK version is a diff that a person can read.
//
// The package starts no goroutine.
package facts

import (
	"bytes"
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json"
)

// File is the facts of one ATT&CK version, and what the next one changed. Next is prefixed to
// what is of that later version.
type File struct {
	// Version is the ATT&CK version, Released its date, Source the file and revision it was
	// taken from, Notice the notice that MITRE's licence asks for.
	Version  string `json:"version"`
	Released string `json:"released"`
	Source   string `json:"source"`
	Notice   string `json:"notice"`

	// NextVersion is the later version, NextSource where its facts were taken from, and
	// NextRevokedSource where those about replaced ids were.
	NextVersion       string `json:"next_version"`
	NextSource        string `json:"next_source"`
	NextRevokedSource string `json:"next_revoked_source"`

	// TagSources maps the repositories whose rules' tags were read to their revisions.
	TagSources map[string]string `json:"tag_sources"`

	// Tactics are in ATT&CK's order.
	Tactics []Tactic `json:"tactics"`
	// Mitigations are those in force, in order of id.
	Mitigations []Mitigation `json:"mitigations"`
	// Techniques are all that ever were, in order of id: live, revoked and deprecated.
	Techniques []Technique `json:"techniques"`

	// NextTactics are the tactics that have another name or id in the later version.
	NextTactics []NextTactic `json:"next_tactics"`
	// NextTechniques are the techniques with an id that Version does not have.
	NextTechniques []Technique `json:"next_techniques"`
	// NextRevoked maps ids that are live in Version to the ids that replaced them.
	NextRevoked map[string]string `json:"next_revoked"`
	// NextNames maps ids of Version to their new names, where they were renamed.
	NextNames map[string]string `json:"next_names"`

	// Aliases maps whole tags, in lower case, to the id that they mean: the spellings in
	// Falco's rules that no general rule covers.
	Aliases map[string]string `json:"aliases"`
	// FalcoTechniques are the ids of the techniques that rules for Falco have tagged.
	FalcoTechniques []string `json:"falco_techniques"`
}

// Tactic is an ATT&CK tactic.
type Tactic struct {
	ID        string `json:"id"`
	Shortname string `json:"shortname"`
	Name      string `json:"name"`
	Order     int    `json:"order"`
	URL       string `json:"url"`
}

// NextTactic is a tactic of the later version.
type NextTactic struct {
	ID        string `json:"id"`
	Shortname string `json:"shortname"`
	Name      string `json:"name"`
	// Was is the id of the tactic in Version that its techniques belonged to.
	Was string `json:"was"`
}

// Mitigation is an ATT&CK mitigation.
type Mitigation struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	URL  string `json:"url"`
}

// Technique is an ATT&CK technique or sub-technique.
type Technique struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Parent string `json:"parent,omitempty"`
	// Tactics are shortnames, in ATT&CK's order.
	Tactics []string `json:"tactics"`
	URL     string   `json:"url"`
	// Mitigations are ids.
	Mitigations []string            `json:"mitigations,omitempty"`
	Detection   []DetectionStrategy `json:"detection,omitempty"`
	// Linux and Containers are whether it applies to these platforms.
	Linux      bool `json:"linux,omitzero"`
	Containers bool `json:"containers,omitzero"`
	// ReplacedBy is the live technique at the end of the chain of replacements, for one that
	// MITRE has revoked.
	ReplacedBy string `json:"replaced_by,omitempty"`
	Deprecated bool   `json:"deprecated,omitzero"`
}

// DetectionStrategy is an ATT&CK detection strategy.
type DetectionStrategy struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Decode reads a file. Unknown members are errors.
func Decode(data []byte) (*File, error) {
	f := new(File)
	if err := json.Unmarshal(data, f, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("decode ATT&CK facts: %w", err)
	}
	return f, nil
}

// Encode writes the file: the same bytes for the same facts.
func (f *File) Encode() ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("{\n")
	v := reflect.ValueOf(*f)
	for i := range v.NumField() {
		if i > 0 {
			out.WriteString(",\n")
		}
		fmt.Fprintf(&out, "%q: ", v.Type().Field(i).Tag.Get("json"))
		if err := encodeMember(&out, v.Field(i)); err != nil {
			return nil, fmt.Errorf("encode ATT&CK facts: %w", err)
		}
	}
	out.WriteString("\n}\n")
	return out.Bytes(), nil
}

// encodeMember writes one member: lists of objects with one object a line, anything else on
// one line.
func encodeMember(out *bytes.Buffer, v reflect.Value) error {
	if v.Kind() != reflect.Slice || v.Type().Elem().Kind() != reflect.Struct {
		return encodeValue(out, v)
	}
	out.WriteString("[")
	for i := range v.Len() {
		if i > 0 {
			out.WriteString(",")
		}
		out.WriteString("\n")
		if err := encodeValue(out, v.Index(i)); err != nil {
			return err
		}
	}
	out.WriteString("\n]")
	return nil
}

// encodeValue writes a value on one line.
func encodeValue(out *bytes.Buffer, v reflect.Value) error {
	b, err := json.Marshal(v.Interface(), json.Deterministic(true))
	out.Write(b)
	return err
}
