package enrich

import (
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// describe words a system call: what was done, and to do it. Calls that it does not know are
// named as calls, which is always true.
func describe(call string) (did, do string) {
	switch call {
	case "open", "openat", "openat2", "creat", "open_by_handle_at":
		return "opened", "open"
	case "unlink", "unlinkat":
		return "removed", "remove"
	case "rmdir":
		return "removed the directory", "remove the directory"
	case "rename", "renameat", "renameat2":
		return "renamed", "rename"
	case "chmod", "fchmod", "fchmodat", "fchmodat2":
		return "changed the mode of", "change the mode of"
	case "chown", "lchown", "fchown", "fchownat":
		return "changed the owner of", "change the owner of"
	case "mkdir", "mkdirat":
		return "created the directory", "create the directory"
	case "link", "linkat":
		return "hard-linked", "hard-link"
	case "symlink", "symlinkat":
		return "symlinked", "symlink"
	case "mount":
		return "mounted a file system", "mount a file system"
	case "umount", "umount2":
		return "unmounted a file system", "unmount a file system"
	case "ptrace":
		return "used ptrace", "use ptrace"
	case "dup", "dup2", "dup3":
		return "redirected a descriptor", "redirect a descriptor"
	case "connect":
		return "connected", "connect"
	case "accept", "accept4":
		return "accepted a connection", "accept a connection"
	case "recv", "recvfrom", "recvmsg":
		return "received data", "receive data"
	case "send", "sendto", "sendmsg":
		return "sent data", "send data"
	case "setns", "unshare":
		return "changed its namespaces", "change its namespaces"
	case "init_module", "finit_module":
		return "loaded a kernel module", "load a kernel module"
	case "userfaultfd":
		return "called userfaultfd", "call userfaultfd"
	case "":
		return "made a call", "make a call"
	default:
		return "made the call " + phrase.Visible(call), "make the call " + phrase.Visible(call)
	}
}

// joiner joins a connection to the words for a call.
func joiner(call string) string {
	switch did, _ := describe(call); did {
	case "accepted a connection", "received data", "sent data":
		return " on "
	default:
		return " to "
	}
}

// needsObject reports whether the words for a call ask for a file behind them.
func needsObject(call string) bool {
	did, _ := describe(call)
	switch did {
	case "opened", "removed", "removed the directory", "renamed", "changed the mode of", "changed the owner of", "created the directory", "hard-linked", "symlinked":
		return true
	}
	return false
}

// eventKind is the kind of a system call as playbooks have it, empty for one that is of none.
func eventKind(call string) string {
	if strings.HasPrefix(call, "execve") {
		return playbook.EventProgram
	}
	switch did, _ := describe(call); did {
	case "connected", "accepted a connection", "received data", "sent data":
		return playbook.EventNetwork
	}
	switch call {
	case "bind", "listen", "socket":
		return playbook.EventNetwork
	}
	if needsObject(call) {
		return playbook.EventFile
	}
	return ""
}
