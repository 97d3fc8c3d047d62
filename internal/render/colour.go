package render

// Marks of ANSI terminals. All colours are from the first eight, which every theme keeps
// readable on its background.
const (
	bold       = "\x1b[1m"
	boldRed    = "\x1b[1;31m"
	boldYellow = "\x1b[1;33m"
	unmarked   = "\x1b[0m"
)

// urgencyMark is the mark of an urgency. A late report pages nobody.
func urgencyMark(urgency string) string {
	switch urgency {
	case "PAGE":
		return boldRed
	case "TODAY":
		return boldYellow
	default:
		return bold
	}
}

// mark begins marked text, if marks are wanted.
func (t *text) mark(m string) {
	if t.colour {
		t.dst = append(t.dst, m...)
	}
}

// unmark ends marked text.
func (t *text) unmark() { t.mark(unmarked) }
