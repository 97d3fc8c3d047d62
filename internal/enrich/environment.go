package enrich

import (
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// findEnvironment: variables that change which code a program loads, or where its traffic goes.
func (s *scene) findEnvironment() {
	env := s.r.GetProcess().GetEnvironment()
	for word := range strings.FieldsSeq(env[:min(len(env), maxCommand)]) {
		name, value, ok := strings.Cut(word, "=")
		if !ok || value == "" {
			continue
		}
		if does := variable(name); does != "" {
			s.show(certain, "The environment has "+name+" ("+phrase.Quote(value)+"), which "+does+".", "proc.env")
		}
	}
}

// variable is what an environment variable does, for those that attackers use.
func variable(name string) string {
	switch name {
	case "LD_PRELOAD":
		return "loads code into programs as they start"
	case "LD_LIBRARY_PATH":
		return "says where libraries are taken from"
	case "LD_AUDIT":
		return "loads code that watches programs as they start"
	case "GLIBC_TUNABLES":
		return "changes settings of the C library"
	case "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy":
		return "sends the program's web traffic through a proxy"
	case "PROMPT_COMMAND", "BASH_ENV":
		return "runs code in every shell that starts"
	default:
		return ""
	}
}
