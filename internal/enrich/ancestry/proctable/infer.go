package proctable

import (
	"path"
	"strings"
	"time"
)

// Description is what an alert without a pid says of its process. What is empty is not said.
type Description struct {
	// At is the time of the event; Exec is whether that is a successful exec by the process.
	At   int64
	Exec bool
	// Name and CommandLine are as Falco prints them: the second is the name and the arguments
	// after the first. Both are needed.
	Name, CommandLine string
	ExePath           string
	Container         string // "host" on the host
	UID               uint32
	HasUID            bool
	// Parents are the names of those above it, nearest first.
	Parents []Hint
}

// inferTime is how long before its event in Falco an exec is looked for: 100 ms. Whatever else
// ran the same within that time makes the answer unknown.
const inferTime = 100_000_000

// verdict is how a process fits a description.
type verdict uint8

const (
	excluded verdict = iota
	possible         // something of it is not known
	fits
)

// Infer looks for the one process that fits a description, and those above it. It returns nil
// unless every process that lived at the time is known, one fits in everything that is said,
// and no other could.
func (t *Table) Infer(d Description) *Chain {
	since := d.At - Slack
	if d.Exec {
		since = d.At - inferTime // what ran before that was not seen to
	}
	if !t.covered || t.complete == forever || since < t.complete || d.At > t.passed || d.Name == "" || d.CommandLine == "" {
		return nil
	}
	var found *process
	n, sure := 0, false
	weigh := func(p *process) {
		if v := t.judge(p, &d); v != excluded {
			found, sure = p, v == fits
			n++
		}
	}
	for p := t.live.last; p != nil && n < 2; p = p.prev {
		weigh(p)
	}
	for p := t.ended.last; p != nil && n < 2 && p.noted >= d.At-Slack; p = p.prev {
		weigh(p)
	}
	if n != 1 || !sure && (!d.Exec || !t.isOnTime(found, &d)) {
		return nil
	}
	if d.Exec && sure {
		t.learn(found, d.At)
	}
	c := t.chain(found, Query{Hint: Hint{PID: found.pid, Name: d.Name}, At: d.At, Exec: d.Exec, Parents: d.Parents})
	c.Unread = !sure
	return c
}

// promptly is how long after the exec its alert is stamped, at most: 0.3 ms. It is a tenth of
// that on a machine that is not overloaded.
const promptly = int64(300_000)

// punctualEnough is how many alerts in a row must have come as promptly before the time of an
// exec alone is believed.
const punctualEnough = 8

// learn compares the clocks: an exec is known, and when an alert says that it was.
func (t *Table) learn(p *process, at int64) {
	if p.ranPromptly(at) {
		t.punctual++
	} else {
		t.punctual = 0
	}
}

// ranPromptly reports whether a process is known to have run a program right before a time.
func (p *process) ranPromptly(at int64) bool {
	for i := range p.states {
		if s := &p.states[i]; s.exec && s.from <= at+edge && s.from >= at-promptly {
			return true
		}
	}
	return false
}

// isOnTime reports whether the only process that can be the one of an exec, all others being
// excluded, ran a program at that very time. It ended so soon that what it ran was not read;
// its parent and user must be the right ones. That rests on the clocks, which must have been
// found to agree.
func (t *Table) isOnTime(p *process, d *Description) bool {
	if t.punctual < punctualEnough || len(d.Parents) == 0 || d.Parents[0].Name == "" || !d.HasUID || !p.exact || !p.ranPromptly(d.At) {
		return false
	}
	s := p.last()
	return s.exec && s.called() == "" && s.hasUID && s.uid == d.UID && t.judgeParents(p, d) == fits
}

// judge weighs a process.
func (t *Table) judge(p *process, d *Description) verdict {
	if !p.gone && p.until != forever && d.At > p.until {
		return possible // it is in doubt whether it lives
	}
	if d.At < p.start-Slack || d.At > t.lastMoment(p)+Slack {
		return excluded
	}
	if d.Exec && !p.mayHaveRun(d.At) || !d.Exec && !t.mayBeCalled(p, d.Name) {
		return excluded
	}
	if !t.couldFit(p, d) {
		return excluded
	}
	s, _ := t.stateAt(p, d.At, d.Name)
	if s == nil || s.img == nil || s.called() != d.Name {
		return possible // its threads may have other names, or it had this one just before
	}
	if t.weighState(s, d) != fits || d.At < p.start || d.At > t.lastMoment(p) {
		return possible // what it was just before or after that fits better, or the clocks are a little off
	}
	return t.judgeParents(p, d)
}

// couldFit reports whether a process can have fitted a description, whatever the clocks, in any
// of its states of about that time; an alert of an exec is of one that an exec began.
func (t *Table) couldFit(p *process, d *Description) bool {
	for i := range p.states {
		s := &p.states[i]
		if d.Exec && !s.ranBefore(d.At) || !d.Exec && (d.At < s.from-Slack || d.At > t.stateEnd(p, s)+Slack) {
			continue
		}
		if t.weighState(s, d) != excluded {
			return true
		}
	}
	// What it was then may have been forgotten.
	return p.forgot || d.At < p.states[0].from && p.states[0].from > p.start || p.lostSome(d.At)
}

// lostSome reports whether a process has a time around a moment of which nothing is known.
func (p *process) lostSome(at int64) bool {
	for i := 1; i < len(p.states); i++ {
		if p.states[i-1].until != p.states[i].from && at >= p.states[i-1].until-Slack && at <= p.states[i].from+Slack {
			return true
		}
	}
	return false
}

// mayHaveRun reports whether a process may have run a program shortly before a time.
func (p *process) mayHaveRun(at int64) bool {
	for i := range p.states {
		if p.states[i].ranBefore(at) {
			return true
		}
	}
	return !p.exact && p.seen > at || p.forgot
}

// ranBefore reports whether a state began with an exec shortly before a time.
func (s *state) ranBefore(at int64) bool {
	return s.exec && s.from <= at+Slack && s.from >= at-inferTime
}

// mayBeCalled reports whether Falco can have a process under a name, whenever it read that. It
// cannot if every name is known that the process, and those it was made of, ever had.
func (t *Table) mayBeCalled(p *process, name string) bool {
	if p.forgot || !p.exact || p.threaded { // a thread can have a name of its own
		return true
	}
	for i := range p.states {
		s := &p.states[i]
		if i > 0 && p.states[i-1].until != s.from {
			return true
		}
		if s.img == nil || !s.img.kernel && !t.isOfExec(s.img) || s.img.name == "" || s.img.name == name || s.called() == name {
			return true
		}
	}
	return false
}

// readSoon is how long after an exec what it made of the process must have been read to count
// as what Falco has of it: 2 ms. Programs that overwrite their arguments are not that fast: they
// have to be linked and to read them first.
const readSoon = int64(2 * time.Millisecond)

// isOfExec reports whether an image is what an exec made of a process: read right after it, and
// no event that is still to come can say otherwise.
func (t *Table) isOfExec(i *image) bool {
	return i.execAt != 0 && i.ended-i.execAt <= readSoon && i.ended <= t.passed
}

// weighState compares what a process was with a description. What is read of a process can be
// overwritten, renamed, moved or replaced: unless it is of the very exec that the alert is of,
// it excludes nothing.
func (t *Table) weighState(s *state, d *Description) verdict {
	if s.hasUID && d.HasUID && s.uid != d.UID || s.img != nil && s.img.kernel {
		return excluded
	}
	if s.img == nil || !s.img.hasLine {
		return possible
	}
	v := s.img.fits(d)
	if v == excluded && (!d.Exec || !t.isOfExec(s.img)) {
		return possible
	}
	return v
}

// fits compares an image with a description. Its name is not looked at if it has become
// uncertain.
func (i *image) fits(d *Description) verdict {
	switch same := sameArguments(i.line[i.args:], d); {
	case i.name != "" && i.name != d.Name:
		return excluded
	case !same && (strings.ContainsRune(i.line, unreadable) || strings.ContainsRune(d.CommandLine, unreadable)):
		return possible // one bad byte may have been replaced, or several by one
	case !same:
		return excluded
	case d.ExePath != "" && i.exe != "" && d.ExePath != i.exe:
		if path.Base(d.ExePath) == path.Base(i.exe) {
			return possible // one of the two may be seen through a mount
		}
		return excluded
	case d.Container != "" && i.cgroup.Known && d.Container != containerName(i):
		return possible // it may have been moved since
	default:
		return fits
	}
}

// unreadable stands where bytes were no UTF-8.
const unreadable = '\uFFFD'

// containerName is what Falco calls the container of a process.
func containerName(i *image) string {
	if i.cgroup.Container == "" {
		return "host"
	}
	return i.cgroup.Container
}

// sameArguments compares the arguments after the first.
func sameArguments(have string, d *Description) bool {
	want := strings.TrimSpace(strings.TrimPrefix(d.CommandLine, d.Name))
	if cut, ok := strings.CutSuffix(have, "…"); ok {
		return strings.HasPrefix(want, strings.TrimLeft(cut, " "))
	}
	return strings.TrimSpace(have) == want
}

// judgeParents compares the names above a process with those of a description.
func (t *Table) judgeParents(p *process, d *Description) verdict {
	for _, hint := range d.Parents {
		if p.pid == 1 {
			return excluded // there is nothing above it
		}
		parent, _, _ := t.parentAt(p, d.At, 0)
		if parent == nil {
			return possible
		}
		s, _ := t.stateAt(parent, d.At, hint.Name)
		switch {
		case hint.Name == "":
		case s == nil || s.called() == "":
			return possible
		case s.called() != hint.Name && !t.mayBeCalled(parent, hint.Name):
			return excluded
		case s.called() != hint.Name:
			return possible
		}
		p = parent
	}
	return fits
}
