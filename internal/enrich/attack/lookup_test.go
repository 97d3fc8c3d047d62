package attack

import (
	"strings"
	"testing"
)

func TestLookup(t *testing.T) {
	d, later := embedded(t), loadFile(t, bundle21)
	for _, tc := range []struct {
		d           *Data
		query, want string
	}{
		{d, "TA0005", "TA0005"},
		{d, " t1059.004 ", "T1059.004"},
		{d, "T1002", "T1560<T1002"},
		{d, "T1685.004", "T1562.012<T1685.004"},
		{d, "T1685", "T1685"},
		{d, "T1083-file-and-directory-discovery", "T1083"},
		{d, "mitre_defense_evasion", "TA0005"},
		{d, "MITRE_remote_service", "T1021"},
		{d, "Defense Evasion", "TA0005"},
		{d, "impact", "TA0040"},
		{d, "stealth", "TA0005"},
		{d, "rootkit", "T1014"},
		{d, "UNIX SHELL", "T1059.004"},
		{d, "exploit public facing application", "T1190"},
		{d, "data compressed", "T1560"},
		{d, "local account", "T1087.001 T1136.001"},
		{d, "mitre_local_account", "T1087.001 T1136.001"},
		{d, "Create Account: Local Account", "T1136.001"},
		{d, "create account:local account", "T1136.001"},
		{later, "Defense Evasion", "TA0005 TA0112"},
		{later, "mitre_defense_evation", "TA0005 TA0112"},
		{later, "T1562.001", "T1685<T1562.001"},
		{later, "Exploitation for Defense Evasion", "T1211"},
		{d, "", ""},
		{d, " - ", ""},
		{d, "mitre_", ""},
		{d, ":", ""},
		{d, "Rootkit: Local Account", ""},
		{d, "T9999", ""},
		{d, "T1059 T1083", ""},
		{d, "Terminal shell in container", ""},
		{d, strings.Repeat("a", maxNameBytes) + "b", ""},
	} {
		got, ok := tc.d.Lookup(tc.query)
		if s := spell(Resolution{Tactics: got.Tactics, Techniques: got.Techniques}); s != tc.want || ok != (tc.want != "") {
			t.Errorf("%q finds %q, %t, want %q", tc.query, s, ok, tc.want)
		}
	}
}

// TestLookupEveryName wants every live technique and every tactic to be found by its id, its
// name and the name after its parent's.
func TestLookupEveryName(t *testing.T) {
	d := embedded(t)
	for id, x := range d.techniques {
		if x.Revoked || x.Deprecated || x.Version != d.Version() {
			continue
		}
		full := x.Name
		if x.ParentID != "" {
			full = x.ParentName + ": " + x.Name
		}
		for _, query := range []string{id, full} {
			if got, ok := d.Lookup(query); !ok || len(got.Techniques) != 1 || got.Techniques[0].ID != id {
				t.Errorf("%q does not find %s alone, but %v", query, id, got.Techniques)
			}
		}
		found := false
		got, _ := d.Lookup(x.Name)
		for _, y := range got.Techniques {
			found = found || y.ID == id
		}
		if !found {
			t.Errorf("%q does not find %s", x.Name, id)
		}
	}
	for id, x := range d.tactics {
		for _, query := range []string{id, x.Name, x.Shortname} {
			if got, ok := d.Lookup(query); !ok || len(got.Tactics) != 1 || got.Tactics[0].ID != id {
				t.Errorf("%q does not find %s alone, but %v", query, id, got.Tactics)
			}
		}
	}
}

// TestKnownAs: what was written for one version is found with the other's ids.
func TestKnownAs(t *testing.T) {
	d, later := embedded(t), loadFile(t, bundle21)
	for _, tc := range []struct {
		d                *Data
		id, tagged, want string
	}{
		{d, "T1059", "", "T1059"},
		{d, "T1685", "", "T1685 T1562.001"}, // the one of three that has its name
		{later, "T1685", "T1562.006", "T1685 T1562.006 T1562.001"},
		{d, "T1562.012", "T1685.004", "T1562.012 T1685.004 T1685"},
		{later, "T1690", "", "T1690 T1562.003"},     // the only one
		{d, "T1686.003", "", "T1686.003 T1562.004"}, // new, below one that is not
		{d, "T1562.006", "", "T1562.006 T1685"},     // what replaced it, and its parent
		{later, "TA0112", "", "TA0112 TA0005"},
		{later, "TA0005", "", "TA0005"},
	} {
		if got := strings.Join(tc.d.KnownAs(tc.id, tc.tagged), " "); got != tc.want {
			t.Errorf("%s, tagged %q: %s; want %s", tc.id, tc.tagged, got, tc.want)
		}
	}
}
