package enrich

import (
	"path"
	"strings"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/program"
)

// serverKind is what servers of some name are for.
type serverKind struct {
	kind string // "web server"
	// often is whether programs of that name are also much else.
	often bool
}

// serverKindOf says which kind of server a process name belongs to. Servers seldom have a reason
// to start a shell. Names of more than 15 characters are cut by the kernel.
func serverKindOf(name string) (serverKind, bool) {
	if strings.HasPrefix(name, "php-fpm") { // with the version behind it
		return serverKind{kind: "web server"}, true
	}
	switch name {
	case "httpd", "httpd-foregroun", "apache", "apache2", "nginx", "lighttpd", "caddy", "uwsgi", "gunicorn", "haproxy":
		return serverKind{kind: "web server"}, true
	case "catalina", "tomcat", "tomcat8", "tomcat9", "tomcat10", "jsvc", "jetty":
		return serverKind{kind: "Java web server"}, true
	case "mysqld", "mariadbd", "postgres", "mongod", "redis-server", "valkey-server", "memcached", "oracle", "clickhouse-serv", "cassandra", "couchdb", "influxd":
		return serverKind{kind: "database server"}, true
	case "rabbitmq-server":
		return serverKind{kind: "message server"}, true
	case "exim", "exim4", "postfix", "sendmail", "sendmail-msp", "smtpd", "dovecot", "imap", "imap-login", "pop3", "pop3-login":
		return serverKind{kind: "mail server"}, true
	case "java", "node":
		return serverKind{kind: "program that is often a server", often: true}, true
	}
	return serverKind{}, false // starting shells is the work of sshd, systemd and cron
}

// maxOften is how many levels below a program that is only often a server what happens counts as
// done under it: build tools have whole trees below them.
const maxOften = 2

// server is the nearest ancestor that has a server's name.
func (s *scene) server() (serverKind, *pb.Ancestor, bool) {
	for _, anc := range s.r.GetAncestry() {
		if k, ok := serverKindOf(anc.GetName()); ok && (!k.often || anc.GetLevel() <= maxOften) {
			return k, anc, true
		}
	}
	return serverKind{}, nil, false
}

// isTextTool reports whether programs of this name only print or search text and can start no
// others: what stands in their arguments is then mentioned and not done.
func isTextTool(name string) bool {
	switch name {
	case "echo", "printf", "grep", "egrep", "fgrep", "rgrep", "rg", "cat", "ls", "head", "tail", "wc", "strings":
		return true
	}
	return false
}

// isSystemProgram reports whether an executable lies where the system's own programs do.
func isSystemProgram(exe string) bool {
	switch path.Dir(path.Clean(exe)) {
	case "/bin", "/usr/bin":
		return true
	}
	return false
}

// interpreter is the name of an interpreter without its version: python for python3.11.
func interpreter(name string) string {
	for _, i := range [...]string{"python", "perl", "ruby", "node", "php", "lua", "tclsh"} {
		if rest, ok := strings.CutPrefix(name, i); ok && strings.Trim(rest, "0123456789.") == "" {
			return i
		}
	}
	return ""
}

// isInstaller reports whether a program installs the system's programs.
func isInstaller(name string) bool {
	switch name {
	case "dpkg", "dpkg-divert", "apt", "apt-get", "rpm", "dnf", "dnf5", "yum", "microdnf", "zypper", "apk", "pacman", "update-alternatives":
		return true
	}
	return false
}

// inlineCode is the code that a command line gives to a shell or interpreter with -c or -e.
// The command line has lost the quotes between arguments, so that all that follows is taken.
func inlineCode(name, cmdline string) string {
	flag := ""
	switch {
	case program.IsShell(name):
		code, _ := codeArgument(cmdline)
		return code
	case interpreter(name) == "python":
		flag = " -c "
	case interpreter(name) == "perl", interpreter(name) == "ruby", interpreter(name) == "node", interpreter(name) == "lua":
		flag = " -e "
	case interpreter(name) == "php":
		flag = " -r "
	default:
		return ""
	}
	_, code, ok := strings.Cut(cmdline, flag)
	if !ok {
		return ""
	}
	return strings.TrimSpace(code)
}

// baseName is the last part of an executable's path.
func baseName(exe string) string {
	if exe == "" {
		return ""
	}
	return path.Base(exe)
}
