package playbook_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"
)

func parseShell(t *testing.T, name, text string) *syntax.File {
	t.Helper()
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(text), "")
	if err != nil {
		t.Errorf("%s: %v\n%s", name, err, text)
		return nil
	}
	return file
}

// shape is what a script does, without its words: the kinds of its nodes. A value that is
// quoted is part of a word, and leaves the shape as it is.
func shape(file *syntax.File) string {
	var b strings.Builder
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n.(type) {
		case *syntax.Lit, *syntax.SglQuoted, nil:
		default:
			fmt.Fprintf(&b, "%T ", n)
		}
		return true
	})
	return b.String()
}

// TestShell: every shell snippet parses, hostile values do not change what it does, no value
// stands in a here-document, and each command is one that we know and that Tool names.
func TestShell(t *testing.T) {
	tools := words(t, "commands.txt")
	shapes := make(map[string]string) // of the snippet with plain values
	for _, f := range forms(t, "sh") {
		file := parseShell(t, f.name, f.text)
		if file == nil {
			continue
		}
		if f.filled {
			if s, ok := shapes[f.action.Snippet]; ok && s != shape(file) {
				t.Errorf("%s: a hostile value changes what the snippet does:\n%s", f.name, f.text)
			}
			shapes[f.action.Snippet] = shape(file)
		}
		syntax.Walk(file, func(n syntax.Node) bool {
			switch n := n.(type) {
			case *syntax.CallExpr:
				checkCommand(t, f, n, tools)
			case *syntax.Redirect:
				if n.Hdoc != nil {
					checkHereDocument(t, f, n)
				}
			}
			return true
		})
	}
}

// checkCommand holds the program against the list, and some programs' arguments as well.
func checkCommand(t *testing.T, f form, call *syntax.CallExpr, tools map[string]string) {
	t.Helper()
	if len(call.Args) == 0 {
		return
	}
	name := call.Args[0].Lit()
	need, ok := tools[name]
	if !ok {
		t.Errorf("%s: %q is not in testdata/commands.txt", f.name, name)
		return
	}
	if need != "-" && !regexp.MustCompile(need).MatchString(f.action.Tool) {
		t.Errorf("%s: the tool %q does not name that of %s (%s)", f.name, f.action.Tool, name, need)
	}
	var args []string
	for _, w := range call.Args[1:] {
		var b strings.Builder
		_ = syntax.NewPrinter().Print(&b, w) // a Builder takes everything
		args = append(args, b.String())
	}
	switch name {
	case "auditctl":
		checkAudit(t, f, args)
	case "iptables":
		if !slices.Contains([]string{"-S", "-L"}, args[0]) && !regexp.MustCompile(`^-[IA] [A-Z-]+ .*-j (DROP|REJECT|ACCEPT)$`).MatchString(strings.Join(args, " ")) {
			t.Errorf("%s: iptables %s", f.name, args)
		}
	case "nft":
		if strings.Join(args, " ") != "list ruleset" {
			t.Errorf("%s: nft %s", f.name, args)
		}
	case "sysctl":
		for _, a := range args {
			if setting, _, _ := strings.Cut(a, "="); !strings.HasPrefix(a, "-") {
				checkSysctl(t, f, setting)
			}
		}
	}
}

// checkAudit takes a watch or a rule for a system call, both with a key.
func checkAudit(t *testing.T, f form, args []string) {
	t.Helper()
	line := strings.Join(args, " ")
	if !regexp.MustCompile(`^(-l|-s|-w /\S+ -p [rwxa]+ -k \S+|-a always,exit( -F (arch=b(32|64)|'?[a-z]+[!<>=]+[^ ']+'?)| -S [a-z0-9_,]+)+ -k \S+)$`).MatchString(line) {
		t.Errorf("%s: auditctl %s", f.name, line)
	}
}

// checkHereDocument reads a manifest that kubectl is given. Nothing is filled in there: a
// shell's quotes mean nothing in it.
func checkHereDocument(t *testing.T, f form, r *syntax.Redirect) {
	t.Helper()
	text := r.Hdoc.Lit()
	if !strings.Contains(f.action.Snippet+f.action.General, text) {
		t.Errorf("%s: a placeholder in a here-document", f.name)
	}
	if strings.HasPrefix(text, "apiVersion:") {
		checkManifest(t, f.name, text)
	}
}
