package enrich_test

import (
	"strings"
	"testing"
)

// TestModes: a bit is said to be set only where the call is known to have succeeded.
func TestModes(t *testing.T) {
	for _, tc := range []struct{ mode, result, want, why string }{
		{"S_ISUID|S_IXUSR", "SUCCESS", "The setuid bit is set: a program there runs with its owner's rights.", "A setuid file."},
		{"S_ISUID|S_IXUSR", "", "The setuid bit is asked for: a program there would run with its owner's rights.", "A setuid file was asked for."},
		{"S_ISGID|S_IXUSR", "SUCCESS", "The setgid bit is set; on a folder it gives no rights.", ""},
		{"S_ISGID|S_IXUSR", "", "The setgid bit is asked for; on a folder it gives no rights.", ""},
	} {
		r := enricher(t).Report(withFields(t, map[string]any{"evt.type": "fchmodat", "evt.res": tc.result, "evt.arg.mode": tc.mode, "evt.arg.filename": "/srv/x", "proc.name": "chmod"}))
		if got := strings.Join(statements(r), "\n"); !strings.Contains(got, tc.want) {
			t.Errorf("%v: want %q in\n%s", tc, tc.want, got)
		}
		if tc.why != "" && r.GetUrgency().GetWhy() != tc.why {
			t.Errorf("%v: %v", tc, r.GetUrgency())
		}
	}
}
