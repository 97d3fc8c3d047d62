package enrich

import (
	"slices"
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// findAccount: a tool that was told to add an account, to put one into a group that is as good as
// root, or to take it out of such a group.
func (s *scene) findAccount() {
	args := strings.Fields(s.r.GetProcess().GetCommandLine())
	if !s.startsProgram() || len(args) < 2 {
		return
	}
	evidence := []string{"proc.name", "proc.cmdline"}
	task := readAccountTask(s.r.GetProcess().GetName(), args[1:])
	if task.account == "" {
		return
	}
	if task.adds {
		s.show(certain, "Its arguments ask to add the account "+phrase.Quote(task.account)+".", evidence...)
		s.raise(today, "An account is to be added.", "an administrator or a package adds accounts")
	}
	switch group := mightyGroup(task.groups); {
	case group == "":
	case task.removes:
		s.show(certain, "Its arguments ask to take "+phrase.Quote(task.account)+" out of the group "+phrase.Quote(group)+", whose members can become root.", evidence...)
	default:
		s.show(certain, "Its arguments ask to put "+phrase.Quote(task.account)+" into the group "+phrase.Quote(group)+", whose members can become root.", evidence...)
		s.raise(today, "An account is to get a group that is as good as root.", "an administrator or a package adds accounts")
	}
}

// accountTask is what the arguments of a tool for accounts ask for.
type accountTask struct {
	account string // empty where the tool is not known, or changes no account
	adds    bool   // the account is to be added
	groups  []string
	removes bool // the account is to be taken out of the groups, not put into them
}

// The short options that take a value, of shadow-utils' useradd, usermod and gpasswd.
const (
	useraddValued = "bcdefFgGkKpPRsuZ"
	usermodValued = "cdefgGlpPRsuvVwWZ"
	gpasswdValued = "aAdMQ"
)

// readAccountTask reads the arguments of a tool, without its name.
func readAccountTask(tool string, args []string) accountTask {
	switch tool {
	case "useradd":
		return readUseradd(args)
	case "adduser":
		return readAdduser(args)
	case "usermod":
		return readUsermod(args)
	case "gpasswd":
		return readGpasswd(args)
	}
	return accountTask{}
}

func readUseradd(args []string) accountTask {
	o := readOptions(args, takesOf(useraddValued, "groups", "gid", "home-dir", "shell", "uid", "comment", "base-dir", "expiredate", "inactive", "skel", "password", "root", "prefix", "key"))
	return accountTask{account: lastWord(o.words), adds: true, groups: groupsOf(o)}
}

// readAdduser: the tools of this name differ in their options. All take the account last, and
// Debian's with an account and a group puts the one into the other.
func readAdduser(args []string) accountTask {
	last := args[len(args)-1]
	switch {
	case strings.HasPrefix(last, "-"):
		return accountTask{}
	case len(args) == 2 && !strings.HasPrefix(args[0], "-"):
		return accountTask{account: args[0], groups: []string{last}}
	default:
		return accountTask{account: last, adds: true}
	}
}

func readUsermod(args []string) accountTask {
	o := readOptions(args, takesOf(usermodValued, "groups", "gid", "home", "shell", "uid", "login", "comment", "expiredate", "inactive", "password", "root", "prefix"))
	return accountTask{account: lastWord(o.words), groups: groupsOf(o), removes: o.has("r") || o.has("remove")}
}

func readGpasswd(args []string) accountTask {
	o := readOptions(args, takesOf(gpasswdValued, "add", "delete", "administrators", "members", "root"))
	out := accountTask{groups: o.words}
	for _, option := range [...]string{"a", "add", "M", "members", "d", "delete"} {
		if out.account = o.value(option); out.account != "" {
			out.removes = option == "d" || option == "delete"
			break
		}
	}
	return out
}

// takesOf says which options take a value: these letters and long names.
func takesOf(letters string, long ...string) func(option, value string) bool {
	return func(option, _ string) bool {
		return len(option) == 1 && strings.Contains(letters, option) || slices.Contains(long, option)
	}
}

// groupsOf are the groups that useradd and usermod are given.
func groupsOf(o options) []string {
	var out []string
	for _, option := range [...]string{"G", "groups", "g", "gid"} {
		out = append(out, o.value(option))
	}
	return out
}

func lastWord(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

// mightyGroup is the first group of some lists, with commas between them, whose members can become
// root.
func mightyGroup(lists []string) string {
	for _, list := range lists {
		for group := range strings.SplitSeq(list, ",") {
			switch group {
			case "root", "sudo", "wheel", "admin", "docker", "lxd", "disk", "shadow":
				return group
			}
		}
	}
	return ""
}
