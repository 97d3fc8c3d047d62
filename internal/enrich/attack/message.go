package attack

import (
	"strings"

	falcoreporterv1 "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// Message returns what Resolve finds as the message of a report, nil if that is nothing. The
// tactics that tags name have their descriptions; those within techniques do not, to say
// nothing twice. The description of a technique says first what a reader of its id must know:
// that MITRE gave it up, or that it is of a later version.
//
// The message and all that is in it are cached and shared: it must not be changed, and may be
// read and encoded concurrently. The tags must be valid UTF-8, as those of a decoded alert
// are.
func (d *Data) Message(tags []string) *falcoreporterv1.Attack {
	return d.resolved(tags).message
}

// newMessage makes the message, nil if there is nothing to say.
func (d *Data) newMessage(tactics []*Tactic, techniques []*target, unresolved []string) *falcoreporterv1.Attack {
	if len(tactics)+len(techniques)+len(unresolved) == 0 {
		return nil
	}
	m := &falcoreporterv1.Attack{Version: d.version, UnresolvedTags: unresolved}
	for _, t := range tactics {
		m.Tactics = append(m.Tactics, d.tacticMessages[t])
	}
	for _, t := range techniques {
		m.Techniques = append(m.Techniques, t.message)
	}
	return m
}

// message makes the message of a technique once for all reports.
func (l *loader) message(t *Technique, taggedID string) *falcoreporterv1.Technique {
	m := &falcoreporterv1.Technique{
		Id: t.ID, Name: t.Name, ParentName: t.ParentName, Url: t.URL, TaggedId: taggedID,
		Description: strings.TrimSpace(l.remark(t) + " " + t.Description),
	}
	for _, tactic := range t.Tactics {
		m.Tactics = append(m.Tactics, l.tacticMessages[tactic])
	}
	for _, mitigation := range t.Mitigations {
		m.Mitigations = append(m.Mitigations, l.mitigationMessages[mitigation.ID])
	}
	return m
}

// remark is what a reader must know of a technique that is not simply live, empty otherwise.
func (l *loader) remark(t *Technique) string {
	switch {
	case t.Deprecated && strings.HasPrefix(t.Description, "This technique has been deprecated"):
		return "" // MITRE's own text says it
	case t.Deprecated:
		return "MITRE has deprecated this technique."
	case t.Version == l.file.Version:
		return ""
	case len(t.Replaces) == 0:
		return "New in ATT&CK v" + t.Version + "; " + l.release() + " does not have it."
	default:
		old := make([]string, 0, len(t.Replaces))
		for _, id := range t.Replaces {
			old = append(old, id+" "+l.data.techniques[id].Name)
		}
		remark := "New in ATT&CK v" + t.Version + ", in place of what " + l.release() + " calls " + strings.Join(old, ", ") + "."
		if t.TextOf != "" {
			remark += " The text and the mitigations are those that " + l.release() + " has for " + t.TextOf + ", which has the same name."
		}
		return remark
	}
}

// release is how texts call the version of the data.
func (l *loader) release() string {
	if l.file.Version == unknownVersion {
		return "the loaded bundle"
	}
	return "v" + l.file.Version
}
