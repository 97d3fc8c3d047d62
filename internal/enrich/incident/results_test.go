package incident_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
)

// TestDifferingResults: what one alert of a rule shows is not what the incident leaves open.
func TestDifferingResults(t *testing.T) {
	const denial = "That it succeeded."
	for name, test := range map[string]struct {
		rules, results []string
		want           string // a finding, empty for none on the results
		denies         string // of what is not shown, empty for nothing
	}{
		"refused, then done": {[]string{"R", "R"}, []string{"EACCES", "SUCCESS"}, "1 of 2 calls succeeded, 1 did not.", ""},
		"done, then failed":  {[]string{"R", "R", "R"}, []string{"SUCCESS", "EEXIST", "EEXIST"}, "1 of 3 calls succeeded, 2 did not.", ""},
		"both refused":       {[]string{"R", "R"}, []string{"EACCES", "EACCES"}, "", denial},
		"both done":          {[]string{"R", "R"}, []string{"SUCCESS", "SUCCESS"}, "", ""},
		"another rule's":     {[]string{"R", "S"}, []string{"SUCCESS", "EACCES"}, "", "Of “S”: that it succeeded."},
		"two rules":          {[]string{"R", "S", "S"}, []string{"SUCCESS", "EACCES", "SUCCESS"}, "1 of 2 calls of “S” succeeded, 1 did not.", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var alerts []*alert.Alert
			for i, res := range test.results {
				alerts = append(alerts, made(t, time.Duration(i)*time.Second, test.rules[i], "Warning", fields(process(100, 50, "x", "y"), "evt.type", "openat", "fd.name", "/etc/shadow", "evt.res", res)))
			}
			reports := final(t, joined(t, incident.Options{}, alerts))
			if len(reports) != 1 {
				t.Fatalf("%d reports", len(reports))
			}
			told := ""
			for _, f := range reports[0].GetShown() {
				if strings.Contains(f.GetStatement(), " of ") && strings.Contains(f.GetStatement(), "succeeded,") {
					told = f.GetStatement()
					if len(f.GetAlertIds()) < 2 {
						t.Errorf("%q rests on %v", told, f.GetAlertIds())
					}
				}
			}
			if told != test.want {
				t.Errorf("told %q, not %q", told, test.want)
			}
			denies := ""
			if i := slices.IndexFunc(reports[0].GetNotShown(), func(s string) bool { return strings.Contains(strings.ToLower(s), "that it succeeded") }); i >= 0 {
				denies = reports[0].GetNotShown()[i]
			}
			if denies != test.denies {
				t.Errorf("not shown %q, not %q", denies, test.denies)
			}
		})
	}
}

// TestResultsOfManyAlerts: of alerts that are not kept nothing is claimed.
func TestResultsOfManyAlerts(t *testing.T) {
	var alerts []*alert.Alert
	for i := range 40 {
		res := "SUCCESS"
		if i == 0 {
			res = "EACCES"
		}
		alerts = append(alerts, made(t, time.Duration(i)*time.Second, "R", "Warning", fields(process(100, 50, "x", "y"), "evt.type", "openat", "fd.name", "/srv/x", "evt.res", res)))
	}
	r := final(t, joined(t, incident.Options{}, alerts))[0]
	for _, f := range r.GetShown() {
		if strings.HasPrefix(f.GetStatement(), "At least ") && strings.Contains(f.GetStatement(), " of 40 calls succeeded, at least 1 did not.") {
			return
		}
	}
	t.Errorf("no such finding in %v", r.GetShown())
}
