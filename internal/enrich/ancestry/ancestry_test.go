package ancestry_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry"
)

// chainOf is the chain of an alert with these fields: "LEVEL NAME PID EXE COMMAND" each.
func chainOf(t *testing.T, fields map[string]any) ([]string, bool) {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"rule": "r", "time": "2024-10-05T13:00:46Z", "output_fields": fields})
	if err != nil {
		t.Fatal(err)
	}
	a, err := alert.DecodeJSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	chain, complete := ancestry.FromAlert(a)
	var out []string
	for _, x := range chain {
		pid := "-"
		if x.Pid != nil {
			pid = fmt.Sprint(x.GetPid())
		}
		out = append(out, fmt.Sprintf("%d %s %s %s %s", x.GetLevel(), x.GetName(), pid, x.GetExePath(), x.GetCommandLine()))
	}
	return out, complete
}

func TestFromAlert(t *testing.T) {
	for name, tc := range map[string]struct {
		fields   map[string]any
		want     []string
		complete bool
	}{
		"nothing":            {map[string]any{}, nil, false},
		"pid 1 itself":       {map[string]any{"proc.pid": 1}, nil, true},
		"parent's name only": {map[string]any{"proc.pname": "bash"}, []string{"1 bash -  "}, false},
		"whole chain": {
			map[string]any{
				"proc.pid": 9, "proc.pname": "bash", "proc.ppid": 8, "proc.pexepath": "/bin/bash", "proc.pcmdline": "bash -l",
				"proc.aname[2]": "systemd", "proc.apid[2]": 1, "proc.aexepath[2]": "/sbin/init", "proc.acmdline[2]": "init", "proc.apid[3]": 0,
			},
			[]string{"1 bash 8 /bin/bash bash -l", "2 systemd 1 /sbin/init init"},
			true,
		},
		"strings as gRPC has them": {
			map[string]any{"proc.pname": "bash", "proc.ppid": "8", "proc.aname[2]": "init", "proc.apid[2]": "1", "proc.aname[3]": "<NA>", "proc.apid[3]": "-1"},
			[]string{"1 bash 8  ", "2 init 1  "},
			true,
		},
		"gap": {
			map[string]any{"proc.pname": "sh", "proc.ppid": 8, "proc.aname[3]": "init", "proc.apid[3]": 1},
			[]string{"1 sh 8  ", "3 init 1  "},
			false,
		},
		"top without a pid": {
			map[string]any{"proc.pname": "sh", "proc.aname[2]": "init"},
			[]string{"1 sh -  ", "2 init -  "},
			false,
		},
		"one pid twice": {
			map[string]any{"proc.pid": 40, "proc.pname": "bash", "proc.ppid": 30, "proc.aname[2]": "sshd", "proc.apid[2]": 30, "proc.aname[3]": "init", "proc.apid[3]": 1},
			[]string{"1 bash 30  ", "2 sshd 30  ", "3 init 1  "},
			false,
		},
		"above itself": {
			map[string]any{"proc.pid": 40, "proc.pname": "bash", "proc.ppid": 40, "proc.aname[2]": "init", "proc.apid[2]": 1},
			[]string{"1 bash 40  ", "2 init 1  "},
			false,
		},
		"top is not pid 1":    {map[string]any{"proc.pname": "sh", "proc.ppid": 8}, []string{"1 sh 8  "}, false},
		"the process itself":  {map[string]any{"proc.aname[0]": "self", "proc.apid[0]": 5}, nil, false},
		"index of the parent": {map[string]any{"proc.aname[1]": "sh", "proc.apid[1]": 7}, []string{"1 sh 7  "}, false},
		"absurd indices": {
			map[string]any{"proc.aname[999999999999999999999]": "x", "proc.aname[-1]": "x", "proc.aname[x]": "x", "proc.aname[65]": "x", "proc.aname[64]": "y"},
			[]string{"64 y -  "},
			false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, complete := chainOf(t, tc.fields)
			if diff := cmp.Diff(tc.want, got); diff != "" || complete != tc.complete {
				t.Errorf("complete = %v (-want +got):\n%s", complete, diff)
			}
		})
	}
}
