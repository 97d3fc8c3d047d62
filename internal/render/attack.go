package render

import (
	"strings"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// maxVersion bounds the ATT&CK version in a heading, which is not wrapped.
const maxVersion = 16

func attackHeading(a *pb.Attack) string {
	if v := a.GetVersion(); v != "" && len(v) <= maxVersion && isOneOf(v, ".-") {
		return "MITRE ATT&CK (v" + v + ")"
	}
	return "MITRE ATT&CK"
}

// layAttack lays out the classification by ATT&CK.
func layAttack(a *pb.Attack) []block {
	if len(a.GetTactics())+len(a.GetTechniques())+len(a.GetUnresolvedTags()) == 0 {
		return nil
	}
	out := []block{paragraph(line{}.words(
		"The author of the rule chose this classification. It describes the rule and proves nothing about this event."))}
	if tags := present(a.GetUnresolvedTags()...); len(tags) > 0 {
		out = append(out, paragraph(line{}.words("Tags that this version of ATT&CK does not know: ").values(tags).words(".")))
	}
	if list := layTactics(a.GetTactics()); list != nil {
		out = append(out, subheading(line{}.words("Tactics")), list)
	}
	for _, t := range a.GetTechniques() {
		out = append(out, layTechnique(t)...)
	}
	return out
}

func layTactics(tactics []*pb.Tactic) bullets {
	var list bullets
	for _, t := range tactics {
		l := entry(spanLink, t.GetId(), t.GetName(), t.GetUrl())
		if text := prose(t.GetDescription()); len(text) > 0 {
			l = l.words(": ").join(text)
		}
		if len(l) > 0 {
			list = append(list, l)
		}
	}
	return list
}

// layTechnique lays out a technique under a heading of its own.
func layTechnique(t *pb.Technique) []block {
	name := join(": ", t.GetParentName(), t.GetName())
	heading := entry(spanLink, t.GetId(), name, t.GetUrl())
	if len(heading) == 0 {
		return nil
	}
	out := []block{subheading(heading)}
	if text := prose(t.GetDescription()); len(text) > 0 {
		out = append(out, paragraph(text))
	}
	var notes bullets
	if t.GetTaggedId() != "" {
		notes = append(notes, line{}.words("Tagged as ").value(t.GetTaggedId()).words(", which is what another version of ATT&CK calls this."))
	}
	var tactics line
	for _, x := range t.GetTactics() {
		tactics = tactics.comma().join(entry(spanQuietLink, x.GetId(), x.GetName(), x.GetUrl()))
	}
	if len(tactics) > 0 {
		notes = append(notes, line{}.words("Tactics: ").join(tactics))
	}
	var mitigations line
	for _, m := range t.GetMitigations() {
		mitigations = mitigations.comma().join(entry(spanQuietLink, m.GetId(), m.GetName(), m.GetUrl()))
	}
	if len(mitigations) > 0 {
		notes = append(notes, line{}.words("Mitigations: ").join(mitigations))
	}
	if notes != nil {
		out = append(out, notes)
	}
	return out
}

// entry is an id, linked where MITRE has a page for it, and a name.
func entry(kind spanKind, id, name, url string) line {
	l := line{}.link(kind, id, url)
	if name == "" {
		return l
	}
	if len(l) > 0 {
		l = l.words(" ")
	}
	return l.words(name)
}

// isAttackURL reports whether s is a page of ATT&CK that can stand in a link of any format.
func isAttackURL(s string) bool {
	path, ok := strings.CutPrefix(s, "https://attack.mitre.org/")
	return ok && isOneOf(path, "/.-_")
}

// isWebURL reports whether s is a web address that can stand in a link of any format. User
// names are not allowed, for they make one address look like another.
func isWebURL(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(s, "http://")
	}
	host, _, _ := strings.Cut(rest, "/")
	return ok && host != "" && isOneOf(host, ".-:") && isOneOf(rest, "-._~:/?#!$&'()*+,;=%")
}

// isOneOf reports whether s has only ASCII letters, digits and the given characters.
func isOneOf(s, others string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
