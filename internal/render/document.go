package render

import (
	"strconv"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// document is a report laid out: what is shown, in which order, free of any format.
type document struct {
	screen   screen
	sections []section
	// footer says which report and revision this is.
	footer line
}

// section is a part of a document with a heading of ours.
type section struct {
	heading string
	blocks  []block
	// folded says that few readers need it, where a format can hide it.
	folded bool
}

// block is one of the types below. Every writer handles all of them.
type block interface{ isBlock() }

type (
	// paragraph is running text.
	paragraph line
	// subheading begins a part of a section.
	subheading line
	// bullets is a list without an order.
	bullets []line
	// table is a list of labelled values.
	table []row
	// grid is a table of several columns.
	grid struct {
		head []string
		rows [][]line
	}
	// code is text of several lines whose line ends count.
	code struct{ language, text string }
	// action is a thing to do.
	action struct {
		number      int
		title, why  line
		tool        string
		language    string
		snippet     string
		reference   string
		referenceOK bool // the reference may become a link
	}
)

// row is a label of ours and its value.
type row struct {
	label string
	cell  line
}

func (paragraph) isBlock()  {}
func (subheading) isBlock() {}
func (bullets) isBlock()    {}
func (table) isBlock()      {}
func (grid) isBlock()       {}
func (code) isBlock()       {}
func (action) isBlock()     {}

// lay lays a report out.
func lay(r *pb.Report) *document {
	n := number(r)
	d := &document{screen: layScreen(r), footer: layFooter(r)}
	d.add("Details", layDetails(r))
	d.add("Analysis", layAnalysis(r, n))
	d.add("Timeline", layTimeline(r, n))
	d.add("Processes", layProcesses(r, n))
	d.add("Possible impact", layList(r.GetPossibleImpact()))
	d.add("Actions", layActions(r.GetActions()))
	d.fold(attackHeading(r.GetAttack()), layAttack(r.GetAttack()))
	d.add("Alerts", layAlerts(r.GetAlerts(), n))
	d.add("Rule", layRule(r.GetRule()))
	d.fold("Original alert", layOriginal(r.GetAlert()))
	return d
}

// add adds a section unless it has nothing.
func (d *document) add(heading string, blocks []block) {
	if len(blocks) > 0 {
		d.sections = append(d.sections, section{heading: heading, blocks: blocks})
	}
}

// fold adds a section that few readers need.
func (d *document) fold(heading string, blocks []block) {
	if len(blocks) > 0 {
		d.sections = append(d.sections, section{heading, blocks, true})
	}
}

// layList lays out sentences as a list.
func layList(sentences []string) []block {
	var list bullets
	for _, s := range sentences {
		if l := sentence(s); len(l) > 0 {
			list = append(list, l)
		}
	}
	if list == nil {
		return nil
	}
	return []block{list}
}

func layFooter(r *pb.Report) line {
	var l line
	if r.GetId() != "" {
		l = l.words("Report ").value(r.GetId()).words(", ")
	}
	l = l.words("revision " + strconv.FormatUint(uint64(r.GetRevision()), 10))
	if r.GetClosed() && r.GetRevision() > 1 { // a report of one alert has no other
		l = l.words(", the last")
	}
	return l.words(".")
}
