package render

import (
	"slices"
	"strings"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// The bounds of the first screen.
const (
	// maxScreenWords keeps it below 80 words, title and labels included.
	maxScreenWords = 79
	// maxTitleWords and maxTitleBytes bound the title, which is not left out.
	maxTitleWords = 12
	maxTitleBytes = 120
	// maxNameWords and maxNameBytes bound each name of a place.
	maxNameWords = 3
	maxNameBytes = 64
)

// The labels of the first screen.
const (
	labelWhat     = "What happened"
	labelShown    = "Shown"
	labelNotShown = "Not shown"
	labelHarmless = "Harmless if"
	labelDoFirst  = "Do first"
)

// separator stands between urgency, place and time in Markdown.
const separator = " · "

// screen is what is read first, and perhaps alone.
type screen struct {
	urgency    string // in capitals; empty if not computed
	title      line
	where      line
	when       string
	why        line
	what       line
	shown      []line
	notShown   line
	harmlessIf line
	doFirst    []line
}

// layScreen fills the first screen up to its bound. Title, urgency, place, time and summary
// always stand there, and of the rest as much as fits: what is shown, what is not, when it is
// harmless, and two things to do. The first of each goes before the next ones; where the first
// ones are too long together, shorter ones of the same kind stand in. What does not fit is left
// to the sections.
func layScreen(r *pb.Report) screen {
	s := screen{
		urgency: urgencyWord(r.GetUrgency()),
		title:   title(r),
		where:   where(r),
		when:    when(r),
		what:    sentence(r.GetSummary()),
	}
	var statements, titles []string
	for _, f := range r.GetShown() {
		statements = append(statements, f.GetStatement())
	}
	for _, a := range r.GetActions() {
		titles = append(titles, a.GetTitle())
	}
	shown, notShown, harmless, actions := lines(statements), lines(r.GetNotShown()), lines(r.GetHarmlessIf()), lines(titles)
	if !s.choose(shown, notShown, harmless, actions) {
		s.fill(shown, notShown, harmless, actions)
	}
	s.offer(func() { s.why = sentence(r.GetUrgency().GetWhy()) })
	for i := 0; i < len(shown) && len(s.shown) > 0; i++ {
		if !same(shown[i], s.shown[0]) && len(s.shown) <= i {
			s.offer(func() { s.shown = append(slices.Clip(s.shown), shown[i]) })
		}
	}
	return s
}

// maxChoices bounds how many of each kind are tried for the first screen.
const maxChoices = 4

// choose puts one of each kind and two actions on the screen, the earliest that fit together.
func (s *screen) choose(shown, notShown, harmless, actions []line) bool {
	tries := func(list []line) []line { return orNone(list[:min(len(list), maxChoices)]) }
	try1, try2, try3 := tries(shown), tries(notShown), tries(harmless)
	s.doFirst = actions[:min(len(actions), 2)]
	if s.countWords() > maxScreenWords {
		return false
	}
	// By how far down their lists the three stand in all, what is shown last to give way.
	for away := 0; away <= len(try1)+len(try2)+len(try3)-3; away++ {
		for i := 0; i < len(try1) && i <= away; i++ {
			for j := 0; j < len(try2) && i+j <= away; j++ {
				k := away - i - j
				if k >= len(try3) {
					continue
				}
				s.shown, s.notShown, s.harmlessIf = nil, try2[j], try3[k]
				if len(try1[i]) > 0 {
					s.shown = []line{try1[i]}
				}
				if s.countWords() <= maxScreenWords {
					return true
				}
			}
		}
	}
	return false
}

// fill puts the first of each kind on the screen as long as there is room, in the order of
// what matters.
func (s *screen) fill(shown, notShown, harmless, actions []line) {
	s.shown, s.notShown, s.harmlessIf, s.doFirst = nil, nil, nil, nil
	if len(shown) > 0 {
		s.offer(func() { s.shown = shown[:1] })
	}
	if len(actions) > 0 {
		s.offer(func() { s.doFirst = actions[:1] })
	}
	s.offer(func() { s.notShown = orNone(notShown)[0] })
	s.offer(func() { s.harmlessIf = orNone(harmless)[0] })
	if len(actions) > 1 && len(s.doFirst) > 0 {
		s.offer(func() { s.doFirst = actions[:2] })
	}
}

// lines are sentences without the blank ones.
func lines(sentences []string) []line {
	var out []line
	for _, s := range sentences {
		out = addLine(out, s)
	}
	return out
}

// orNone is the list, or one empty line for an empty list.
func orNone(list []line) []line {
	if len(list) == 0 {
		return []line{nil}
	}
	return list
}

// same reports whether two lines are the very same.
func same(a, b line) bool { return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] }

// offer makes a change unless the screen then has too many words.
func (s *screen) offer(change func()) {
	before := *s
	change()
	if s.countWords() > maxScreenWords {
		*s = before
	}
}

// countWords counts the words of the screen with its labels, numbers and separators.
func (s *screen) countWords() int {
	n := countWords(s.title) + wordsIn(s.urgency) + countWords(s.where) + wordsIn(s.when) + countWords(s.why)
	if s.urgency != "" {
		n += wordsIn(separator)
	}
	if len(s.where) > 0 {
		n += wordsIn(separator)
	}
	for i, l := range s.shown {
		if i == 0 {
			n += wordsIn(labelShown)
		}
		n += countWords(l)
	}
	for i, l := range s.doFirst {
		if i == 0 {
			n += wordsIn(labelDoFirst)
		}
		n += 1 + countWords(l)
	}
	for _, f := range [...]row{{labelWhat, s.what}, {labelNotShown, s.notShown}, {labelHarmless, s.harmlessIf}} {
		if len(f.cell) > 0 {
			n += wordsIn(f.label) + countWords(f.cell)
		}
	}
	return n
}

// facts are the labelled sentences of the screen, without what to do.
func (s *screen) facts() []row {
	var out []row
	for _, f := range []row{
		{labelWhat, s.what},
		{labelShown, joinSentences(s.shown)},
		{labelNotShown, s.notShown},
		{labelHarmless, s.harmlessIf},
	} {
		if len(f.cell) > 0 {
			out = append(out, f)
		}
	}
	return out
}

// joinSentences puts semicolons between sentences, in place of the full stops.
func joinSentences(list []line) line {
	var out line
	for i, l := range list {
		if i > 0 {
			out = out.words("; ")
		}
		for j, s := range l {
			if s.kind != spanWords {
				out = append(out, s)
				continue
			}
			if j == len(l)-1 && i < len(list)-1 {
				s.text = strings.TrimSuffix(s.text, ".")
			}
			out = out.words(s.text)
		}
	}
	return out
}

// addLine adds a sentence to a list, unless it is blank.
func addLine(list []line, s string) []line {
	if l := sentence(s); len(l) > 0 {
		return append(list, l)
	}
	return list
}

// urgencyWord is the level in capitals, and whether the event was old when it came.
func urgencyWord(u *pb.Urgency) string {
	word := ""
	switch u.GetLevel() {
	case pb.UrgencyLevel_URGENCY_LEVEL_PAGE:
		word = "PAGE"
	case pb.UrgencyLevel_URGENCY_LEVEL_TODAY:
		word = "TODAY"
	case pb.UrgencyLevel_URGENCY_LEVEL_RECORD:
		word = "RECORD"
	default:
	}
	if u.GetLate() {
		return join(", ", word, "LATE")
	}
	return word
}

// title is the title of the report, or the rule's name; never empty.
func title(r *pb.Report) line {
	for _, s := range []string{r.GetTitle(), r.GetRule().GetName(), r.GetAlert().GetRule()} {
		if l := sentence(shorten(strings.Trim(s, " "), maxTitleWords, maxTitleBytes)); len(l) > 0 {
			return l
		}
	}
	return line{}.words("Alert without a rule")
}

// where says where it happened: pod, container, host, or the API that was asked.
func where(r *pb.Report) line {
	l := placeOf(r)
	host := r.GetHost()
	switch {
	case host == "":
		return l
	case len(l) == 0:
		return l.words("host ").name(host)
	case r.GetWorkload() == pb.Workload_WORKLOAD_HOST:
		return l.words(" ").name(host)
	default:
		return l.words(" on ").name(host)
	}
}

// placeOf is where without the name of the host.
func placeOf(r *pb.Report) line {
	var l line
	c, k := r.GetContainer(), r.GetKubernetes()
	switch {
	case r.GetAlertKind() == pb.AlertKind_ALERT_KIND_FALCO_INTERNAL:
		return l.words("Falco")
	case r.GetAlertKind() == pb.AlertKind_ALERT_KIND_REPORTER_INTERNAL:
		return l.words("falco-reporter")
	case k.GetPodName() != "":
		return l.words("pod ").name(join("/", k.GetNamespace(), k.GetPodName()))
	case k.GetRequest() != nil && k.GetRequest().GetNamespace() != "":
		return l.words("Kubernetes namespace ").name(k.GetRequest().GetNamespace())
	case k.GetRequest() != nil:
		return l.words("the Kubernetes API")
	case c.GetName() != "" || c.GetId() != "":
		l = l.words("container ").name(either(c.GetName(), c.GetId()))
		if image := c.GetImageRepository(); image != "" {
			l = l.words(" (").name(join(":", image, c.GetImageTag())).words(")")
		}
		return l
	case r.GetWorkload() == pb.Workload_WORKLOAD_HOST:
		return l.words("the host")
	case r.GetWorkload() == pb.Workload_WORKLOAD_CONTAINER:
		return l.words("a container")
	default:
		return nil
	}
}

// name adds a name of a place, short enough for the first screen.
func (l line) name(s string) line {
	return l.add(span{kind: spanValue, text: shorten(s, maxNameWords, maxNameBytes)})
}

// when is the time of the event to the second, or when the alert came.
func when(r *pb.Report) string {
	if t := r.GetEventTime(); isTime(t) {
		return t.AsTime().Format(secondsLayout)
	}
	if t := r.GetReceivedTime(); isTime(t) {
		return "received " + t.AsTime().Format(secondsLayout)
	}
	return ""
}

// shorten cuts s after so many words or bytes. The details have it in full.
func shorten(s string, words, bytes int) string {
	end := runeStart(s, min(len(s), bytes))
	n := 0
	for i := 1; i < end; i++ {
		if s[i] == ' ' && s[i-1] != ' ' {
			if n++; n == words {
				end = i
			}
		}
	}
	if strings.Trim(s[end:], " ") == "" {
		return s[:end]
	}
	return s[:end] + "..."
}

// join puts what is there of two texts together.
func join(sep, a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + sep + b
}

// either is a, or b if a is empty.
func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
