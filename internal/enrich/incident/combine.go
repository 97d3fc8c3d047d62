package incident

import (
	"cmp"
	"slices"
	"strings"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"

	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// combination is what several alerts show together and none alone.
type combination struct {
	finding *pb.Finding
	// open is what it might be taken for and does not show.
	open string
	// level and why are the urgency that it asks for.
	level pb.UrgencyLevel
	why   string
}

// maxCombined bounds the combinations of an account.
const maxCombined = 8

// combine finds the combinations among the tellings, the most urgent first. They rest on what
// the events were about, in the order of their times, within one container or one process tree;
// the name of a rule is no evidence.
func (g *group) combine() []combination {
	if len(g.tellings) < 2 {
		return nil
	}
	deeds := make([]deed, len(g.tellings))
	for i := range g.tellings {
		deeds[i] = deed{&g.tellings[i]}
	}
	slices.SortStableFunc(deeds, func(x, y deed) int { return cmp.Compare(x.at, y.at) })
	var out []combination
	for _, find := range [...]func([]deed, int) (combination, bool){droppedProgram, downloadThenProgram, secretThenConnection, traceRemoved} {
		for i := range deeds {
			c, ok := find(deeds, i)
			told := slices.ContainsFunc(out, func(x combination) bool { return x.finding.GetStatement() == c.finding.GetStatement() })
			if ok && !told && len(out) < maxCombined {
				out = append(out, c)
			}
		}
	}
	slices.SortStableFunc(out, func(x, y combination) int { return cmp.Compare(y.level, x.level) })
	return out
}

const (
	certain  = pb.Confidence_CONFIDENCE_CERTAIN
	likely   = pb.Confidence_CONFIDENCE_LIKELY
	possible = pb.Confidence_CONFIDENCE_POSSIBLE
)

func finding(c pb.Confidence, statement string, evidence []string, of ...deed) *pb.Finding {
	f := &pb.Finding{Statement: statement, Confidence: c, Evidence: evidence}
	for _, d := range of {
		f.AlertIds = append(f.AlertIds, string(d.id))
	}
	return f
}

// droppedProgram: a file was created, made executable, and executed.
func droppedProgram(deeds []deed, i int) (combination, bool) {
	made, ok := deeds[i].creates()
	if !ok {
		return combination{}, false
	}
	var changed, ran *deed
	for j := range deeds[i+1:] {
		d := &deeds[i+1+j]
		switch {
		case !d.belongs(deeds[i]):
		case changed == nil && ran == nil && d.makesExecutable() == made.file:
			changed = d
		case changed != nil && ran == nil && d.runs(made.file):
			ran = d
		}
	}
	if changed == nil {
		return combination{}, false
	}
	name := phrase.Quote(made.file)
	evidence := slices.Concat([]string{"evt.type"}, made.evidence, []string{changed.fileField(), "evt.arg.mode"})
	done, sure := made.done && changed.isDone(), certain
	if strings.HasPrefix(made.call, "create") && !made.new {
		sure = likely // it was there before, perhaps, and was emptied or added to
	}
	if ran == nil {
		c := combination{
			finding: finding(sure, name+" "+made.how+", then made executable.", unique(append(evidence, "evt.res")), deeds[i], *changed),
			open:    "That " + name + " was executed: no alert shows it.",
			level:   pb.UrgencyLevel_URGENCY_LEVEL_TODAY, why: "A file " + made.how + " and made executable.",
		}
		if sure != certain {
			c.open = "That " + name + " was new or was executed."
		}
		if !done {
			c.finding = finding(likely, "Calls to "+made.call+name+" and to make it executable came in this order; not all results are shown.", unique(evidence), deeds[i], *changed)
			c.why = "Calls to " + made.call + "a file and to make it executable."
		}
		return c, true
	}
	evidence = append(evidence, "proc.exepath", "proc.cmdline")
	c := combination{
		finding: finding(sure, name+" "+made.how+", then made executable, then executed.", unique(append(evidence, "evt.res")), deeds[i], *changed, *ran),
		level:   pb.UrgencyLevel_URGENCY_LEVEL_PAGE, why: "A file " + made.how + ", made executable and executed.",
	}
	if sure != certain {
		c.open = "That " + name + " was new: it may have been there."
	}
	// What runs from a path was executed, whether or not the result is shown.
	if !done || !ran.isDone() && absolute(ran.view.GetProcess().GetExePath()) != made.file {
		c.finding = finding(likely, "Calls to "+made.call+name+", to make it executable and to execute it came in this order; not all results are shown.", unique(evidence), deeds[i], *changed, *ran)
		c.why = "Calls to " + made.call + "a file, to make it executable and to execute it."
	}
	return c, true
}

// unique are the fields of an evidence without repetitions.
func unique(fields []string) []string {
	var out []string
	for _, f := range fields {
		out = add(out, f, len(fields))
	}
	return out
}

// downloadThenProgram: a tool was told to save a file from the network, and then a program ran
// that is that file, or that was not there before.
func downloadThenProgram(deeds []deed, i int) (combination, bool) {
	x, ok := deeds[i].downloads()
	if !ok {
		return combination{}, false
	}
	evidence := []string{"proc.name", "proc.cmdline", "proc.exepath"}
	for _, d := range deeds[i+1:] {
		file := d.program()
		if file == "" || !d.belongs(deeds[i]) {
			continue
		}
		if saved := x.savedAs(file); saved != "" {
			if x.placed {
				evidence = append(evidence, "proc.cwd")
			}
			return combination{
				finding: finding(likely, "A download was to be saved as "+phrase.Quote(saved)+", and then "+phrase.Quote(file)+" was executed.", evidence, deeds[i], d),
				open:    "That what was executed is what was downloaded: only the names agree.",
				level:   pb.UrgencyLevel_URGENCY_LEVEL_PAGE, why: "What a download was saved as was executed.",
			}, true
		}
	}
	for _, d := range deeds[i+1:] {
		// A name that the tool was told is that of no other file.
		if file := d.program(); !x.told && strings.HasPrefix(file, "/") && d.belongs(deeds[i]) && d.isNewProgram(file) {
			return combination{
				finding: finding(possible, "After a download tool was started ("+phrase.Quote(deeds[i].view.GetProcess().GetCommandLine())+"), "+phrase.Quote(file)+" was executed: perhaps what it fetched.", evidence, deeds[i], d),
				level:   pb.UrgencyLevel_URGENCY_LEVEL_TODAY, why: "A program ran that may have been downloaded.",
			}, true
		}
	}
	return combination{}, false
}

// secretThenConnection: a file with credentials was opened, and then a connection was made. That
// the file holds them is told by its name alone.
func secretThenConnection(deeds []deed, i int) (combination, bool) {
	file := deeds[i].readsSecret()
	if file == "" {
		return combination{}, false
	}
	for _, d := range deeds[i+1:] {
		to, field := d.connects()
		if to == "" || !d.belongs(deeds[i]) {
			continue
		}
		evidence := unique([]string{"evt.type", deeds[i].fileField(), field})
		c := combination{
			finding: finding(likely, phrase.Quote(file)+", which holds credentials, was opened before a connection to "+phrase.Quote(to)+".", append(evidence, "evt.res"), deeds[i], d),
			open:    "That credentials were sent: neither what was read nor what was sent is seen.",
			level:   pb.UrgencyLevel_URGENCY_LEVEL_PAGE, why: "Credentials were opened before a connection was made.",
		}
		if !deeds[i].isDone() || !d.isDone() {
			c.finding = finding(likely, "A call to open "+phrase.Quote(file)+", which holds credentials, came before one to reach "+phrase.Quote(to)+"; not all results are shown.", evidence, deeds[i], d)
			c.why = "A call to open credentials came before one to reach another host."
		}
		if name := deeds[i].view.GetProcess().GetName(); name == d.view.GetProcess().GetName() && isItsOwn(name, file) {
			c.open = "That it was more than " + phrase.Quote(name) + " does with this file in its daily work, if it is the program of that name."
			c.level = pb.UrgencyLevel_URGENCY_LEVEL_TODAY
		}
		return c, true
	}
	return combination{}, false
}

// traceRemoved: a shell was at work, and then a log or the history of a shell was emptied,
// moved or removed.
func traceRemoved(deeds []deed, i int) (combination, bool) {
	file, sure := deeds[i].removesTrace()
	if file == "" {
		return combination{}, false
	}
	for _, d := range deeds[:i] {
		if d.at == deeds[i].at || !d.belongs(deeds[i]) || !d.ofShell() {
			continue
		}
		evidence := []string{"proc.name", "proc.pname", "evt.type", "fd.name", "proc.cmdline"}
		c := combination{
			finding: finding(sure, "After a shell had been at work, "+phrase.Quote(file)+" was emptied, moved or removed.", append(evidence, "evt.res"), d, deeds[i]),
			level:   pb.UrgencyLevel_URGENCY_LEVEL_TODAY, why: "Traces were removed after a shell had been at work.",
		}
		if !deeds[i].isDone() {
			c.finding = finding(min(sure, likely), "After a shell had been at work, a call came to empty, move or remove "+phrase.Quote(file)+"; its result is not shown.", evidence, d, deeds[i])
			c.why = "A call to remove traces came after a shell had been at work."
		}
		return c, true
	}
	return combination{}, false
}
