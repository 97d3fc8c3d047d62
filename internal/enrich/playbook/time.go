package playbook

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// TimeField is the name by which [Action.Fill] asks for the time of the event, which the caller
// gives as RFC 3339. Where it gives none, the field evt.time serves, if it is a number.
const TimeField = "@time"

// What placeholders that are no fields begin with.
const (
	special    = "@"
	rfc3339    = "@rfc3339"
	sameMarker = "@same:"
)

// moment is a time before or after that of the event: @time-2h, @rfc3339+30m, @time.
var moment = regexp.MustCompile(`^(@time|@rfc3339)(?:([+-])([1-9][0-9]{0,2})([mhd]))?$`)

// validName reports whether a placeholder can hold a name: a field's, a moment's, or that of
// the test for one field's process.
func validName(name string) bool {
	if f, ok := strings.CutPrefix(name, sameMarker); ok {
		name = f
	} else if moment.MatchString(name) {
		return true
	}
	return name != "" && !strings.HasPrefix(name, special) && !strings.ContainsAny(name, notInFields)
}

// momentText writes a moment. Without the time of the event one counts from now, in words that
// systemd, date and find understand; RFC 3339 has no such words.
func momentText(name string, value func(string) (string, bool)) (string, bool) {
	m := moment.FindStringSubmatch(name)
	if m == nil {
		return "", false
	}
	n, _ := strconv.Atoi(m[3]) // digits, or none for no distance
	at, ok := eventTime(value)
	switch {
	case ok && m[2] == "-":
		at = at.Add(-time.Duration(n) * units(m[4]))
	case ok:
		at = at.Add(time.Duration(n) * units(m[4]))
	case m[1] == rfc3339:
		return "", false
	case m[2] == "-":
		return m[3] + map[string]string{"m": " minutes ago", "h": " hours ago", "d": " days ago"}[m[4]], true
	default:
		return "now", true
	}
	if m[1] == rfc3339 {
		return at.Format(time.RFC3339), true
	}
	return at.Format(time.DateTime) + " UTC", true
}

func units(letter string) time.Duration {
	switch letter {
	case "m":
		return time.Minute
	case "h":
		return time.Hour
	default:
		return 24 * time.Hour
	}
}

// eventTime is the time of the event in whole seconds of UTC, false if it is not known.
func eventTime(value func(string) (string, bool)) (time.Time, bool) {
	if s, ok := value(TimeField); ok {
		at, err := time.Parse(time.RFC3339, s)
		return at.UTC().Truncate(time.Second), err == nil && at.Unix() > 0
	}
	s, _ := value("evt.time")
	ns, err := strconv.ParseInt(s, 10, 64)
	return time.Unix(0, ns).UTC().Truncate(time.Second), err == nil && ns >= int64(time.Second)
}

// startTolerance covers the whole seconds in which ps counts the age of a process.
const startTolerance = 2

// sameProcess writes a test in shell that is true while the pid belongs to the process that had
// it at the time of the event: that is the one that started before. A pid which was given away
// anew has a younger process. Neither program nor name would do: both can be the same again.
func sameProcess(field string, value func(string) (string, bool)) (string, bool) {
	pid, ok := value(field)
	at, known := eventTime(value)
	if !ok || !known || !isNumber(pid) {
		return "", false
	}
	return olderThan(pid, at.Unix()+startTolerance), true
}

// olderThan writes the test for a pid and the second since 1970 before which its process must
// have started. It takes two lines, to fit into 80 columns where a report shows it.
func olderThan(pid string, limit int64) string {
	return `[ "$(ps -o etimes= -p ` + pid + ` || echo 0)" -ge \` + "\n" +
		`  "$(($(date +%s) - ` + strconv.FormatInt(limit, 10) + `))" ]`
}
