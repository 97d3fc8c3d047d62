package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// draft is a rule while files are being applied. Texts are kept in the pieces they came in, so
// that appending costs what is appended.
type draft struct {
	name, source            string
	file                    string
	line                    int
	changedBy               []string
	condition, output, desc []string
	priority                alert.Priority
	enabled                 bool
	tags                    []string
	exceptions              exceptions
}

// apply applies an item of a file, all of it or nothing.
func (l *loader) apply(file string, it *item) error {
	if it.macro {
		l.applyMacro(it)
		return nil
	}
	prev := l.byName[it.name]
	if prev != nil && it.source != "" && prev.source != it.source {
		return fmt.Errorf("source %q differs from %q at line %d of %s", clip(it.source), clip(prev.source), prev.line, prev.file)
	}
	if it.defines {
		l.define(file, it, prev)
		return nil
	}
	if prev == nil {
		return errors.New("changes a rule that is not defined before")
	}
	if err := prev.append(&it.append); err != nil {
		return err
	}
	prev.replace(&it.replace)
	if file != prev.file && !slices.Contains(prev.changedBy, file) {
		prev.changedBy = append(prev.changedBy, file)
	}
	return nil
}

// applyMacro keeps the condition of a macro.
func (l *loader) applyMacro(it *item) {
	switch {
	case it.replace.condition != nil:
		l.macros[it.name] = []string{*it.replace.condition}
	case it.append.condition != nil:
		l.macros[it.name] = append(l.macros[it.name], *it.append.condition)
	}
}

// define adds a rule, or puts it into the place of prev.
func (l *loader) define(file string, it *item, prev *draft) {
	d := draft{name: it.name, source: it.source, file: file, line: it.line, enabled: true}
	d.exceptions.set(nil)
	d.replace(&it.replace)
	switch {
	case prev != nil:
		*prev = d
	case l.room == 0:
		l.refused++
	default:
		l.room--
		l.byName[d.name] = &d
		l.ordered = append(l.ordered, &d)
	}
}

// append adds to the rule; nothing where that fails.
func (d *draft) append(p *patch) error {
	if p.exceptions != nil {
		if err := d.exceptions.append(*p.exceptions); err != nil {
			return err
		}
	}
	for _, t := range []struct {
		to   *[]string
		from *string
	}{{&d.condition, p.condition}, {&d.output, p.output}, {&d.desc, p.desc}} {
		if t.from != nil {
			*t.to = append(*t.to, *t.from)
		}
	}
	if p.tags != nil {
		d.tags = append(d.tags, *p.tags...)
	}
	return nil
}

// replace puts what the patch mentions into the place of what the rule has.
func (d *draft) replace(p *patch) {
	for _, t := range []struct {
		to   *[]string
		from *string
	}{{&d.condition, p.condition}, {&d.output, p.output}, {&d.desc, p.desc}} {
		if t.from != nil {
			*t.to = []string{*t.from}
		}
	}
	if p.priority != nil {
		d.priority = *p.priority
	}
	if p.enabled != nil {
		d.enabled = *p.enabled
	}
	if p.tags != nil {
		d.tags = slices.Clone(*p.tags)
	}
	if p.exceptions != nil {
		d.exceptions.set(*p.exceptions)
	}
}

// rule is the finished rule. The notes are about rows of exceptions that were left out.
func (d *draft) rule() (Rule, []note) {
	r := Rule{
		Name: d.name, Source: d.source, File: d.file, Line: d.line, ChangedBy: d.changedBy, Enabled: d.enabled, Priority: d.priority,
		Condition:   fold(strings.Join(d.condition, " ")),
		Description: join(d.desc),
		Output:      join(d.output),
		Tags:        distinct(d.tags),
	}
	r.Maturity = maturity(r.Tags)
	var notes []note
	for i := range d.exceptions.all {
		ex, misfits := d.exceptions.all[i].export()
		r.Exceptions = append(r.Exceptions, ex)
		if misfits > 0 {
			notes = append(notes, note{d.line, d.name, fmt.Errorf("exception %q: %d of its values do not fit its fields", clip(ex.Name), misfits)})
		}
	}
	return r, notes
}

// join puts the pieces of a text together, with one space between them as Falco does.
func join(pieces []string) string {
	trimmed := make([]string, len(pieces))
	for i, p := range pieces {
		trimmed[i] = strings.TrimSpace(p)
	}
	return strings.Join(trimmed, " ")
}

// distinct are the texts without repetitions, in their order.
func distinct(texts []string) []string {
	seen := make(map[string]bool, len(texts))
	var out []string
	for _, t := range texts {
		if !seen[t] {
			seen[t] = true
			out = append(out, t)
		}
	}
	return out
}

// maturity is the maturity that the first tag about it says.
func maturity(tags []string) string {
	for _, t := range tags {
		m, ok := strings.CutPrefix(t, "maturity_")
		if ok && slices.Contains([]string{"stable", "incubating", "sandbox", "deprecated"}, m) {
			return m
		}
	}
	return ""
}
