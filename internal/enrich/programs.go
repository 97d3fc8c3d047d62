package enrich

import (
	"path"
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/program"
)

// serverKind says which kind of server a process name belongs to, empty for none. Servers
// seldom have a reason to start a shell.
func serverKind(name string) string {
	switch name {
	case "httpd", "apache2", "nginx", "lighttpd", "caddy", "php-fpm", "php-fpm7.4", "php-fpm8.1", "php-fpm8.2", "php-fpm8.3", "uwsgi", "gunicorn", "catalina", "haproxy":
		return "web server"
	case "mysqld", "mariadbd", "postgres", "mongod", "redis-server", "memcached", "oracle", "clickhouse-serv", "cassandra", "couchdb", "influxd":
		return "database server"
	case "sshd", "systemd", "init", "cron", "crond":
		return "" // starting shells is their work
	}
	return ""
}

// isTextTool reports whether programs of this name only print or search text and can start no
// others: what stands in their arguments is then mentioned and not done.
func isTextTool(name string) bool {
	switch name {
	case "echo", "printf", "grep", "egrep", "cat", "ls":
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

// inlineCode is the code that a command line gives to a shell or interpreter with -c or -e.
// The command line has lost the quotes between arguments, so that all that follows is taken.
func inlineCode(name, cmdline string) string {
	flag := ""
	switch {
	case program.IsShell(name), interpreter(name) == "python":
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
