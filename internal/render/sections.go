package render

import (
	"strings"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// layAnalysis lays out what a match means in general, all findings, what they do not show, and what would make them harmless.
func layAnalysis(r *pb.Report, n numbering) []block {
	var out []block
	if l := prose(r.GetMeaning()); len(l) > 0 {
		out = append(out, subheading(line{}.words("What a match of this rule means")), paragraph(l))
	}
	var shown bullets
	for _, f := range r.GetShown() {
		if l := finding(f, n); len(l) > 0 {
			shown = append(shown, l)
		}
	}
	if shown != nil {
		out = append(out, subheading(line{}.words(labelShown)), shown)
	}
	for _, part := range []struct {
		heading   string
		sentences []string
	}{
		{labelNotShown, r.GetNotShown()},
		{labelHarmless, r.GetHarmlessIf()},
	} {
		if list := layList(part.sentences); list != nil {
			out = append(append(out, subheading(line{}.words(part.heading))), list...)
		}
	}
	return out
}

// finding is a statement, how sure it is, and the fields and alerts that it rests on.
func finding(f *pb.Finding, n numbering) line {
	l := sentence(f.GetStatement())
	if len(l) == 0 {
		return nil
	}
	about := line{}.words(confidence(f.GetConfidence()))
	if evidence := present(f.GetEvidence()...); len(evidence) > 0 {
		about = about.comma().words("from ").values(evidence)
	}
	if alerts := n.list(f.GetAlertIds()); alerts != "" {
		about = about.comma().words(alerts)
	}
	if len(about) == 0 {
		return l
	}
	return l.words(" (").join(about).words(")")
}

func confidence(c pb.Confidence) string {
	switch c {
	case pb.Confidence_CONFIDENCE_CERTAIN:
		return "certain"
	case pb.Confidence_CONFIDENCE_LIKELY:
		return "likely"
	case pb.Confidence_CONFIDENCE_POSSIBLE:
		return "possible"
	default:
		return ""
	}
}

// layActions lays out what to do by phase, numbered through.
func layActions(actions []*pb.Action) []block {
	var out []block
	number := 0
	for _, phase := range []struct {
		phase   pb.Phase
		heading string
	}{
		{pb.Phase_PHASE_VERIFY, "Verify"},
		{pb.Phase_PHASE_CONTAIN, "Contain"},
		{pb.Phase_PHASE_COLLECT, "Collect evidence"},
		{pb.Phase_PHASE_ERADICATE, "Eradicate"},
		{pb.Phase_PHASE_HARDEN, "Harden"},
		{pb.Phase_PHASE_TUNE, "Tune"},
		{pb.Phase_PHASE_UNSPECIFIED, "Also"},
	} {
		before := number
		for _, a := range actions {
			if a.GetPhase() != phase.phase {
				continue
			}
			if number == before {
				out = append(out, subheading(line{}.words(phase.heading)))
			}
			number++
			out = append(out, layAction(number, a))
		}
	}
	return out
}

func layAction(number int, a *pb.Action) action {
	out := action{
		number:      number,
		title:       sentence(a.GetTitle()),
		why:         prose(a.GetWhy()),
		tool:        a.GetTool(),
		language:    a.GetLanguage(),
		snippet:     a.GetSnippet(),
		reference:   a.GetReference(),
		referenceOK: isWebURL(a.GetReference()),
	}
	if len(out.title) == 0 {
		out.title = line{}.words("Action")
	}
	return out
}

// toolLine is the tool, as an introduction to the snippet.
func (a action) toolLine() line {
	return line{}.words(strings.Trim(a.tool, " ") + choose(a.snippet == "", ".", ":"))
}

// layRule lays out what the rule's file says of it.
func layRule(r *pb.Rule) []block {
	var out []block
	if l := prose(r.GetDescription()); len(l) > 0 {
		out = append(out, paragraph(line{}.words("The rule's own claim: ").join(l)))
	}
	var t table
	t.addValue("Maturity", r.GetMaturity())
	t.addValue("File", r.GetFile())
	if t != nil {
		out = append(out, t)
	}
	if r.GetCondition() != "" {
		out = append(out, code{text: r.GetCondition()})
	}
	return out
}

// join adds another line to this one.
func (l line) join(other line) line {
	for _, s := range other {
		if s.kind == spanWords {
			l = l.words(s.text)
			continue
		}
		l = append(l, s)
	}
	return l
}
