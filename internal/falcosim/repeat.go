package falcosim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// stamp is one spelling of an alert's time, as it stands in the alert's texts.
type stamp struct {
	text   string
	at     time.Time
	layout string // empty for nanoseconds since 1970
}

// later spells the time, moved by a duration.
func (s stamp) later(by time.Duration) string {
	at := s.at.Add(by)
	if s.layout == "" {
		return strconv.FormatInt(at.UnixNano(), 10)
	}
	return at.Format(s.layout)
}

// repeatable is an alert and the spellings of its time within it.
type repeatable struct {
	alert    Alert
	json     bool // whether the JSON form is sent, or the plain line
	stamps   []stamp
	inFields bool // whether an output field has one of them
}

// newRepeatable finds the spellings of an alert's time.
func newRepeatable(a Alert, jsonOutput bool) repeatable {
	r := repeatable{alert: a, json: jsonOutput}
	line := a.Output
	// The order matters: the text in JSON holds that of the line, if Falco's local time is UTC.
	if jsonOutput {
		r.alert.JSON = a.FalcoJSON()
		raw := []byte(r.alert.JSON)
		line, _ = member(raw, "output")
		if text, ok := member(raw, "time"); ok {
			if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
				r.stamps = append(r.stamps, stamp{text, at, jsonTimeLayout})
			}
		}
	}
	if text, at, layout, ok := parseLineTime(line); ok {
		r.stamps = append(r.stamps, stamp{text, at, layout})
	}
	nanos := stamp{at: a.Time}
	nanos.text = nanos.later(0)
	r.stamps = append(r.stamps, nanos)
	r.inFields = slices.ContainsFunc(a.Fields, func(f Field) bool {
		return slices.ContainsFunc(r.stamps, func(s stamp) bool { return strings.Contains(f.Value, s.text) })
	})
	return r
}

// later is the alert, moved in time. Of the two forms of the output only the one that is sent
// is right then.
func (r *repeatable) later(by time.Duration) Alert {
	a := r.alert
	if by == 0 {
		return a
	}
	a.Time = a.Time.Add(by)
	if r.inFields {
		a.Fields = slices.Clone(a.Fields)
	}
	for _, s := range r.stamps {
		text := s.later(by)
		if r.json {
			a.JSON = strings.ReplaceAll(a.JSON, s.text, text)
		} else {
			a.Output = strings.ReplaceAll(a.Output, s.text, text)
		}
		if !r.inFields {
			continue
		}
		for i, f := range a.Fields {
			a.Fields[i].Value = strings.ReplaceAll(f.Value, s.text, text)
		}
	}
	return a
}
