package incident_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
)

var update = flag.Bool("update", false, "write the golden accounts")

// expectation is a section of docs/reports/incidents.md.
type expectation struct {
	file     string
	from, to int
	name     string
	values   map[string]string
	lists    map[string][]string
}

// TestExpectedIncidents: what was written down by hand before the program was asked stands in
// its accounts, and these are as they were last read.
func TestExpectedIncidents(t *testing.T) {
	all := readExpectations(t)
	if len(all) != 5 {
		t.Fatalf("%d expectations", len(all))
	}
	for _, want := range all {
		t.Run(want.name, func(t *testing.T) {
			alerts := recorded(t, want.file, want.from, want.to)
			reports := final(t, joined(t, incident.Options{}, alerts))
			if got := strconv.Itoa(len(reports)); got != want.values["Reports"] {
				t.Errorf("%s reports, not %s", got, want.values["Reports"])
			}
			sum := uint64(0)
			for _, r := range reports {
				sum += total(r)
			}
			if sum != uint64(len(alerts)) {
				t.Errorf("%d alerts are accounted for, of %d", sum, len(alerts))
			}
			r := want.report(t, alerts, reports)
			want.holds(t, r)
			golden(t, want.name, outline(r))
		})
	}
}

// report is the report that the expectation is of.
func (e *expectation) report(t *testing.T, alerts []*alert.Alert, reports []*pb.Report) *pb.Report {
	t.Helper()
	line, err := strconv.Atoi(e.values["First line"])
	if err != nil || line < e.from || line > e.to {
		t.Fatalf("first line %q", e.values["First line"])
	}
	at := slices.IndexFunc(reports, func(r *pb.Report) bool { return r.GetId() == string(alerts[line-e.from].ID) })
	if at < 0 {
		t.Fatalf("no report begins with line %d", line)
	}
	return reports[at]
}

func (e *expectation) holds(t *testing.T, r *pb.Report) {
	t.Helper()
	for name, got := range map[string]string{"Title": r.GetTitle(), "Urgency": level(r), "Reason": r.GetRevisionReason()} {
		if want, ok := e.values[name]; ok && got != want {
			t.Errorf("%s: %q, not %q", name, got, want)
		}
	}
	var alerts, reasons []string
	for _, g := range r.GetAlerts() {
		alerts = append(alerts, fmt.Sprintf("%s: %d", g.GetRule(), g.GetOccurrences().GetCount()))
		for _, s := range g.GetSamples() {
			reasons = append(reasons, s.GetJoinedBecause())
		}
	}
	var shown []string
	for _, f := range r.GetShown() {
		shown = append(shown, f.GetStatement())
	}
	for name, got := range map[string][]string{"Alerts": alerts, "Joined because": reasons, "Shown": shown, "Not shown": r.GetNotShown()} {
		for _, s := range e.lists[name] {
			if !slices.Contains(got, s) {
				t.Errorf("%s: %q is not among\n%s", name, s, strings.Join(got, "\n"))
			}
		}
	}
}

func level(r *pb.Report) string {
	return strings.ToLower(strings.TrimPrefix(r.GetUrgency().GetLevel().String(), "URGENCY_LEVEL_"))
}

// readExpectations reads headings "FILE, lines A to B: NAME", "Name: value" lines and lists below
// a "Name:" line. Other lines are for people.
func readExpectations(t *testing.T) []*expectation {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "reports", "incidents.md"))
	if err != nil {
		t.Fatal(err)
	}
	var out []*expectation
	list := ""
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			e := &expectation{values: map[string]string{}, lists: map[string][]string{}}
			where, name, _ := strings.Cut(heading, ": ")
			file, lines, _ := strings.Cut(where, ", lines ")
			if _, err := fmt.Sscanf(lines, "%d to %d", &e.from, &e.to); err != nil {
				t.Fatalf("heading %q: %v", heading, err)
			}
			e.file, e.name = file, name
			out = append(out, e)
			continue
		}
		if len(out) == 0 {
			continue
		}
		last := out[len(out)-1]
		if item, ok := strings.CutPrefix(line, "- "); ok {
			last.lists[list] = append(last.lists[list], item)
			continue
		}
		switch name, value, ok := strings.Cut(line, ":"); {
		case !ok:
		case value == "":
			list = name
		case slices.Contains([]string{"Reports", "First line", "Title", "Urgency", "Reason"}, name):
			last.values[name] = strings.TrimSpace(value)
		}
	}
	return out
}

// golden compares a text with the one that was kept.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the account is not as it was read (-update writes it anew):\n%s", got)
	}
}

// outline is an account in a form that a person can read.
func outline(r *pb.Report) string {
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
	}
	number := make(map[string]int)
	add := func(id string) {
		if id != "" && number[id] == 0 {
			number[id] = len(number) + 1
		}
	}
	for _, e := range r.GetTimeline() {
		add(e.GetAlertId())
	}
	for _, g := range r.GetAlerts() {
		for _, s := range g.GetSamples() {
			add(s.GetId())
		}
	}
	ids := func(list []string) (out []int) {
		for _, id := range list {
			out = append(out, number[id])
		}
		return out
	}
	line("%s\n%s: %s\n\n%s", r.GetTitle(), level(r), r.GetUrgency().GetWhy(), r.GetSummary())
	line("Revision %d, closed %t: %s", r.GetRevision(), r.GetClosed(), r.GetRevisionReason())
	line("\nShown")
	for _, f := range r.GetShown() {
		line("- %s (%s; alerts %v)", f.GetStatement(), strings.ToLower(strings.TrimPrefix(f.GetConfidence().String(), "CONFIDENCE_")), ids(f.GetAlertIds()))
	}
	line("\nNot shown\n- %s", strings.Join(r.GetNotShown(), "\n- "))
	line("\nTimeline")
	for _, e := range r.GetTimeline() {
		at := e.GetTime().AsTime().Format("15:04:05.000000000")
		if n := number[e.GetAlertId()]; n > 0 {
			at += fmt.Sprintf(" [%d]", n)
		}
		line("%s %s", at, e.GetStatement())
	}
	line("\nProcesses")
	depth := make([]int, len(r.GetProcesses())+1)
	for i, n := range r.GetProcesses() {
		depth[i+1] = depth[n.GetParent()] + 1
		line("%s%s (pid %d) alerts %v", strings.Repeat("  ", depth[i+1]-1), n.GetProcess().GetName(), n.GetProcess().GetPid(), ids(n.GetAlertIds()))
	}
	line("\nAlerts")
	for _, g := range r.GetAlerts() {
		o := g.GetOccurrences()
		line("%s: %d, %d different", g.GetRule(), o.GetCount(), o.GetDistinct())
		for _, s := range g.GetSamples() {
			line("  [%d] %s", number[s.GetId()], s.GetJoinedBecause())
		}
	}
	line("\nFirst actions")
	for _, a := range r.GetActions()[:min(3, len(r.GetActions()))] {
		line("- %s", a.GetTitle())
	}
	line("\nATT&CK")
	for _, x := range r.GetAttack().GetTactics() {
		line("- %s", x.GetName())
	}
	return b.String()
}
