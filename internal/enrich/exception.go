package enrich

import (
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/enrich/rules"
	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// maxExceptionRows bounds how many rows of a rule's exceptions are compared with an alert: what
// is generated for thousands of machines must not slow down every alert.
const maxExceptionRows = 1024

// findNearException: a row of the rule's exceptions of which all comparisons but one hold. It
// may be that the exception was meant for this, and that one value has changed since.
func (s *scene) findNearException() {
	rows := 0
	for i := range s.rule.Exceptions {
		ex := &s.rule.Exceptions[i]
		for _, row := range ex.Values {
			if rows++; rows > maxExceptionRows {
				return
			}
			if at, ok := s.onlyMiss(ex, row); ok {
				s.showNear(ex, at, row[at])
				return
			}
		}
	}
}

// onlyMiss is the place of the only comparison of a row that does not hold, for a row of which
// all the others do.
func (s *scene) onlyMiss(ex *rules.Exception, row []rules.Value) (at int, ok bool) {
	if len(row) < 2 || len(row) != len(ex.Fields) || len(row) != len(ex.Comps) {
		return 0, false // of a single comparison nothing else holds
	}
	at = -1
	for i, want := range row {
		got, present := s.a.Text(ex.Fields[i])
		holds, known := holds(got, ex.Comps[i], want)
		switch {
		case !present || !known:
			return 0, false
		case holds:
		case at >= 0:
			return 0, false
		default:
			at = i
		}
	}
	return at, at >= 0
}

// showNear says which exception nearly matched, and which value kept it from doing so.
func (s *scene) showNear(ex *rules.Exception, at int, want rules.Value) {
	field := ex.Fields[at]
	s.show(likely, "Only "+phrase.Visible(field)+" ("+phrase.Quote(s.a.String(field))+") keeps the rule's exception "+phrase.Quote(ex.Name)+
		" from matching: it asks for "+phrase.Visible(ex.Comps[at])+" "+wanted(want)+".", ex.Fields...)
	s.harmlessIf("the rule's exception " + phrase.Quote(ex.Name) + " was meant for this too")
}

// wanted writes what a field is compared with: a text, or the first of a list.
func wanted(v rules.Value) string {
	if v.List == nil {
		return phrase.Quote(v.Text)
	}
	const most = 3
	var out []string
	for _, e := range v.List[:min(len(v.List), most)] {
		out = append(out, phrase.Quote(e))
	}
	if len(v.List) > most {
		out = append(out, "others")
	}
	return strings.Join(out, ", ")
}

// holds compares as Falco does. It is not known for operators that are not read here, and for
// names of lists, which the rule set does not keep.
func holds(got, op string, want rules.Value) (holds, known bool) {
	if want.List != nil {
		return inList(got, op, want.List)
	}
	switch op {
	case "=", "==":
		return got == want.Text, true
	case "!=":
		return got != want.Text, true
	case "startswith":
		return strings.HasPrefix(got, want.Text), true
	case "endswith":
		return strings.HasSuffix(got, want.Text), true
	case "contains":
		return strings.Contains(got, want.Text), true
	case "icontains":
		return strings.Contains(strings.ToLower(got), strings.ToLower(want.Text)), true
	default:
		return false, false
	}
}

// inList compares with each of a list. An element can be the name of a Falco list, so that one
// that is not found proves nothing by itself; but the rule has fired, so that of a row whose other
// comparisons hold this one does not.
func inList(got, op string, list []string) (holds, known bool) {
	for _, e := range list {
		switch op {
		case "in":
			holds = got == e
		case "pmatch":
			holds = got == e || strings.HasPrefix(got, strings.TrimSuffix(e, "/")+"/")
		default:
			return false, false
		}
		if holds {
			return true, true
		}
	}
	return false, op == "in" || op == "pmatch"
}
