package redact_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/redact"
)

// untouched are the fields that stay as they are: made by us, by Falco from words of its own,
// or by ATT&CK; and those that are matched by others and would be useless changed.
var untouched = []string{
	"Report.id", "Report.priority", "Report.source", "Report.tags",
	"Finding.evidence", "Finding.alert_ids", "Login.evidence", "TimelineEntry.evidence", "TimelineEntry.alert_id", "ProcessNode.alert_ids",
	"Rule.maturity",
	"Process.terminal", "Process.exe_flags",
	"Container.id", "Container.full_id", "Container.image_digest",
	"Kubernetes.pod_uid", "KubernetesRequest.authorization_decision",
	"Network.protocol", "Network.family",
	"Attack.version", "Attack.unresolved_tags",
	"Tactic.id", "Tactic.name", "Tactic.description", "Tactic.url",
	"Technique.id", "Technique.name", "Technique.parent_name", "Technique.description", "Technique.url", "Technique.tagged_id",
	"Mitigation.id", "Mitigation.name", "Mitigation.url",
	"AlertGroup.priority", "AlertSample.id",
	"Redaction.kind",
	"Alert.id", "Alert.priority", "Alert.source", "Alert.tags", "Alert.unset_fields", "Alert.uuid", "Alert.input",
}

//nolint:gosec // made up
const (
	secret = "Xq7Rk2Lm9T"
	leak   = "mysql -p" + secret + " and https://u:" + secret + "@host/"
)

// fill sets every field of a message, every string to leak.
func fill(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		value := func() protoreflect.Value {
			switch {
			case fd.Kind() == protoreflect.StringKind:
				return protoreflect.ValueOfString(leak)
			case fd.Message() != nil && fd.Message().FullName() != "google.protobuf.Timestamp":
				v := m.NewField(fd)
				if fd.IsList() {
					v = v.List().NewElement()
				}
				fill(v.Message())
				return v
			default:
				return protoreflect.Value{}
			}
		}
		switch {
		case fd.IsMap():
			m.Mutable(fd).Map().Set(protoreflect.ValueOfString("name").MapKey(), protoreflect.ValueOfString(leak))
		case !value().IsValid():
		case fd.IsList():
			m.Mutable(fd).List().Append(value())
		default:
			m.Set(fd, value())
		}
	}
}

// leaks are the names of the fields of a message that have the secret in them.
func leaks(m protoreflect.Message, into map[string]bool) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		name := fmt.Sprintf("%s.%s", fd.Parent().Name(), fd.Name())
		check := func(v protoreflect.Value) {
			if fd.Message() != nil && !fd.IsMap() {
				leaks(v.Message(), into)
			} else if strings.Contains(v.String(), secret) {
				into[name] = true
			}
		}
		switch {
		case fd.IsMap():
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool { check(v); return true })
		case fd.IsList():
			for i := range v.List().Len() {
				check(v.List().Get(i))
			}
		default:
			check(v)
		}
		return true
	})
}

// TestReportReachesEveryField fails for a field that the schema has and the walk has not.
func TestReportReachesEveryField(t *testing.T) {
	r := &pb.Report{}
	fill(r.ProtoReflect())
	before := proto.CloneOf(r)
	out := redact.Report(r)
	if diff := cmp.Diff(before, r, protocmp.Transform()); diff != "" {
		t.Errorf("the original was changed:\n%s", diff)
	}
	left := map[string]bool{}
	leaks(out.ProtoReflect(), left)
	for _, name := range untouched {
		if !left[name] {
			t.Errorf("%s is listed as untouched, but is not there or was redacted", name)
		}
		delete(left, name)
	}
	if len(left) > 0 {
		t.Errorf("secrets left in %v", slices.Sorted(mapKeys(left)))
	}
	if again := redact.Report(out); again != out {
		t.Error("a redacted report is redacted again")
	}
	// Every message alone: none is reached through a field of another only.
	msgs := r.ProtoReflect().Descriptor().Fields()
	for i := range msgs.Len() {
		fd := msgs.Get(i)
		if fd.Message() == nil || fd.IsList() || slices.Contains([]protoreflect.Name{"attack"}, fd.Name()) || fd.Message().Name() == "Timestamp" {
			continue
		}
		one := &pb.Report{}
		one.ProtoReflect().Set(fd, r.ProtoReflect().Get(fd))
		if redact.Report(one) == one {
			t.Errorf("a report with nothing but %s comes back as it is", fd.Name())
		}
	}
}

func mapKeys(m map[string]bool) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func TestReportShares(t *testing.T) {
	for _, r := range []*pb.Report{nil, {}, {Summary: "nc -l -p 4444", Process: &pb.Process{}, Alert: &pb.Alert{OutputFields: map[string]string{"ka.auth.decision": "allow"}}}} {
		if redact.Report(r) != r {
			t.Errorf("a clean report was copied: %v", r)
		}
	}
}

func TestReportKnowsFields(t *testing.T) {
	const env = "HOME=/root DB_PASSWORD=my secret 9 PATH=/bin"
	long := "mysql -uroot -h db.example.org -pTr0ub4dorAnd3 --execute=select"
	r := &pb.Report{
		Summary: "User “root” ran “mysql -uroot -h db.example.org -pTr0u … nd3 --execute=select”.",
		Host:    "Tr0ub4dorAnd3",
		Process: &pb.Process{Name: "mysql", CommandLine: long, Environment: env},
		Actions: []*pb.Action{{Snippet: "grep -F 'Tr0ub4dorAnd3' /var/log/mysql.log"}},
		Event:   &pb.Event{Arguments: map[string]string{"env": env}},
		Alert: &pb.Alert{
			Output: "12:00:00.0: x | args=-pz command=" + long + " env=" + env,
			OutputFields: map[string]string{
				"proc.name": "mysql", "proc.args": "-pzz9z", "proc.env": env, "proc.env[API_TOKEN]": "plain words", "ka.auth.decision": "allow",
			},
			Extra: map[string]string{"api_token": `"abc"`, "n": `{"password":1234}`},
		},
		Redactions: []*pb.Redaction{{Kind: "token", Count: 2}},
	}
	//nolint:gosec // a placeholder
	const (
		password = "[redacted password]"
		cleanEnv = "HOME=/root DB_PASSWORD=" + password + " PATH=/bin"
	)
	cleanLong := strings.Replace(long, "Tr0ub4dorAnd3", password, 1)
	want := proto.CloneOf(r)
	want.Summary = "User “root” ran “mysql -uroot -h db.example.org -p" + password + " … " + password + " --execute=select”."
	want.Process.CommandLine, want.Process.Environment = cleanLong, cleanEnv
	want.Actions[0].Snippet = "" // it would not do what it says
	want.Actions[0].Why = "The command is left out: it would have a secret in it; --redact=off shows it."
	want.Event.Arguments["env"] = cleanEnv
	want.Alert.Output = "12:00:00.0: x | args=-pz command=" + cleanLong + " env=" + cleanEnv
	want.Alert.OutputFields["proc.args"] = "-p" + password
	want.Alert.OutputFields["proc.env"] = cleanEnv
	want.Alert.OutputFields["proc.env[API_TOKEN]"] = "[redacted token]"
	want.Alert.Extra["api_token"] = `"[redacted token]"`
	want.Alert.Extra["n"] = `{"password":"` + password + `"}`
	want.Redactions = []*pb.Redaction{{Kind: "password", Count: 11}, {Kind: "token", Count: 4}}
	got := redact.Report(r)
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if redact.Report(got) != got {
		t.Error("a redacted report is redacted again")
	}
}

func TestLength(t *testing.T) {
	long := strings.Repeat("word ä ", redact.MaxLength/7) + " --password hunter2"
	for in, want := range map[string]int{long: 1, strings.Repeat("x", redact.MaxLength): 0, strings.Repeat("ä", redact.MaxLength): 1} {
		out, found := redact.String(in)
		if len(found) != want || len(out) > redact.MaxLength || strings.Contains(out, "hunter2") {
			t.Errorf("%d bytes: got %d bytes, %q", len(in), len(out), found)
		}
		if want > 0 && (!strings.HasSuffix(out, " [redacted uninspected text]") || found[0] != redact.Uninspected) {
			t.Errorf("ends with %q, %q", out[len(out)-40:], found)
		}
		if again, found := redact.String(out); again != out || found != nil {
			t.Error("not the same again")
		}
	}
	if r := (&pb.Report{Summary: long}); !strings.HasSuffix(redact.Report(r).GetSummary(), "[redacted uninspected text]") {
		t.Error("a long summary was passed")
	}
}
