package incident_test

import (
	"strings"
	"testing"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
)

// TestSilences lower the urgency of what they describe, say so, and drop nothing.
func TestSilences(t *testing.T) {
	until := start.Add(time.Hour)
	for _, test := range []struct {
		name    string
		silence incident.Silence
		applies bool
	}{
		{"rule", incident.Silence{Rule: "Write *", Until: until}, true},
		{"another rule", incident.Silence{Rule: "Read *", Until: until}, false},
		{"container and image", incident.Silence{Container: "we?", Image: "registry.example/*:1", Until: until}, true},
		{"container by id", incident.Silence{Container: "aaaa*", Until: until}, true},
		{"one of two does not match", incident.Silence{Container: "web", User: "alice", Until: until}, false},
		{"user by number", incident.Silence{User: "0", Until: until}, true},
		{"path", incident.Silence{Path: "/srv/*", Until: until}, true},
		{"nothing", incident.Silence{Until: until}, false},
		{"no end", incident.Silence{Rule: "*"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.silence.By, test.silence.Why = "anna", "drill"
			f := inContainer("x", "x", "y", "", "container.image.repository", "registry.example/team/web", "container.image.tag", "1", "container.privileged", "true")
			reports := final(t, joined(t, incident.Options{Silences: []incident.Silence{test.silence}}, []*alert.Alert{made(t, 0, "Write it", "Critical", f), made(t, 1e9, "Write it", "Critical", f)}))
			r := reports[0]
			if len(reports) != 1 || total(r) != 2 {
				t.Fatalf("%d reports", len(reports))
			}
			if !test.applies {
				if level(r) != "page" || r.GetSilence() != nil {
					t.Errorf("silenced: %v", r.GetUrgency())
				}
				return
			}
			if level(r) != "record" || r.GetSilence().GetAuthor() != "anna" || r.GetSilence().GetExpired() {
				t.Errorf("%v, %v", r.GetUrgency(), r.GetSilence())
			}
			if why := r.GetUrgency().GetWhy(); !strings.HasPrefix(why, "Silenced until 2026-11-22 03:00:00 UTC by “anna”: “drill”. Without that page: ") {
				t.Error(why)
			}
		})
	}
}

// TestExpiredSilence: the urgency is as without it, and it is pointed out.
func TestExpiredSilence(t *testing.T) {
	silence := incident.Silence{Rule: "R", Until: start.Add(time.Second), By: "anna", Why: "drill"}
	f := process(100, 50, "x", "y")
	for after, want := range map[time.Duration]string{time.Second - 1: "record", time.Second: "page"} {
		r := final(t, joined(t, incident.Options{Silences: []incident.Silence{silence}}, []*alert.Alert{made(t, after, "R", "Critical", f)}))[0]
		if level(r) != want || r.GetSilence().GetExpired() != (want == "page") {
			t.Errorf("after %v: %v, %v", after, r.GetUrgency(), r.GetSilence())
		}
	}
}

// TestSinglySilenced: silences do the same where alerts are not joined; every alert has its own
// report, and it is closed.
func TestSinglySilenced(t *testing.T) {
	s := incident.NewSingly([]incident.Silence{{Rule: "R", Until: start.Add(time.Second), By: "anna", Why: "drill"}})
	f := process(100, 50, "x", "y")
	for i, test := range []struct {
		a       *alert.Alert
		want    string
		silence bool
		expired bool
	}{
		{made(t, 0, "R", "Critical", f), "record", true, false},
		{made(t, 0, "S", "Critical", f), "page", false, false},
		{made(t, time.Second, "R", "Critical", f), "page", true, true},
	} {
		r := s.Add(uint64(i+1), test.a, enricher(t).Report(test.a))
		if len(r) != 1 || level(r[0]) != test.want || !r[0].GetClosed() || (r[0].GetSilence() != nil) != test.silence || r[0].GetSilence().GetExpired() != test.expired {
			t.Errorf("alert %d: %v", i+1, r)
		}
	}
	if _, ok := s.Next(); ok || s.End(1) != nil || s.Changed() != nil {
		t.Error("something is open")
	}
}

// TestSilenceOfAPart: what no silence describes is as urgent as ever, also beside what one does.
func TestSilenceOfAPart(t *testing.T) {
	f := process(100, 50, "x", "y")
	r := final(t, joined(t, incident.Options{Silences: []incident.Silence{{Rule: "R", Until: start.Add(time.Hour)}}}, []*alert.Alert{
		made(t, 0, "R", "Critical", f), made(t, 1e9, "S", "Warning", f),
	}))
	if len(r) != 1 || level(r[0]) != "today" {
		t.Errorf("%d reports, %v", len(r), r[0].GetUrgency())
	}
}

// TestSilentPaths: a path cannot be made to look like one that is silenced, nor be moved there.
func TestSilentPaths(t *testing.T) {
	silence := incident.Silence{Path: "/tmp/build/*", Until: start.Add(time.Hour)}
	privileged := []any{"container.privileged", "true"}
	for name, test := range map[string]struct {
		fields map[string]any
		want   string
	}{
		"below it":      {inContainer("x", "x", "y", "", append(privileged, "fd.name", "/tmp/build/a/b")...), "record"},
		"beside it":     {inContainer("x", "x", "y", "", append(privileged, "fd.name", "/tmp/builder/a")...), "page"},
		"out of it":     {inContainer("x", "x", "y", "", append(privileged, "fd.name", "/tmp/build/../../srv/x")...), "page"},
		"moved into it": {inContainer("x", "x", "y", "", append(privileged, "evt.type", "rename", "fd.name", nil, "evt.arg.oldpath", "/srv/x", "evt.arg.newpath", "/tmp/build/x")...), "page"},
	} {
		t.Run(name, func(t *testing.T) {
			r := final(t, joined(t, incident.Options{Silences: []incident.Silence{silence}}, []*alert.Alert{made(t, 0, "R", "Critical", test.fields)}))[0]
			if level(r) != test.want {
				t.Errorf("%s; want %s: %v, of %v", level(r), test.want, r.GetUrgency(), r.GetFile())
			}
		})
	}
}

// TestSilenceOfHalfACombination: what two alerts show together is silenced only if both are.
func TestSilenceOfHalfACombination(t *testing.T) {
	secret := does(105, "cat", "cat /root/.aws/credentials", "openat", "fd.name", "/root/.aws/credentials")
	send := does(106, "nc", "nc 198.51.100.7 80", "connect", "fd.name", "10.0.0.1:5000->198.51.100.7:80", "fd.type", "ipv4", "fd.sip", "198.51.100.7", "fd.sport", 80)
	for rules, want := range map[string]string{"Open": "page", "*": "record"} {
		silence := incident.Silence{Rule: rules, Until: start.Add(time.Hour)}
		r := final(t, joined(t, incident.Options{Silences: []incident.Silence{silence}}, []*alert.Alert{
			made(t, 0, "Open", "Notice", secret), made(t, 1e9, "Send", "Notice", send),
		}))
		if len(r) != 1 || level(r[0]) != want || (r[0].GetSilence() != nil) != (want == "record") {
			t.Errorf("with %q silenced: %d reports, %v, %v", rules, len(r), r[0].GetUrgency(), r[0].GetSilence())
		}
	}
}
