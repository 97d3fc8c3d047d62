package render

import (
	"slices"
	"strconv"
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
	// doFirstTitles are their titles in full.
	doFirstTitles []string
}

// layScreen fills the first screen up to its bound. Title, urgency and its reason, place and time,
// the summary, what is shown first, what is not, when it is harmless, and two things to do always
// stand there. Where they are too long together, values are cut, others of the same kind that are
// shorter stand in, the summary is cut, and in the end the other sentences. Where there is room,
// more of what is shown follows.
func layScreen(r *pb.Report) screen {
	s := screen{urgency: urgencyWord(r.GetUrgency()), when: when(r)}
	for _, b := range [...]bound{
		{value: maxScreenValue, told: maxScreenValue},
		{value: maxScreenValue, told: maxScreenValue, terse: true},
		{value: 5, told: maxScreenValue, terse: true},
		{value: 3, told: maxScreenValue, terse: true},
		{value: 2, told: maxScreenValue, terse: true},
		{value: 2, told: 6, terse: true},
		{value: 2, told: 5, terse: true},
		{value: 2, told: 4, terse: true},
		{value: 2, told: 4, terse: true, shown: 15, other: 12},
		{value: 2, told: 3, terse: true},
		{value: 2, told: 4, terse: true, shown: 12, other: 10},
		{value: 2, told: 3, terse: true, shown: 12, other: 10},
		{value: 2, told: 4, terse: true, why: 12, shown: 11, other: 9},
		{value: 2, told: 2, terse: true},
		{value: 2, told: 4, terse: true, why: 11, shown: 10, other: 8, action: 8},
		{value: 2, told: 3, terse: true, why: 10, shown: 10, other: 8, action: 7},
		{value: 2, told: 2, terse: true, why: 10, shown: 9, other: 8, action: 7},
		{value: 2, told: 2, terse: true, what: 14, why: 10, shown: 10, other: 8, action: 7},
		{value: 2, told: 2, terse: true, what: 12, why: 10, shown: 9, other: 8, action: 7},
		{value: 2, told: 2, what: 12, why: 10, shown: 9, other: 8, action: 6},
		{value: 2, told: 2, what: 12, why: 10, shown: 8, other: 7, action: 6},
		{value: 2, told: 2, what: 10, why: 10, shown: 9, other: 8, action: 6},
		{value: 2, told: 2, what: 8, why: 9, shown: 9, other: 7, action: 6},
		{value: 2, told: 2, what: 8, why: 9, shown: 8, other: 7, action: 4},
		{value: 1, told: 1, title: 8, what: 8, why: 7, shown: 7, other: 6, action: 3},
	} {
		if s.fits(r, b) {
			s.addShown(r, b)
			return s
		}
	}
	return s
}

// maxScreenValue is how many words of a value stand on the first screen at most, and
// maxScreenBytes how many bytes.
const (
	maxScreenValue = 8
	maxScreenBytes = 160
)

// bound is how many words of each kind there may be; 0 is any number. Told is for the values of the
// summary, among them the command and its peer, which go last. Terse leaves out of the summary what
// stands elsewhere: the place and how many alerts there are, which is above it, and the parent.
type bound struct {
	value, told, title, why, what, shown, other, action int
	terse                                               bool
}

// summary is the summary as it may stand on the screen.
func (b bound) summary(r *pb.Report) string {
	text := r.GetSummary()
	if !b.terse && b.what == 0 {
		return text
	}
	for _, aside := range [...][2]string{{" in container “", "”"}, {" in pod “", "”"}, {" in namespace “", "”"}, {" (parent “", "”)"}, {" on “" + r.GetHost() + "”", ""}, {" on the host", ""}, {" in a container", ""}, {" (as the rule asks)", ""}} {
		before, rest, ok := strings.Cut(text, aside[0])
		if !ok {
			continue
		}
		// Within the quotes stands what somebody else wrote: it cannot hold a closing quote.
		if _, after, ok := strings.Cut(rest, aside[1]); ok && strings.Count(before, "“") == strings.Count(before, "”") {
			text = before + after
		}
	}
	if before, _, ok := strings.Cut(text, " It is one of "); ok && strings.Count(before, "“") == strings.Count(before, "”") {
		text = before
	}
	return text
}

// fits lays out one of each kind, and reports whether the screen has room for it.
func (s *screen) fits(r *pb.Report, b bound) bool {
	s.title, s.where = title(r), where(r)
	if b.value < maxNameWords {
		s.where = capValues(s.where, 1)
	}
	s.title = capWords(s.title, b.title)
	s.why = b.reason(r)
	s.what = b.tell(b.summary(r))
	s.shown, s.doFirst, s.doFirstTitles = nil, nil, nil
	for _, f := range r.GetShown() {
		if l := b.line(f.GetStatement(), b.shown); len(l) > 0 && !isFiller(f) {
			s.shown = []line{l}
			break
		}
	}
	for _, a := range r.GetActions() {
		if l := b.line(a.GetTitle(), b.action); len(l) > 0 && len(s.doFirst) < 2 {
			s.doFirst = append(s.doFirst, l)
			s.doFirstTitles = append(s.doFirstTitles, plain(sentence(a.GetTitle())))
		}
	}
	notShown, harmless := b.lines(r.GetNotShown()), b.lines(r.GetHarmlessIf())
	if countWords(harmless[0]) <= maxHarmless {
		harmless = harmless[:1] // it belongs to what is shown
	}
	for away := 0; away <= len(notShown)+len(harmless)-2; away++ {
		for k := 0; k < len(harmless) && k <= away; k++ {
			if away-k >= len(notShown) {
				continue
			}
			s.notShown, s.harmlessIf = notShown[away-k], harmless[k]
			if s.countWords() <= maxScreenWords {
				return true
			}
		}
	}
	s.notShown, s.harmlessIf = notShown[0], harmless[0]
	return false
}

// maxHarmless is how many words the first condition may have before a shorter one stands in.
const maxHarmless = 16

// maxChoices bounds how many of each kind are tried for the first screen.
const maxChoices = 4

// reason is why it is so urgent. That a silence does not lower the urgency any more belongs to it:
// somebody expects that it does.
func (b bound) reason(r *pb.Report) line {
	why := r.GetUrgency().GetWhy()
	if !r.GetSilence().GetExpired() {
		return b.line(why, b.why)
	}
	note, most := "Silence expired.", b.why
	switch until := r.GetSilence().GetUntil(); {
	case b.title > 0: // the last there is
		most -= wordsIn(note)
	case !b.terse && b.what == 0 && isTime(until):
		note = "A silence for this expired on " + until.AsTime().Format(secondsLayout) + "."
	}
	l := b.line(why, most)
	if len(l) > 0 {
		l = l.words(" ")
	}
	return l.words(note)
}

// lines are the sentences that can stand for a kind, or one empty line.
func (b bound) lines(sentences []string) []line {
	var out []line
	for _, s := range sentences {
		if l := b.line(s, b.other); len(l) > 0 && len(out) < maxChoices {
			out = append(out, l)
		}
	}
	if len(out) == 0 {
		return []line{nil}
	}
	return out
}

// isFiller reports whether a finding says no more than that no login user is set, which is so for
// nearly every alert: one that names a user names the name's field too.
func isFiller(f *pb.Finding) bool {
	return len(f.GetEvidence()) == 1 && f.GetEvidence()[0] == "user.loginuid"
}

// addShown adds more of what is shown as long as there is room.
func (s *screen) addShown(r *pb.Report, b bound) {
	skipped := false
	for _, f := range r.GetShown() {
		l := b.line(f.GetStatement(), b.shown)
		if len(l) == 0 || isFiller(f) {
			continue
		}
		if !skipped { // it is there
			skipped = true
			continue
		}
		before := s.shown
		if s.shown = append(slices.Clip(s.shown), l); s.countWords() > maxScreenWords {
			s.shown = before
			return
		}
	}
}

// line is a sentence with its values cut, and of at most so many words.
func (b bound) line(text string, most int) line {
	return capWords(capValues(sentence(text), b.value), most)
}

// capValues cuts every value of a line to so many words. The details have them in full.
func capValues(l line, words int) line {
	out := slices.Clone(l)
	for i, s := range out {
		if s.kind == spanValue || s.kind == spanQuoted {
			out[i].text = strings.Replace(shorten(s.text, words, maxScreenBytes), " …...", " …", 1)
		}
	}
	return out
}

// capWords cuts a line after so many words; 0 is any number.
func capWords(l line, most int) line {
	if most == 0 || countWords(l) <= most {
		return l
	}
	var out line
	for _, s := range l {
		left := most - countWords(out)
		if one := (line{s}); countWords(one) > left {
			if left > 0 {
				text := strings.TrimLeft(s.text, " ")
				blank := s.text[:len(s.text)-len(text)]
				s.text = blank + strings.TrimRight(shorten(text, left, len(text)), " ")
				return append(out, s)
			}
			return out.words("...")
		}
		out = append(out, s)
	}
	return out
}

// tell is the summary with its values cut, and cut. The first two words of a shell's command, as sh -c,
// say nothing: where there is room in the sentence they do not count.
func (b bound) tell(summary string) line {
	told := sentence(summary)
	out := capValues(told, b.told)
	for i, s := range told {
		if _, rest, ok := strings.Cut(s.text, " "); ok && b.what == 0 && s.kind == spanQuoted && strings.HasPrefix(rest, "-c ") {
			out[i] = capValues(line{s}, b.told+2)[0]
		}
	}
	return capTold(out, b.what)
}

// capTold cuts a summary as capWords does, but never what came of it, which stands at its end.
func capTold(l line, most int) line {
	if most == 0 || countWords(l) <= most || len(l) == 0 || l[len(l)-1].kind != spanWords {
		return capWords(l, most)
	}
	end := l[len(l)-1].text
	at := -1
	for _, begin := range [...]string{" and was refused", ", which ", ", result "} {
		if at = strings.Index(end, begin); at >= 0 {
			break
		}
	}
	if at < 0 {
		return capWords(l, most)
	}
	result := end[at:]
	room := most - wordsIn(strings.TrimLeft(result, ", "))
	if room < 2 {
		return capWords(l, most)
	}
	head := slices.Clone(l)
	head[len(head)-1].text = end[:at]
	return capWords(head, room).words(result)
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
			if j == len(l)-1 && i < len(list)-1 && !strings.HasSuffix(s.text, "...") {
				s.text = strings.TrimSuffix(s.text, ".")
			}
			out = out.words(s.text)
		}
	}
	return out
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

// when is the time of the event to the second, or when the alert came; and how many alerts there
// are, if it is more than one.
func when(r *pb.Report) string {
	alerts := uint64(0)
	for _, g := range r.GetAlerts() {
		alerts += g.GetOccurrences().GetCount()
	}
	more := ""
	if alerts > 1 {
		more = ", the first of " + strconv.FormatUint(alerts, 10) + " alerts"
	}
	if t := r.GetEventTime(); isTime(t) {
		return t.AsTime().Format(secondsLayout) + more
	}
	if t := r.GetReceivedTime(); isTime(t) {
		return "received " + t.AsTime().Format(secondsLayout) + more
	}
	return strings.TrimPrefix(more, ", ")
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
