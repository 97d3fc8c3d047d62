package incident

import (
	"cmp"
	"path"
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
	file, field := deeds[i].creates()
	if file == "" {
		return combination{}, false
	}
	var changed, ran *deed
	for j := range deeds[i+1:] {
		d := &deeds[i+1+j]
		switch {
		case !d.belongs(deeds[i]):
		case changed == nil && ran == nil && d.makesExecutable() == file:
			changed = d
		case changed != nil && ran == nil && d.runs(file):
			ran = d
		}
	}
	if changed == nil {
		return combination{}, false
	}
	evidence := []string{"evt.type", field, "evt.arg.filename", "evt.arg.mode"}
	if ran == nil {
		c := combination{
			finding: finding(certain, phrase.Quote(file)+" was created and then made executable.", append(evidence, "evt.res"), deeds[i], *changed),
			open:    "That " + phrase.Quote(file) + " was executed: no alert shows it.",
			level:   pb.UrgencyLevel_URGENCY_LEVEL_TODAY, why: "A file was created and made executable.",
		}
		if !deeds[i].isDone() || !changed.isDone() {
			c.finding = finding(likely, "Calls to create "+phrase.Quote(file)+" and to make it executable came in this order; not all results are shown.", evidence, deeds[i], *changed)
			c.why = "Calls to create a file and to make it executable."
		}
		return c, true
	}
	evidence = append(evidence, "proc.exepath", "proc.cmdline")
	c := combination{
		finding: finding(certain, phrase.Quote(file)+" was created, then made executable, then executed.", evidence, deeds[i], *changed, *ran),
		level:   pb.UrgencyLevel_URGENCY_LEVEL_PAGE, why: "A file was created, made executable and executed.",
	}
	// What runs from a path was there and executable, whether or not the results are shown.
	if absolute(ran.view.GetProcess().GetExePath()) != file && (!deeds[i].isDone() || !changed.isDone() || !ran.isDone()) {
		c.finding = finding(likely, "Calls to create "+phrase.Quote(file)+", to make it executable and to execute it came in this order; not all results are shown.", evidence, deeds[i], *changed, *ran)
		c.why = "Calls to create a file, to make it executable and to execute it."
	}
	return c, true
}

// downloadThenProgram: a tool was told to save a file from the network, and then a program ran
// that is that file, or that was not there before.
func downloadThenProgram(deeds []deed, i int) (combination, bool) {
	saved, ok := deeds[i].downloads()
	if !ok {
		return combination{}, false
	}
	evidence := []string{"proc.name", "proc.cmdline", "proc.exepath"}
	for _, d := range deeds[i+1:] {
		file := d.program()
		if file == "" || !d.belongs(deeds[i]) {
			continue
		}
		if saved != "" && (file == saved || !strings.HasPrefix(saved, "/") && path.Base(file) == path.Base(saved)) {
			return combination{
				finding: finding(likely, "A download was to be saved as "+phrase.Quote(saved)+", and then "+phrase.Quote(file)+" was executed.", evidence, deeds[i], d),
				open:    "That what was executed is what was downloaded: only the names agree.",
				level:   pb.UrgencyLevel_URGENCY_LEVEL_PAGE, why: "What a download was saved as was executed.",
			}, true
		}
		if saved == "" && d.isNewProgram(file) {
			return combination{
				finding: finding(possible, "After a download ("+phrase.Quote(deeds[i].view.GetProcess().GetCommandLine())+"), "+phrase.Quote(file)+" was executed: perhaps what was downloaded.", evidence, deeds[i], d),
				level:   pb.UrgencyLevel_URGENCY_LEVEL_TODAY, why: "A program ran that may have been downloaded.",
			}, true
		}
	}
	return combination{}, false
}

// secretThenConnection: a file with credentials was opened, and then a connection was made.
func secretThenConnection(deeds []deed, i int) (combination, bool) {
	file := deeds[i].opensSecret()
	if file == "" {
		return combination{}, false
	}
	for _, d := range deeds[i+1:] {
		to := d.connects()
		if to == "" || !d.belongs(deeds[i]) {
			continue
		}
		c := combination{
			finding: finding(certain, phrase.Quote(file)+", which holds credentials, was opened before a connection to "+phrase.Quote(to)+".", []string{"evt.type", "evt.res", "fd.name"}, deeds[i], d),
			open:    "That credentials were sent: neither what was read nor what was sent is seen.",
			level:   pb.UrgencyLevel_URGENCY_LEVEL_PAGE, why: "Credentials were opened before a connection was made.",
		}
		if !deeds[i].isDone() || !d.isDone() {
			c.finding = finding(likely, "A call to open "+phrase.Quote(file)+", which holds credentials, came before one to reach "+phrase.Quote(to)+"; not all results are shown.", []string{"evt.type", "fd.name"}, deeds[i], d)
			c.why = "A call to open credentials came before one to reach another host."
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
