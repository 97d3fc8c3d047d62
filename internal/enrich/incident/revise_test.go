package incident_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
)

// TestRevisions: the first at once and as the alert's own report, then at the times for it while
// there is news, and the last with the reason of the end.
func TestRevisions(t *testing.T) {
	var alerts []*alert.Alert
	for i := range 100 { // every 10 s for 16 minutes
		alerts = append(alerts, made(t, time.Duration(i)*10*time.Second, "R", "Notice", fields(process(100, 50, "x", "y"), "fd.name", fmt.Sprint("/f", i))))
	}
	var got []string
	for i, r := range joined(t, incident.Options{Revise: []time.Duration{time.Minute, 2 * time.Minute}}, alerts) {
		got = append(got, fmt.Sprintf("%s %d %d %s", r.GetId()[:0], r.GetRevision(), total(r), r.GetRevisionReason()))
		if i == 0 {
			want := proto.CloneOf(enricher(t).Report(alerts[0]))
			want.Closed = false
			if !proto.Equal(r, want) {
				t.Error("the first revision is not the alert's own report")
			}
		}
	}
	want := []string{
		" 1 1 ",
		" 2 6 it had grown by 5 alerts 1 min after the first",
		" 3 12 it had grown by 6 alerts 2 min after the first",
		" 4 60 it is closed after 10 min: what follows is told apart",
		" 1 1 ",
		" 2 6 it had grown by 5 alerts 1 min after the first",
		" 3 12 it had grown by 6 alerts 2 min after the first",
		" 4 40 it is closed: no alert came for 30 s",
	}
	if !slices.Equal(got, want) {
		t.Errorf("revisions:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestNews: what is new in kind is told at once, once.
func TestNews(t *testing.T) {
	base := process(100, 50, "x", "y")
	steps := []struct {
		rule, priority string
		over           []any
		why            string
	}{
		{"R", "Notice", nil, ""},
		{"R", "Notice", []any{"fd.name", "/srv/2"}, "-"},
		{"S", "Notice", nil, "another rule fired: “S”"},
		{"S", "Notice", []any{"evt.res", "EPERM"}, "the result changed: under “S” a call was refused (EPERM)"},
		{"S", "Notice", []any{"user.uid", 7, "user.name", "web"}, "another user appeared: “web”"},
		{"S", "Critical", nil, "it became more urgent"},
		{"S", "Critical", []any{"fd.name", "/root/.ssh/id_rsa"}, "a sensitive path appeared: “/root/.ssh/id_rsa”"},
		{"S", "Critical", []any{"fd.name", "/root/.ssh/id_rsa"}, "-"},
	}
	e := incident.New(incident.Options{})
	for i, step := range steps {
		a := made(t, time.Duration(i)*time.Second, step.rule, step.priority, fields(base, step.over...))
		var got []string
		for _, r := range e.Add(uint64(i+1), a, enricher(t).Report(a)) {
			got = append(got, r.GetRevisionReason())
		}
		if strings.Join(got, "|") != strings.TrimPrefix(step.why, "-") || (step.why == "-") != (len(got) == 0) {
			t.Errorf("step %d: %q", i+1, got)
		}
	}
}

// TestNewsIsBounded: whoever makes something new all the time gets no revision each time.
func TestNewsIsBounded(t *testing.T) {
	var alerts []*alert.Alert
	for i := range 200 {
		alerts = append(alerts, made(t, time.Duration(i)*time.Millisecond, fmt.Sprint("R", i), "Notice", process(100, 50, "x", "y")))
	}
	revisions := joined(t, incident.Options{}, alerts)
	reports := final(t, revisions)
	if len(reports) != 5 || len(revisions) > 5*22 {
		t.Errorf("%d reports, %d revisions", len(reports), len(revisions))
	}
	for _, r := range reports {
		if len(r.GetAlerts()) != 40 || len(r.GetTimeline()) > 100 || len(r.GetShown()) > 24 {
			t.Errorf("%d rules, %d times, %d findings", len(r.GetAlerts()), len(r.GetTimeline()), len(r.GetShown()))
		}
		for _, g := range r.GetAlerts() {
			if len(g.GetSamples()) == 0 {
				t.Errorf("the first of %s is no sample", g.GetRule())
			}
		}
	}
}

// TestHigherUrgencyIsNeverWithheld: it is told at once, also when everything else that is new has
// used up its revisions, and when only several alerts of known rules together ask for it.
func TestHigherUrgencyIsNeverWithheld(t *testing.T) {
	shell := process(100, 50, "bash", "make")
	steps := []struct {
		rule, priority string
		fields         map[string]any
		told           string
	}{
		{"R0", "Notice", does(101, "cp", "cp /bin/true /tmp/t", "openat", "evt.arg.name", "/tmp/t", "evt.arg.mode", "0644"), ""},
		{"R1", "Notice", does(102, "chmod", "chmod +x /tmp/t", "fchmodat", "evt.arg.filename", "/tmp/t", "evt.arg.mode", "S_IXUSR|S_IRUSR"), "today: it became more urgent"},
		{"another", "Notice", shell, ""},
		{"R2", "Critical", fields(shell, "fd.name", "/etc/ld.so.preload"), "page: it became more urgent"},
		{"R3", "Critical", fields(shell, "fd.name", "/etc/ld.so.preload"), ""},
	}
	var alerts []*alert.Alert
	for i := range 30 {
		alerts = append(alerts, made(t, time.Duration(i)*time.Millisecond, fmt.Sprint("R", i), "Notice", shell))
	}
	e := incident.New(incident.Options{})
	for i, a := range alerts {
		e.Add(uint64(i+1), a, enricher(t).Report(a))
	}
	for i, step := range steps {
		a := made(t, time.Second+time.Duration(i), step.rule, step.priority, step.fields)
		var told []string
		for _, r := range e.Add(uint64(len(alerts)+i+1), a, enricher(t).Report(a)) {
			told = append(told, level(r)+": "+r.GetRevisionReason())
		}
		if got := strings.Join(told, ", "); got != step.told {
			t.Errorf("step %d: %q, not %q", i+1, got, step.told)
		}
	}
}

// TestRareAlertInAFlood: it has its own report, in the midst of 4,000.
func TestRareAlertInAFlood(t *testing.T) {
	alerts := recorded(t, "falco-0.43-flood-json.jsonl.gz", 1, 4000)
	at := alerts[2000].Time().Sub(start)
	rare := fields(inContainer("go", "go get google.golang.org/grpc@v1.85.0 google.golang.org/protobuf@v1.36.12 github.com/zricethezav/gitleaks/v8@v8.30.1", "weigh.sh", ""),
		"container.id", "b29500fa9287", "host", "vm", "container.privileged", "true")
	alerts = slices.Insert(alerts, 2001, made(t, at+1, "Rare", "Error", rare), made(t, at+2, "Rarest", "Critical", rare))
	reports := final(t, joined(t, incident.Options{}, alerts))
	var got []string
	for _, r := range reports {
		got = append(got, fmt.Sprintf("%s: %d", r.GetTitle(), total(r)))
	}
	if strings.Join(got, ", ") != "Container Drift Detected (chmod) and 2 other rules: 4000, Rarest and 1 other rule: 2" {
		t.Errorf("%q", got)
	}
}

// TestRareAlertInAFloodWithPIDs: that it is of the same process tree does not drown what is new or
// more urgent; only what is the same event joins.
func TestRareAlertInAFloodWithPIDs(t *testing.T) {
	const step = time.Millisecond
	var alerts []*alert.Alert
	for i := range 1000 {
		write := fields(process(100, 50, "go", "bash"), "fd.name", fmt.Sprint("/srv/", i))
		alerts = append(alerts, made(t, time.Duration(i)*step, "Write", "Error", write))
		if i == 500 {
			alerts = append(alerts,
				made(t, time.Duration(i)*step, "Same event", "Error", write),
				made(t, time.Duration(i)*step+1, "Rare", "Error", fields(process(101, 100, "sh", "go"), "fd.name", "/srv/rare")),
				made(t, time.Duration(i)*step+2, "Write", "Critical", fields(process(102, 100, "sh", "go"), "fd.name", "/root/.bashrc")),
			)
		}
	}
	var got []string
	for _, r := range joined(t, incident.Options{}, alerts) {
		got = append(got, fmt.Sprintf("%s: %s, %d (%s)", r.GetTitle(), level(r), total(r), r.GetRevisionReason()))
	}
	want := []string{
		"Write: today, 1 ()",
		"Write and 1 other rule: today, 502 (another rule fired: “Same event”)",
		"Rare: today, 1 ()",
		"Write and 1 other rule: page, 2 (it became more urgent)",
		"Write and 1 other rule: page, 2 (it is closed: no alert came for 30 s)",
		"Write and 1 other rule: today, 1001 (it is closed: no alert came for 30 s)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("revisions:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestManyRulesAreNoFlood: an attack that matches many rules, a few alerts each, is one report.
func TestManyRulesAreNoFlood(t *testing.T) {
	var alerts []*alert.Alert
	for i := range 60 {
		alerts = append(alerts, made(t, time.Duration(i)*time.Millisecond, fmt.Sprint("R", i%30), "Notice", process(100, 50, "x", "y")))
	}
	if reports := final(t, joined(t, incident.Options{}, alerts)); len(reports) != 1 {
		t.Errorf("%d reports", len(reports))
	}
}

// TestSamplesAreDifferent: after the first few, only what looks different is a sample.
func TestSamplesAreDifferent(t *testing.T) {
	var alerts []*alert.Alert
	for i := range 1000 {
		name := fmt.Sprint("/srv/a/b/c/d/", i)
		if i == 700 || i == 900 {
			name = fmt.Sprintf("/home/user%d/private/files/x", i)
		}
		alerts = append(alerts, made(t, time.Duration(i)*time.Millisecond, "R", "Notice", fields(process(100, 50, "x", "y"), "fd.name", name)))
	}
	r := final(t, joined(t, incident.Options{}, alerts))[0]
	var names []string
	for _, s := range r.GetAlerts()[0].GetSamples() {
		names = append(names, s.GetFields()["fd.name"])
	}
	if got := strings.Join(names, " "); got != "/srv/a/b/c/d/0 /srv/a/b/c/d/1 /srv/a/b/c/d/2 /srv/a/b/c/d/3 /home/user700/private/files/x /home/user900/private/files/x" {
		t.Error(got)
	}
	if o := r.GetAlerts()[0].GetOccurrences(); o.GetCount() != 1000 || o.GetDistinct() != 1000 {
		t.Errorf("%v", o)
	}
}
