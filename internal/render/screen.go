package render

import (
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
// always stand there; of the rest, what matters more is put in first, and what does not fit
// is left to the sections.
func layScreen(r *pb.Report) screen {
	s := screen{
		urgency: urgencyWord(r.GetUrgency()),
		title:   title(r),
		where:   where(r),
		when:    when(r),
		what:    sentence(r.GetSummary()),
	}
	findings := r.GetShown()
	if len(findings) > 0 {
		s.offer(func() { s.shown = addLine(s.shown, findings[0].GetStatement()) })
	}
	actions := r.GetActions()
	if len(actions) > 0 {
		s.offer(func() { s.doFirst = addLine(s.doFirst, actions[0].GetTitle()) })
	}
	s.offer(func() { s.notShown = sentence(first(r.GetNotShown())) })
	s.offer(func() { s.harmlessIf = sentence(first(r.GetHarmlessIf())) })
	if len(actions) > 1 && len(s.doFirst) > 0 {
		s.offer(func() { s.doFirst = addLine(s.doFirst, actions[1].GetTitle()) })
	}
	s.offer(func() { s.why = sentence(r.GetUrgency().GetWhy()) })
	for i := 1; i < len(findings) && len(s.shown) == i; i++ {
		s.offer(func() { s.shown = addLine(s.shown, findings[i].GetStatement()) })
	}
	return s
}

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

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
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
	l := place(r)
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

// place is where without the name of the host.
func place(r *pb.Report) line {
	var l line
	c, k := r.GetContainer(), r.GetKubernetes()
	switch {
	case r.GetAlertKind() == pb.AlertKind_ALERT_KIND_FALCO_INTERNAL:
		return l.words("Falco")
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
