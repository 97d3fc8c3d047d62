package attack

import (
	"fmt"
	"slices"
	"strings"
)

// Bounds of what is kept of one object, in bytes and numbers. The longest of v18.1 are a name
// of 124 bytes, a link of 52, 4 tactics, 14 tactics of the matrix and a statement of 119.
const (
	maxRefBytes       = 128 // a STIX id: a type, two dashes and a UUID
	maxTitleBytes     = 200
	maxURLBytes       = 200
	maxShortnameBytes = 64
	maxPhases         = 16
	maxTactics        = 24
	maxStatementBytes = 300
)

// unknownVersion is the version of a bundle that does not say it.
const unknownVersion = "unknown"

// object cleans what was read. What MITRE has given up, or is of another domain, may be odd:
// it is then left empty rather than refused.
func (s *stixObject) object() (*object, error) {
	o := &object{
		typ: s.Type, id: strings.Clone(s.ID), revoked: s.Revoked, deprecated: s.Deprecated,
		foreign: len(s.Domains) > 0 && !slices.Contains(s.Domains, enterprise),
	}
	switch s.Type {
	case typeCollection:
		o.version = version(s.Version)
	case typeMarking:
		o.statement = line(s.Definition.Statement)
		if len(o.statement) > maxStatementBytes {
			o.statement = ""
		}
	case typeMatrix:
		return o, s.readMatrix(o)
	default:
		if err := s.readEntry(o); err != nil && o.live() && !o.foreign {
			return nil, fmt.Errorf("%s: %w", s.ID, err)
		}
	}
	return o, nil
}

// version checks a version: numbers with dots between them.
func version(s string) string {
	const most = 12
	for p := range strings.SplitSeq(s, ".") {
		if p == "" || countDigits(p) != len(p) {
			return unknownVersion
		}
	}
	if len(s) > most {
		return unknownVersion
	}
	return s
}

// readMatrix reads what domain a matrix is of, as its ATT&CK id, and its tactics.
func (s *stixObject) readMatrix(o *object) error {
	for _, r := range s.References {
		if strings.HasSuffix(r.ExternalID, "-attack") && len(r.ExternalID) <= maxShortnameBytes {
			o.attackID = r.ExternalID
			break
		}
	}
	if len(s.TacticRefs) > maxTactics {
		return fmt.Errorf("%s: it has %d tactics, more than %d", s.ID, len(s.TacticRefs), maxTactics)
	}
	for _, ref := range s.TacticRefs {
		if len(ref) > maxRefBytes {
			return fmt.Errorf("%s: a reference of more than %d bytes", s.ID, maxRefBytes)
		}
	}
	o.tacticRefs = s.TacticRefs
	return nil
}

// readEntry reads what has a page at MITRE: a technique, tactic, mitigation or detection
// strategy.
func (s *stixObject) readEntry(o *object) error {
	for _, r := range s.References {
		if r.Source == "mitre-attack" && r.ExternalID != "" {
			if !validID(s.Type, r.ExternalID) {
				return fmt.Errorf("its ATT&CK id is %s", clip(r.ExternalID))
			}
			if !validURL(r.URL) {
				return fmt.Errorf("its link is %s, not https to a page", clip(r.URL))
			}
			o.attackID, o.url = r.ExternalID, r.URL
			break
		}
	}
	if o.attackID == "" {
		return fmt.Errorf("it has no ATT&CK id")
	}
	o.name = line(s.Name)
	if o.name == "" || len(o.name) > maxTitleBytes {
		return fmt.Errorf("its name is empty or has more than %d bytes", maxTitleBytes)
	}
	if s.Type == typeTactic || s.Type == typeTechnique && !o.revoked {
		o.description = text(s.Description)
	}
	switch s.Type {
	case typeTactic:
		return s.readTactic(o)
	case typeTechnique:
		return s.readTechnique(o)
	default:
		return nil
	}
}

// readTactic reads what only tactics have.
func (s *stixObject) readTactic(o *object) error {
	if s.Shortname == "" || len(s.Shortname) > maxShortnameBytes || slug(s.Shortname) != s.Shortname {
		return fmt.Errorf("its short name is %s", clip(s.Shortname))
	}
	o.shortname = s.Shortname
	return nil
}

// readTechnique reads what only techniques have.
func (s *stixObject) readTechnique(o *object) error {
	for _, p := range s.Phases {
		if p.Chain == "mitre-attack" && !slices.Contains(o.phases, p.Phase) {
			o.phases = append(o.phases, p.Phase)
		}
	}
	if len(o.phases) > maxPhases || slices.ContainsFunc(o.phases, func(p string) bool { return len(p) > maxShortnameBytes }) {
		o.phases = nil
		return fmt.Errorf("it has more than %d tactics, or one of more than %d bytes", maxPhases, maxShortnameBytes)
	}
	o.linux = slices.Contains(s.Platforms, "Linux")
	o.containers = slices.Contains(s.Platforms, "Containers")
	return nil
}

// validID checks an ATT&CK id: the letters of its type and digits; of a sub-technique, those
// of its parent and three digits.
func validID(typ, id string) bool {
	letters := map[string]string{typeTechnique: "T", typeTactic: "TA", typeMitigation: "M", typeDetection: "DET"}[typ]
	digits, ok := strings.CutPrefix(id, letters)
	if typ == typeTechnique {
		parent, sub, isSub := strings.Cut(digits, ".")
		if isSub && (len(sub) != 3 || countDigits(sub) != 3) {
			return false
		}
		digits = parent
	}
	return ok && len(digits) == idDigits && countDigits(digits) == idDigits
}

// validURL checks a link to a page: https, of printable ASCII that needs no escape.
func validURL(url string) bool {
	return strings.HasPrefix(url, "https://") && len(url) <= maxURLBytes && isPrintable(url) && !strings.ContainsAny(url, " \"'<>\\^`{|}")
}
