package render

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// chainOf is a report of a process below ancestors, the nearest first.
func chainOf(p *pb.Process, w pb.Workload, c *pb.Container, u *pb.User, ancestors ...*pb.Ancestor) *pb.Report {
	for i, a := range ancestors {
		if a.Level == 0 {
			a.Level = uint32(i + 1)
		}
	}
	return &pb.Report{Process: p, Workload: w, Container: c, User: u, Ancestry: ancestors}
}

// treeLines are the lines of the process tree of a report, without indent.
func treeLines(t *testing.T, r *pb.Report) string {
	t.Helper()
	_, out, _ := strings.Cut(render(t, Text, r), "\nPROCESSES\n")
	out, _, _ = strings.Cut(out, "\n\n")
	var lines []string
	for l := range strings.Lines(out) {
		lines = append(lines, strings.TrimSpace(l))
	}
	return strings.Join(lines, "\n")
}

func TestChain(t *testing.T) {
	const host, container = pb.Workload_WORKLOAD_HOST, pb.Workload_WORKLOAD_CONTAINER
	sh, web := &pb.Process{Name: "sh"}, &pb.Container{Id: "aa", Name: "web"}
	user := func(id uint32, name string) *pb.User { return &pb.User{Uid: new(id), Name: name} }
	for name, test := range map[string]struct {
		r    *pb.Report
		want []string
	}{
		"host": {chainOf(sh, host, nil, nil, &pb.Ancestor{Name: "init", Workload: host}), []string{"init", "sh [this event]"}},
		"container": {
			chainOf(sh, container, web, nil, &pb.Ancestor{Name: "runc", ContainerId: "aa"}, &pb.Ancestor{Name: "shim", Workload: host}),
			[]string{"shim", "---- container web ----", "runc", "sh [this event]"},
		},
		"somewhere": {
			chainOf(sh, container, web, nil, &pb.Ancestor{Name: "x"}, &pb.Ancestor{Name: "shim", Workload: host}),
			[]string{"shim", "x", "---- container web, entered here or above ----", "sh [this event]"},
		},
		"all in a container": {
			chainOf(sh, container, web, nil, &pb.Ancestor{Name: "x", Workload: container}), []string{"---- container web ----", "x", "sh [this event]"},
		},
		"out of the container": {
			chainOf(sh, host, nil, nil, &pb.Ancestor{Name: "x", ContainerId: "bb"}, &pb.Ancestor{Name: "y", ContainerId: "aa"}),
			[]string{"---- container aa ----", "y", "---- container bb ----", "x", "---- the host ----", "sh [this event]"},
		},
		"users": {
			chainOf(sh, host, nil, user(33, "www"), &pb.Ancestor{Name: "c", User: user(33, "www")}, &pb.Ancestor{Name: "b", User: user(33, "www")}, &pb.Ancestor{Name: "a", User: user(0, "root")}),
			[]string{"a user root", "b user www, was root", "c", "sh user www [this event]"},
		},
		"users half known": {
			chainOf(sh, host, nil, &pb.User{Name: "www"}, &pb.Ancestor{Name: "c", User: user(0, "")}, &pb.Ancestor{Name: "b"}, &pb.Ancestor{Name: "a", User: user(0, "root")}),
			[]string{"a user root", "b", "c uid 0", "sh user www [this event]"},
		},
		"one name for two users": {
			chainOf(sh, host, nil, user(100000, "root"), &pb.Ancestor{Name: "a", User: user(0, "root")}), []string{"a user root", "sh uid 100000, was uid 0 [this event]"},
		},
		"no change is seen across a gap": {
			chainOf(sh, host, nil, user(33, "www"), &pb.Ancestor{Level: 3, Name: "a", User: user(0, "root")}),
			[]string{"a user root", "... (levels 2 to 1: not known)", "sh user www [this event]"},
		},
		"what is known of one": {
			chainOf(&pb.Process{Name: "sh", Pid: proto.Int64(7), PidProvenance: pb.Provenance_PROVENANCE_INFERRED}, host, nil, nil,
				&pb.Ancestor{Name: "kworker", ExePath: "/tmp/x", Ended: true, Provenance: pb.Provenance_PROVENANCE_PROCFS}),
			[]string{"kworker executable /tmp/x [/proc, ended]", "sh (pid 7) [this event, pid inferred]"},
		},
		"names that the kernel cut": {
			chainOf(sh, host, nil, nil, &pb.Ancestor{Name: "event-generator", ExePath: "/bin/event-generator-2"}), []string{"event-generator", "sh [this event]"},
		},
		"a forged border": {chainOf(sh, host, nil, nil, &pb.Ancestor{Name: "---- the host ----"}), []string{"“---- the host ----”", "sh [this event]"}},
	} {
		if got, want := treeLines(t, test.r), strings.Join(test.want, "\n"); got != want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
		}
		checkWellFormed(t, render(t, HTML, test.r))
	}
}

// TestIncidentTree checks odd trees: parents that stand behind their children or nowhere, and
// chains that are deeper than lines are wide.
func TestIncidentTree(t *testing.T) {
	odd := &pb.Report{Processes: []*pb.ProcessNode{
		{Parent: 1, Process: &pb.Ancestor{Name: "itself"}},
		{Parent: 3, Process: &pb.Ancestor{Name: "before"}},
		{Parent: 1, Gap: true},
		nil,
		{Parent: 1 << 31, Process: &pb.Ancestor{Name: "nowhere"}},
		{Parent: 2, Process: &pb.Ancestor{Name: "child"}},
	}}
	if got, want := treeLines(t, odd), "Of all alerts\nitself\n... (not known)\n?\nbefore\nchild\n?\nnowhere"; got != want {
		t.Errorf("%s\nwant:\n%s", got, want)
	}
	deep := &pb.Report{}
	for i := range uint32(5000) {
		deep.Processes = append(deep.Processes, &pb.ProcessNode{Parent: i, Process: &pb.Ancestor{Name: "p", CommandLine: strings.Repeat("漢", 100), Pid: proto.Int64(-1 << 63)}})
	}
	out := render(t, Text, deep)
	for l := range strings.Lines(out) {
		if n := columnsOf([]byte(strings.TrimSuffix(l, "\n"))); n > textWidth {
			t.Errorf("%d columns: %s", n, l)
		}
	}
	if !strings.Contains(out, "(depth 5000) p") {
		t.Errorf("the depth is lost: %.300s", out[len(out)-300:])
	}
	if page := render(t, HTML, deep); strings.Count(page, "<ul>") > 20 {
		t.Error("lists are nested without bound")
	}
}

func TestTimeline(t *testing.T) {
	event := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	r := &pb.Report{EventTime: timestamppb.New(event), Timeline: []*pb.TimelineEntry{
		{Time: timestamppb.New(event.Add(-26 * time.Hour)), Statement: "Early."},
		{Time: timestamppb.New(event.Add(-400 * time.Microsecond)), Statement: "Close."},
		{Time: timestamppb.New(event), Statement: "“R” matched.", AlertId: "a", Rule: "R"},
		{Time: timestamppb.New(event.Add(7)), Statement: "Again.", AlertId: "b", Rule: "Other"},
		{Time: timestamppb.New(event.Add(95 * time.Millisecond)), Statement: "And again.", AlertId: "a"},
		{Statement: "Some time."},
		nil,
		{},
	}, Shown: []*pb.Finding{{Statement: "F.", AlertIds: []string{"b", "a", "x", "y"}}, {Statement: "G.", AlertIds: []string{"x"}}}}
	out := strings.Join(strings.Fields(render(t, Text, r)), " ")
	for _, want := range []string{
		"2026-11-21 (UTC) 00:00:00.000000 -1 d 2 h Early. 2026-11-22 (UTC) 01:59:59.999600 -0.40 ms Close. 02:00:00.000000 Alert 1: “R” matched.",
		"02:00:00.000000 +7 ns Alert 2, Other: Again. 02:00:00.095000 +95 ms Alert 1: And again. At a time that is not known Some time.",
		"F. (alerts 1, 2 and 2 more)", "G. (1 alert)",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in: %s", want, out)
		}
	}
}

// TestExpiredSilenceOnTheFirstScreen: whoever reads only that learns why it is not silent any more.
func TestExpiredSilenceOnTheFirstScreen(t *testing.T) {
	r := &pb.Report{Title: "T", Urgency: &pb.Urgency{Level: pb.UrgencyLevel_URGENCY_LEVEL_PAGE, Why: "It is so."}, Silence: &pb.Silence{
		Expired: true, Until: timestamppb.New(time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)),
	}}
	const note = "It is so. A silence for this expired on 2026-11-22 02:00:00 UTC."
	for format, end := range map[Format]string{Text: "\nDETAILS", Markdown: "\n## ", HTML: "</header>"} {
		for expired, want := range map[bool]int{true: 1, false: 0} {
			r.Silence.Expired = expired
			screen, _, found := strings.Cut(render(t, format, r), end)
			if got := strings.Count(screen, note); got != want || !found {
				t.Errorf("%s, expired %t: %d times %q in\n%s", format, expired, got, note, screen)
			}
		}
	}
}

func TestNotes(t *testing.T) {
	for want, r := range map[string]*pb.Report{
		"3 passwords, 1 token, 2 password hashes, 2 credentials, 1 place of uninspected text taken out of this copy": {Redactions: []*pb.Redaction{
			{Kind: "password", Count: 3}, {Kind: "token", Count: 1}, {Kind: "password hash", Count: 2}, {Kind: "credentials", Count: 2}, {Kind: "uninspected text", Count: 1}, {Kind: "none"},
		}},
		"Silenced `drill`, set by `anna`, until 2026-11-22 02:00:00 UTC. It lowered the urgency.": {Silence: &pb.Silence{
			Reason: "drill", Author: "anna", Until: timestamppb.New(time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)),
		}},
		"Expired silence no reason given. It has expired: the urgency is as without it.": {Silence: &pb.Silence{Expired: true}},
		"Revised because another rule fired: `X`":                                        {RevisionReason: "another rule fired: “X”"},
		"Login through `sshd`":                             {Login: &pb.Login{Service: "sshd"}},
		"Login remote, session `4` (from `proc.aname[5]`)": {Login: &pb.Login{Remote: true, Session: "4", Evidence: []string{"proc.aname[5]"}}},
		"Why it is so.":                                    {AncestryNotes: []string{"Why it is so."}},
	} {
		out := strings.Join(strings.Fields(strings.ReplaceAll(render(t, Markdown, r), "|", " ")), " ")
		if !strings.Contains(out, want) {
			t.Errorf("no %q in: %s", want, out)
		}
	}
}
