package enrich_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/falcosecurity/client-go/pkg/api/outputs"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seed is the first sample alert: what people had before.
const seed = `{"uuid":"cec8d1cb-e854-45bf-a0bf-b7aa73707b4a","output":"14:00:46.937782756: Critical Fileless execution via memfd_create (process=3)","priority":"Critical","rule":"Fileless execution via memfd_create","time":"2024-10-05T13:00:46.937782756Z","output_fields":{"container.id":"c61b4b13ae44","container.name":"peaceful_mestorf","container.start_ts":1728133229850062067,"evt.arg.flags":"EXE_WRITABLE|EXE_FROM_MEMFD","evt.res":"SUCCESS","evt.time":1728133246937782756,"evt.type":"execve","proc.aname[2]":"containerd-shim","proc.cmdline":"3 run helper.DoNothing","proc.cwd":"/","proc.exepath":"memfd:program","proc.name":"3","proc.pname":"event-generator","proc.sname":"event-generator","proc.tty":34816,"user.loginuid":-1,"user.name":"root","user.uid":0},"source":"syscall","tags":["T1620","container","host","maturity_stable","mitre_defense_evasion","process"],"hostname":"mini-debian-lab"}`

// standard is the Enricher that most tests share: it is immutable.
var standard = sync.OnceValues(func() (*enrich.Enricher, error) { return enrich.New(enrich.Options{}) })

func enricher(t testing.TB) *enrich.Enricher {
	t.Helper()
	e, err := standard()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func decode(t testing.TB, raw string) *alert.Alert {
	t.Helper()
	a, err := alert.DecodeJSON([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// withFields is an alert of source syscall with these output fields.
func withFields(t testing.TB, fields map[string]any) *alert.Alert {
	t.Helper()
	return decode(t, alertJSON(t, "syscall", fields))
}

func alertJSON(t testing.TB, source string, fields map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(map[string]any{
		"rule": "Some rule", "time": "2024-10-05T13:00:46.937782756Z", "priority": "Notice", "source": source,
		"hostname": "h", "output": "13:00:46.937782756: Notice Something happened", "output_fields": fields,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func statements(r *pb.Report) []string {
	var out []string
	for _, f := range r.GetShown() {
		out = append(out, f.GetStatement())
	}
	return out
}

// TestFilelessExecution is what an analyst reads out of the first sample alert.
func TestFilelessExecution(t *testing.T) {
	r := enricher(t).Report(decode(t, seed))
	if want := "User “root” ran “3 run helper.DoNothing” from an anonymous memory file (parent “event-generator”) in container “peaceful_mestorf”."; r.GetSummary() != want {
		t.Errorf("summary:\n%s\nwant:\n%s", r.GetSummary(), want)
	}
	want := []*pb.Finding{
		finding(pb.Confidence_CONFIDENCE_CERTAIN, "The program is an anonymous memory file, not on disk.", "proc.exepath", "evt.arg.flags"),
		finding(pb.Confidence_CONFIDENCE_LIKELY, "The process name “3” is the number of the file descriptor that was executed, not a name that somebody gave.", "proc.name", "proc.exepath"),
		finding(pb.Confidence_CONFIDENCE_POSSIBLE, "The parent is called “event-generator”, as Falco's test tool is: perhaps a drill. A name proves nothing.", "proc.pname"),
		finding(pb.Confidence_CONFIDENCE_CERTAIN, "A terminal (pts/0) is attached: somebody may be typing.", "proc.tty"),
		finding(pb.Confidence_CONFIDENCE_CERTAIN, "It ran as root (uid 0) inside the container.", "user.uid", "container.id"),
		finding(pb.Confidence_CONFIDENCE_CERTAIN, "The execve call succeeded.", "evt.res"),
		finding(pb.Confidence_CONFIDENCE_CERTAIN, "The container had been up 17.1 s.", "container.start_ts", "time"),
		finding(pb.Confidence_CONFIDENCE_CERTAIN, "No login user is set: normal for services and behind docker or kubectl exec.", "user.loginuid"),
	}
	if diff := cmp.Diff(want, r.GetShown(), protocmp.Transform()); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
	if r.GetUrgency().GetLevel() != pb.UrgencyLevel_URGENCY_LEVEL_PAGE {
		t.Errorf("urgency %v", r.GetUrgency())
	}
	p := r.GetProcess()
	if p.GetName() != "3" || p.Pid != nil || p.GetTerminal() != "pts/0" || r.GetUser().LoginUid != nil || r.GetContainer().GetName() != "peaceful_mestorf" {
		t.Errorf("process %v, user %v, container %v", p, r.GetUser(), r.GetContainer())
	}
	if chain := r.GetAncestry(); len(chain) != 2 || chain[0].GetName() != "event-generator" || chain[1].GetName() != "containerd-shim" || r.GetAncestryComplete() {
		t.Errorf("ancestry %v, complete %v", chain, r.GetAncestryComplete())
	}
	if tt := r.GetAttack().GetTechniques(); len(tt) != 1 || tt[0].GetId() != "T1620" || tt[0].GetDescription() == "" {
		t.Errorf("techniques %v", tt)
	}
}

func finding(c pb.Confidence, statement string, evidence ...string) *pb.Finding {
	return &pb.Finding{Statement: statement, Evidence: evidence, Confidence: c}
}

// TestSummaries: who, what, where, and what came of it; never more than the fields say.
func TestSummaries(t *testing.T) {
	e := enricher(t)
	for name, tc := range map[string]struct {
		source string
		fields map[string]any
		want   string
	}{
		"opened":                       {"syscall", map[string]any{"evt.type": "openat", "evt.res": "SUCCESS", "evt.arg.flags": "O_RDONLY|O_CLOEXEC", "proc.name": "cat", "proc.cmdline": "cat /etc/shadow", "user.name": "root", "fd.name": "/etc/shadow", "container.id": "host"}, "“cat /etc/shadow” as “root” opened “/etc/shadow” for reading on the host."},
		"refused":                      {"syscall", map[string]any{"evt.type": "openat", "evt.res": "EACCES", "proc.name": "cat", "user.uid": 1000, "fd.name": "/etc/shadow"}, "“cat” as uid 1000 tried to open “/etc/shadow” on “h” and was refused (EACCES)."},
		"failed, as the arguments say": {"syscall", map[string]any{"evt.type": "unlinkat", "evt.args": "res=-21(EISDIR) dirfd=-100(AT_FDCWD) name=/bin/x res=0 ", "evt.arg.name": "/bin/x", "proc.name": "x"}, "“x” tried to remove “/bin/x” on “h”, which failed (EISDIR)."},
		"arguments of an attacker":     {"syscall", map[string]any{"evt.type": "unlinkat", "evt.args": "name=res=0 res=0", "proc.name": "x"}, "“x” called unlinkat on a path that the alert does not name on “h”, result unknown."},
		"result unknown":               {"syscall", map[string]any{"evt.type": "chmod", "evt.arg.filename": "/tmp/a", "proc.name": "chmod", "proc.cmdline": "chmod +x /tmp/a"}, "“chmod +x /tmp/a” called chmod on “/tmp/a” on “h”, result unknown."},
		"program start unknown":        {"syscall", map[string]any{"evt.type": "execve", "proc.name": "sh", "proc.cmdline": "sh -c id", "proc.pname": "httpd", "k8s.pod.name": "p", "k8s.ns.name": "n", "container.id": "abc"}, "Program start: “sh -c id” (parent “httpd”) in pod “n/p”, result unknown."},
		"program start refused":        {"syscall", map[string]any{"evt.type": "execve", "evt.res": "EPERM", "proc.name": "sh", "user.name": "bob"}, "“sh” as “bob” tried to start a program on “h”, which failed (EPERM)."},
		"lost process":                 {"syscall", map[string]any{"evt.type": "openat", "evt.res": "SUCCESS", "fd.name": "/x", "proc.name": "<NA>", "proc.cmdline": nil, "proc.exepath": "", "proc.tty": 0}, "A process that Falco could not name opened “/x” on “h”."},
		"connection":                   {"syscall", map[string]any{"evt.type": "connect", "evt.res": "EINPROGRESS", "proc.name": "nc", "fd.name": "10.0.0.1:5->1.2.3.4:6", "fd.l4proto": "tcp"}, "“nc” called connect on “10.0.0.1:5->1.2.3.4:6” on “h”, result “EINPROGRESS”."},
		"rename":                       {"syscall", map[string]any{"evt.type": "rename", "evt.res": "SUCCESS", "proc.name": "mv", "evt.arg.oldpath": "/a", "evt.arg.newpath": "/b"}, "“mv” renamed “/a” as “/b” on “h”."},
		"connected":                    {"syscall", map[string]any{"evt.type": "connect", "evt.res": "SUCCESS", "proc.name": "nc", "fd.name": "10.0.0.1:5->1.2.3.4:6"}, "“nc” connected to “10.0.0.1:5->1.2.3.4:6” on “h”."},
		"no process printed":           {"syscall", map[string]any{"evt.type": "openat", "evt.res": "SUCCESS", "fd.name": "/x"}, "A process that the alert does not name opened “/x” on “h”."},
		"relative path":                {"syscall", map[string]any{"evt.type": "unlinkat", "evt.res": "SUCCESS", "evt.arg.name": "x", "proc.name": "rm"}, "“rm” removed “x” on “h”."},
		"arrow in a path":              {"syscall", map[string]any{"evt.type": "openat", "evt.res": "SUCCESS", "fd.name": "/etc/cron.d/a->b", "proc.name": "sh"}, "“sh” opened “/etc/cron.d/a->b” on “h”."},
		"container called host":        {"syscall", map[string]any{"evt.type": "execve", "evt.res": "SUCCESS", "proc.name": "sh", "user.name": "root", "container.id": "3ad7b26ded6d", "container.name": "host"}, "User “root” ran “sh” in container “host”."},
		"user not printed":             {"syscall", map[string]any{"evt.type": "execve", "evt.res": "SUCCESS", "proc.name": "ls"}, "A user that the alert does not name ran “ls” on “h”."},
		"audit moved":                  {"k8s_audit", map[string]any{"ka.user.name": "bob", "ka.verb": "get", "ka.response.code": 302}, "Kubernetes user “bob” asked to “get”, which was answered with HTTP 302."},
		"unknown call":                 {"syscall", map[string]any{"evt.type": "quotactl", "evt.res": "SUCCESS", "proc.name": "q"}, "“q” made the call quotactl on “h”."},
		"container":                    {"syscall", map[string]any{"evt.type": "container", "container.id": "abc", "container.name": "web", "container.image.repository": "nginx", "container.image.tag": "1"}, "Container “web” of image “nginx:1” was started on “h”."},
		"audit granted":                {"k8s_audit", map[string]any{"ka.user.name": "bob", "ka.verb": "create", "ka.target.resource": "pods", "ka.target.subresource": "exec", "ka.target.name": "web", "ka.target.namespace": "prod", "ka.response.code": 101}, "Kubernetes user “bob” asked to exec into pod “web” in namespace “prod”, which was granted (HTTP 101)."},
		"audit refused":                {"k8s_audit", map[string]any{"ka.user.name": "bob", "ka.verb": "get", "ka.target.resource": "secrets", "ka.response.code": "403"}, "Kubernetes user “bob” asked to “get” “secrets” and was refused."},
		"other source":                 {"okta", map[string]any{"okta.actor": "x"}, "Falco's source “okta” reported: “Something happened”."},
		"drops":                        {"internal", map[string]any{"n_drops": "3"}, "Falco on “h” lost 3 system calls within about a second; no rule could match what was lost."},
	} {
		t.Run(name, func(t *testing.T) {
			r := e.Report(decode(t, alertJSON(t, tc.source, tc.fields)))
			if r.GetSummary() != tc.want {
				t.Errorf("got:\n%s\nwant:\n%s", r.GetSummary(), tc.want)
			}
		})
	}
}

// TestFindings: each from its fields, and none without them.
func TestFindings(t *testing.T) {
	e := enricher(t)
	for name, tc := range map[string]struct {
		fields map[string]any
		want   string // part of a finding; with a leading ! of none
	}{
		"changed image":            {map[string]any{"container.id": "abc", "proc.name": "x", "proc.is_exe_upper_layer": true}, "added or changed after the container was created"},
		"changed image on host":    {map[string]any{"container.id": "host", "proc.name": "x", "proc.is_exe_upper_layer": true}, "!added or changed"},
		"privileged":               {map[string]any{"container.id": "abc", "container.privileged": "true"}, "privileged"},
		"not privileged":           {map[string]any{"container.id": "abc", "container.privileged": false}, "!privileged"},
		"metadata service":         {map[string]any{"fd.sip": "169.254.169.254", "fd.name": "10.0.0.1:5->169.254.169.254:80"}, "metadata service of a cloud"},
		"public peer":              {map[string]any{"fd.rip": "8.8.8.8"}, "The other end of the connection, 8.8.8.8, is a public address"},
		"private peer":             {map[string]any{"fd.rip": "::ffff:10.1.2.3"}, "is a private address"},
		"address that is none":     {map[string]any{"fd.rip": "1.2.3.4; rm -rf /"}, "!address"},
		"inbound":                  {map[string]any{"evt.type": "accept4", "fd.name": "8.8.8.8:5->10.0.0.5:22", "fd.sip": "10.0.0.5"}, "The client's end of the connection, 8.8.8.8, is a public address"},
		"inbound is not peer":      {map[string]any{"evt.type": "accept4", "fd.name": "8.8.8.8:5->10.0.0.5:22", "fd.sip": "10.0.0.5"}, "!The other end"},
		"carrier's network":        {map[string]any{"fd.rip": "100.64.1.2"}, "for special purposes"},
		"login user unknown":       {map[string]any{"proc.name": "x", "user.loginuid": "<NA>"}, "!login user"},
		"no terminal":              {map[string]any{"proc.name": "x", "proc.tty": 0}, "!terminal"},
		"virtual console":          {map[string]any{"proc.name": "x", "proc.tty": 1025}, "A terminal (tty1)"},
		"login user":               {map[string]any{"proc.name": "x", "user.loginuid": 1000, "user.loginname": "bob"}, "logged in as “bob” (uid 1000)"},
		"container of unknown age": {map[string]any{"container.id": "abc", "container.start_ts": 1728133229850062067}, "!had been up"},
		"rule without process":     {map[string]any{"container.id": "host", "evt.type": "openat", "fd.name": "/docker/vfs/x"}, "!unpack"},
		"unpacking":                {map[string]any{"container.id": "host", "evt.type": "openat", "proc.name": "<NA>", "fd.name": "/opt/docker/vfs/dir/4/root/.bash_history"}, "unpacks images"},
		"drill by session":         {map[string]any{"proc.name": "sh", "proc.sname": "event-generator"}, "The session leader is called “event-generator”"},
		"memory file failed":       {map[string]any{"proc.name": "3", "proc.exepath": "memfd:x", "evt.type": "execve", "evt.res": "ENOENT"}, "The process runs an anonymous memory file"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(statements(e.Report(withFields(t, tc.fields))), "\n")
			want, none := strings.CutPrefix(tc.want, "!")
			if strings.Contains(got, want) == none {
				t.Errorf("want %q in:\n%s", tc.want, got)
			}
		})
	}
}

// TestUnknownStaysUnknown: an alert with nothing but a rule and a time still has a report.
func TestUnknownStaysUnknown(t *testing.T) {
	r := enricher(t).Report(decode(t, `{"rule":"r","time":"2024-10-05T13:00:46Z"}`))
	if r.GetProcess() != nil || r.GetUser() != nil || r.GetContainer() != nil || r.GetNetwork() != nil || r.GetFile() != nil ||
		r.GetEvent() != nil || r.GetKubernetes() != nil || r.GetAttack() != nil || len(r.GetAncestry()) != 0 {
		t.Errorf("something was made up: %v", r)
	}
	if r.GetSummary() == "" || len(r.GetActions()) == 0 || len(r.GetHarmlessIf()) == 0 {
		t.Errorf("too little: %v", r)
	}
	checkReport(t, decode(t, `{"rule":"r","time":"2024-10-05T13:00:46Z"}`), r)
}

// TestRecordings: every recorded alert gives a sound report; JSON and gRPC the same one.
func TestRecordings(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "alerts")
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Skip("the recorded alerts of ../shared are not here")
	}
	e := enricher(t)
	reports := make(map[string]*pb.Report)
	seen := 0
	for _, file := range files {
		eachLine(t, file, func(line []byte) {
			seen++
			a := decode(t, string(line))
			r := e.Report(a)
			checkReport(t, a, r)
			if tags := r.GetAttack().GetUnresolvedTags(); len(tags) > 0 {
				t.Errorf("%s: tags %q are not resolved", a.ID, tags)
			}
			if r.GetAncestryComplete() {
				t.Errorf("%s: the chain is called complete; no recorded one is", a.ID)
			}
			if strings.Contains(file, "-grpc") {
				var m outputs.Response
				if err := protojson.Unmarshal(line, &m); err != nil {
					t.Fatal(err)
				}
				wire, err := proto.Marshal(&m)
				if err != nil {
					t.Fatal(err)
				}
				b, err := alert.DecodeGRPC(wire)
				if err != nil {
					t.Fatal(err)
				}
				r = e.Report(b)
				checkReport(t, b, r)
			}
			if other := reports[r.GetId()]; other != nil {
				if diff := cmp.Diff(other, r, protocmp.Transform()); diff != "" {
					t.Errorf("the reports of one event differ:\n%s", diff)
				}
			}
			reports[r.GetId()] = r
		})
	}
	// 129 and 90 events recorded twice, 84, 2 and 3 once; in the first 90 alerts some are the
	// same events as none of the others.
	if want := 129 + 90 + 84 + 2 + 3; len(reports) != want || seen != want+129+90 {
		t.Errorf("%d reports of %d alerts; want %d", len(reports), seen, want)
	}
}

func eachLine(t *testing.T, file string, do func([]byte)) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // only read
	s := bufio.NewScanner(f)
	s.Buffer(nil, alert.MaxBytes)
	for s.Scan() {
		do(s.Bytes())
	}
}

// checkReport holds what every report must be, whatever the alert.
func checkReport(t *testing.T, a *alert.Alert, r *pb.Report) {
	t.Helper()
	if _, err := proto.Marshal(r); err != nil {
		t.Fatalf("cannot be encoded: %v", err)
	}
	if r.GetId() != string(a.ID) || r.GetRevision() != 1 || r.GetSummary() == "" || len(r.GetActions()) == 0 || len(r.GetHarmlessIf()) == 0 || r.GetMeaning() == "" {
		t.Errorf("report %s lacks something: %v", r.GetId(), r)
	}
	for _, f := range r.GetShown() {
		checkSentence(t, f.GetStatement())
		if len(f.GetEvidence()) == 0 || f.GetConfidence() == pb.Confidence_CONFIDENCE_UNSPECIFIED {
			t.Errorf("finding without evidence or confidence: %v", f)
		}
		for _, name := range f.GetEvidence() {
			if _, ok := a.Lookup(name); !ok && name != "time" && name != "tags" {
				t.Errorf("finding %q names the evidence %s, which the alert lacks", f.GetStatement(), name)
			}
		}
	}
	checkSentence(t, r.GetSummary())
	for _, s := range append(append(r.GetNotShown(), r.GetHarmlessIf()...), r.GetPossibleImpact()...) {
		checkSentence(t, s)
	}
	for _, x := range r.GetActions() {
		if strings.Contains(x.GetSnippet(), "{{") || (x.GetSnippet() == "") != (x.GetLanguage() == "") {
			t.Errorf("action %q has a hole: %q", x.GetTitle(), x.GetSnippet())
		}
	}
	noneAsValue(t, r.ProtoReflect(), "")
}

// checkSentence: balanced quotes, nothing invisible.
func checkSentence(t *testing.T, s string) {
	t.Helper()
	if strings.Count(s, "“") != strings.Count(s, "”") || !utf8.ValidString(s) || s == "" {
		t.Errorf("sentence %q", s)
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			t.Errorf("sentence %q has the character %U", s, r)
		}
	}
}

// noneAsValue: <NA> and empty strings never stand as values, except in the alert's own line.
func noneAsValue(t *testing.T, m protoreflect.Message, path string) {
	t.Helper()
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		at := path + "." + string(fd.Name())
		one := func(v protoreflect.Value, at string) {
			switch {
			case fd.Message() != nil && !fd.IsMap():
				noneAsValue(t, v.Message(), at)
			case fd.Kind() == protoreflect.StringKind && (v.String() == "" || v.String() == "<NA>"):
				t.Errorf("%s = %q", at, v.String())
			default:
			}
		}
		switch {
		case fd.IsList():
			for i := range v.List().Len() {
				one(v.List().Get(i), fmt.Sprintf("%s[%d]", at, i))
			}
		case fd.IsMap():
			v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				if s := v.String(); s == "" || s == "<NA>" {
					t.Errorf("%s[%s] = %q", at, k.String(), s)
				}
				return true
			})
		default:
			one(v, at)
		}
		return true
	})
}

func FuzzReport(f *testing.F) {
	e := enricher(f)
	f.Add("cat /etc/shadow", "/etc/shadow", "SUCCESS", "execve", "bash", "web")
	f.Add("a\x1b]0;x\x07 “quoted” \u202e", "/x\n# heading", "E\x00", "openat", "event-generator", "](http://x)")
	f.Add("\xff\xfe", strings.Repeat("/é́", 200), "EPERM", "unlinkat", "memfd:x", "-1")
	f.Fuzz(func(t *testing.T, cmd, file, res, call, parent, container string) {
		a := withFields(t, map[string]any{
			"proc.name": parent, "proc.cmdline": cmd, "fd.name": file, "evt.res": res, "evt.type": call, "proc.pname": parent, "user.name": container,
			"container.name": container, "container.id": container, "proc.exepath": parent, "user.loginuid": -1, "proc.tty": 34816, "proc.pid": 5,
			"k8s.pod.name": file, "k8s.ns.name": cmd, "evt.arg.flags": res, "evt.arg.path": file, "evt.args": "res=" + res,
		})
		r := e.Report(a)
		checkReport(t, a, r)
		if !proto.Equal(r, e.Report(a)) {
			t.Error("the same alert gives two reports")
		}
	})
}

func BenchmarkReport(b *testing.B) {
	e, a := enricher(b), decode(b, seed)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := proto.Marshal(e.Report(a)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestPlaybookOfAnotherVersionsID: a rule that is tagged with an id of ATT&CK v19 gets what is
// written for the technique under its id of v18.1.
func TestPlaybookOfAnotherVersionsID(t *testing.T) {
	e := enricher(t)
	for _, tags := range [][]string{{"T1685"}, {"T1685.004"}, {"T1686.003"}, {"T1690", "mitre_defense_evasion"}} {
		a := &alert.Alert{Rule: "My rule", Source: "syscall", Tags: tags}
		if meaning := e.Report(a).GetMeaning(); !strings.Contains(meaning, "Impair Defenses") {
			t.Errorf("%s: %q", tags, meaning)
		}
	}
}
