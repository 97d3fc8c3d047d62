package playbook

import (
	"errors"
	"slices"
	"strings"
)

// Case is what a playbook says of some matches only: those whose field has a certain value.
type Case struct {
	// Field is the name of an output field, or several separated by |: the first that the alert
	// has. An alert that has none of them may be of any case, and fits.
	Field string `yaml:"field" json:"field,omitempty"`
	// Is are whole values, and Has parts of values, separated by |. Exactly one of them is set.
	Is  string `yaml:"is" json:"is,omitempty"`
	Has string `yaml:"has" json:"has,omitempty"`

	// NotShown, HarmlessIf and Impact are as those of a Playbook.
	NotShown   []string `yaml:"not_shown" json:"not_shown,omitempty"`
	HarmlessIf []string `yaml:"harmless_if" json:"harmless_if,omitempty"`
	Impact     []string `yaml:"impact" json:"impact,omitempty"`
}

// For is the playbook as it is for an alert with these values: with the texts of the cases that
// fit before those for all, and behind them the texts of those that may fit. The playbook stays as
// it is.
func (p *Playbook) For(value func(field string) (string, bool)) *Playbook {
	if len(p.Cases) == 0 {
		return p
	}
	out := *p
	out.Cases = nil
	var surely, perhaps Case
	for i := range p.Cases {
		c := &p.Cases[i]
		switch fits, known := c.fits(value); {
		case !known:
			perhaps.add(c)
		case fits:
			surely.add(c)
		}
	}
	out.NotShown = slices.Concat(surely.NotShown, p.NotShown, perhaps.NotShown)
	out.HarmlessIf = slices.Concat(surely.HarmlessIf, p.HarmlessIf, perhaps.HarmlessIf)
	out.Impact = slices.Concat(surely.Impact, p.Impact, perhaps.Impact)
	return &out
}

// add adds the texts of another case.
func (c *Case) add(other *Case) {
	c.NotShown = append(c.NotShown, other.NotShown...)
	c.HarmlessIf = append(c.HarmlessIf, other.HarmlessIf...)
	c.Impact = append(c.Impact, other.Impact...)
}

// fits reports whether the case is that of an alert, and whether the alert says so.
func (c *Case) fits(value func(string) (string, bool)) (fits, known bool) {
	for field := range strings.SplitSeq(c.Field, "|") {
		if v, ok := value(field); ok {
			part := func(p string) bool { return strings.Contains(v, p) }
			return slices.Contains(strings.Split(c.Is, "|"), v) || c.Has != "" && slices.ContainsFunc(strings.Split(c.Has, "|"), part), true
		}
	}
	return false, false
}

// validate reports what is wrong with a case.
func (c *Case) validate() error {
	texts := slices.Concat(c.NotShown, c.HarmlessIf, c.Impact)
	switch {
	case slices.ContainsFunc(strings.Split(c.Field, "|"), notOneWord):
		return errors.New("field is no name of an output field, nor several with | between them")
	case (c.Is == "") == (c.Has == ""):
		return errors.New("want exactly one of is and has")
	case slices.Contains(strings.Split(c.Is+c.Has, "|"), ""):
		return errors.New("is and has are values with | between them")
	case len(texts) == 0:
		return errors.New("it has neither not_shown nor harmless_if nor impact")
	case slices.ContainsFunc(append(texts, c.Field, c.Is, c.Has), hasPlaceholder):
		return errors.New("it " + notFilled)
	}
	return nil
}
