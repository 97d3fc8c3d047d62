package enrich

import (
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// findAccount: a tool that was told to add an account, or to put one into a group that is as
// good as root.
func (s *scene) findAccount() {
	p := s.r.GetProcess()
	args := strings.Fields(p.GetCommandLine())
	if !s.startsProgram() || len(args) < 2 || strings.HasPrefix(args[len(args)-1], "-") {
		return
	}
	account := args[len(args)-1]
	switch p.GetName() {
	case "useradd", "adduser":
		s.show(certain, "Its arguments ask to add the account "+phrase.Quote(account)+".", "proc.name", "proc.cmdline")
		s.raise(today, "An account is to be added.", "an administrator or a package adds accounts")
	case "usermod", "gpasswd":
		if group := mightyGroup(args); group != "" {
			s.show(certain, "Its arguments name the group "+phrase.Quote(group)+", whose members can become root.", "proc.name", "proc.cmdline")
			s.raise(today, "An account is to get a group that is as good as root.", "an administrator or a package adds accounts")
		}
	}
}

// mightyGroup is the first group among the arguments whose members can become root.
func mightyGroup(args []string) string {
	for _, arg := range args[1:] {
		for group := range strings.SplitSeq(arg, ",") {
			switch group {
			case "root", "sudo", "wheel", "admin", "docker", "lxd", "disk", "shadow":
				return group
			}
		}
	}
	return ""
}
