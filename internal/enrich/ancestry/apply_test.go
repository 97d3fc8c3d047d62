package ancestry_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry/proctable"
)

// captured are three shells below pid 1, as a table gives them.
func captured() *pb.Report {
	anc := func(level uint32, pid int64, name string) *pb.Ancestor {
		return &pb.Ancestor{Level: level, Pid: &pid, Name: name, ExePath: "/bin/" + name, Provenance: pb.Provenance_PROVENANCE_PROCESS_TABLE, StartTime: timestamppb.New(time.Unix(5, 0))}
	}
	pid := int64(40)
	return &pb.Report{
		Process:  &pb.Process{Pid: &pid, ExePath: "/bin/x", SystemdUnit: "u.service"},
		Ancestry: []*pb.Ancestor{anc(1, 30, "sh"), anc(2, 20, "sshd"), anc(3, 1, "systemd")}, AncestryComplete: true,
	}
}

func TestApply(t *testing.T) {
	for name, tc := range map[string]struct {
		fields map[string]any
		change func(r *pb.Report)
		want   string // levels, "complete", and notes
	}{
		"all from the table": {
			map[string]any{"proc.pid": 40},
			nil, "1:sh/30 2:sshd/20 3:systemd/1 complete",
		},
		"agreed": {
			map[string]any{"proc.pid": 40, "proc.pname": "sh", "proc.ppid": 30, "proc.aname[2]": "sshd", "proc.apid[2]": 20},
			nil, "1:sh/30 2:sshd/20 3:systemd/1 complete",
		},
		"another pid": {
			map[string]any{"proc.pid": 40, "proc.pname": "sh", "proc.ppid": 30, "proc.aname[2]": "bash", "proc.apid[2]": 21},
			nil, "1:sh/30 2:bash/21\n  At level 2 the alert and the process table name different pids; the alert is followed, and nothing above is taken from the table.",
		},
		"another name": {
			map[string]any{"proc.pid": 40, "proc.pname": "bash"},
			nil, "1:bash/0\n  At level 1 the alert and the process table name different names; the alert is followed, and nothing above is taken from the table.",
		},
		"another name of the same pid": {
			map[string]any{"proc.pid": 40, "proc.pname": "renamed", "proc.ppid": 30},
			nil, "1:renamed/30 2:sshd/20 3:systemd/1 complete\n  The alert and the process table give different names to pid 30; the alert is followed.",
		},
		"another process": {
			map[string]any{"proc.pid": 41, "proc.pname": "sh"},
			nil, "1:sh/0\n  What was captured with the alert is of another process, and was left out.",
		},
		"a gap": {
			map[string]any{"proc.pid": 40},
			func(r *pb.Report) { r.Ancestry = append(r.Ancestry[:1], r.Ancestry[2]) },
			"1:sh/30 3:systemd/1",
		},
		"a link without a name": {
			map[string]any{"proc.pid": 40},
			func(r *pb.Report) { r.Ancestry[1].Name = "" },
			"1:sh/30 2:/20 3:systemd/1",
		},
		"one pid twice": {
			map[string]any{"proc.pid": 40, "proc.pname": "sh", "proc.ppid": 30},
			func(r *pb.Report) { r.Ancestry[1].Pid = r.GetAncestry()[0].Pid },
			"1:sh/30 2:sshd/30 3:systemd/1",
		},
		"the alert goes further": {
			map[string]any{"proc.pid": 40, "proc.aname[2]": "sshd", "proc.aname[3]": "systemd", "proc.apid[3]": 1},
			func(r *pb.Report) { r.Ancestry, r.AncestryComplete = r.Ancestry[:1], false },
			"1:sh/30 2:sshd/0 3:systemd/1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := captured()
			if tc.change != nil {
				tc.change(got)
			}
			a := makeAlert(t, time.Unix(10, 0), tc.fields)
			a.Captured = encode(t, got)
			r, again := applied(a), applied(a)
			if s := strings.TrimSpace(show(r)); s != tc.want {
				t.Errorf("got  %s\nwant %s", s, tc.want)
			}
			if !proto.Equal(r, again) {
				t.Error("a second time it gives another report")
			}
		})
	}
}

func encode(t *testing.T, r *pb.Report) []byte {
	t.Helper()
	b, err := proto.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestApplyProvenance: of several sources, the weakest.
func TestApplyProvenance(t *testing.T) {
	got := captured()
	got.Ancestry[0] = &pb.Ancestor{Level: 1, Pid: got.Ancestry[0].Pid, Name: "sh", Provenance: pb.Provenance_PROVENANCE_PROCFS}
	a := makeAlert(t, time.Unix(10, 0), map[string]any{"proc.pid": 40, "proc.pname": "sh", "proc.ppid": 30, "proc.aname[2]": "sshd"})
	a.Captured = encode(t, got)
	r := applied(a)
	for i, want := range []pb.Provenance{pb.Provenance_PROVENANCE_ALERT, pb.Provenance_PROVENANCE_PROCESS_TABLE, pb.Provenance_PROVENANCE_PROCESS_TABLE} {
		if p := r.GetAncestry()[i].GetProvenance(); p != want {
			t.Errorf("level %d is from %v; want %v", i+1, p, want)
		}
	}
	if p := r.GetProcess(); p.GetExePath() != "/bin/x" || p.GetSystemdUnit() != "u.service" || p.GetPidProvenance() != 0 {
		t.Errorf("the process is %v", p)
	}
}

// TestApplyLogin believes the path of sshd, and not its name.
func TestApplyLogin(t *testing.T) {
	for exe, remote := range map[string]bool{"/usr/sbin/sshd": true, "/usr/sbin/sshd (deleted)": true, "/tmp/sshd (deleted)": false, "/usr/lib/openssh/sshd-session": true, "/tmp/sshd": false, "": false} {
		got := captured()
		got.Ancestry[1].ExePath = exe
		a := makeAlert(t, time.Unix(10, 0), map[string]any{"proc.pid": 40})
		a.Captured = encode(t, got)
		if l := applied(a).GetLogin(); l.GetRemote() != remote || remote && (l.GetService() != "sshd" || len(l.GetEvidence()) == 0) {
			t.Errorf("%q: %v", exe, l)
		}
	}
}

// TestApplyGarbage: what cannot be read is said, and the alert's own fields stay.
func TestApplyGarbage(t *testing.T) {
	a := makeAlert(t, time.Unix(10, 0), map[string]any{"proc.pid": 40, "proc.pname": "sh"})
	a.Captured = []byte("\xff\xff\xff")
	if s := show(applied(a)); !strings.HasPrefix(s, "1:sh/0\n") || !strings.Contains(s, "cannot be read") {
		t.Error(s)
	}
}

// TestInferredNote names the evidence that there was.
func TestInferredNote(t *testing.T) {
	for want, unread := range map[string]bool{
		"that fits it by time, name and command line, and":                          false,
		"that fits it by time, parent and user (what it ran was not read), and all": true,
	} {
		if notes := ancestry.InferredNotes(&proctable.Chain{Unread: unread}); len(notes) != 1 || !strings.Contains(notes[0], want) {
			t.Errorf("unread %v: %q", unread, notes)
		}
	}
}
