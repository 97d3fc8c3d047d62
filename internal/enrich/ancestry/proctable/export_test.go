package proctable

import "fmt"

// Dump tells all that is known of a pid, for a test that fails.
func (t *Table) Dump(pid int32) (out string) {
	out = fmt.Sprintf("passed %d complete %d covered %v\n", t.passed, t.complete, t.covered)
	for p := t.byPID[pid]; p != nil; p = p.older {
		out += fmt.Sprintf("pid %d#%d start %d exact %v seen %d until %d gone %v\n", p.pid, p.serial, p.start, p.exact, p.seen, p.until, p.gone)
		for _, l := range p.links {
			out += fmt.Sprintf("  link %+v\n", l)
		}
		for _, s := range p.states {
			out += fmt.Sprintf("  state %+v %+v\n", s, s.img)
		}
	}
	return out
}
