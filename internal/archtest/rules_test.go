package archtest

import (
	"slices"
	"strings"
)

// stages are the stages of the pipeline and the stand-in that feeds it, as paths below the
// module.
var stages = []string{
	"internal/consumer",
	"internal/enrich",
	"internal/falcosim",
	"internal/render",
	"internal/serve",
}

// divided are the stages that are made of parts, one for each package right below: the
// inputs, and the kinds of knowledge of enrichment. The parts are stages to each other.
var divided = []string{"internal/consumer", "internal/enrich"}

// fence lets only the named parts of the module import something.
type fence struct {
	target  string   // a package, and all below it
	allowed []string // packages, and all below them
	why     string
}

// fences hold for what the stages' own rule does not cover.
var fences = []fence{
	{"internal/app", []string{"cmd"}, "the application is wired at the top, and nothing hangs from it"},
	{"cmd", nil, "a command is nobody's library"},
	{"github.com/spf13", []string{"cmd"}, "flags and commands end in cmd"},
	{
		"github.com/falcosecurity/client-go",
		[]string{"internal/consumer/falcogrpc", "internal/falcosim", "internal/doctor"},
		"Falco's protocol is known where it is spoken, and nowhere else",
	},
}

// domain are the types that all stages share, and what of the module each of them may import
// besides itself.
var domain = map[string][]string{
	"gen/go":           nil, // other programs import it
	"internal/alert":   {"gen/go"},
	"internal/journal": {"gen/go", "internal/alert"},
	"internal/redact":  {"gen/go"},
}

// fault says why the package may not import what it does; it is empty where it may. Both are
// import paths, those of the module as paths below it.
func fault(from, to string) string {
	for _, f := range fences {
		if within(to, f.target) && !within(from, f.target) && !withinAny(from, f.allowed) {
			return f.why
		}
	}
	for name, allowed := range domain {
		if within(from, name) && ours(to) && !within(to, name) && !withinAny(to, allowed) {
			return "the types that all share depend on no part of the program"
		}
	}
	if within(from, "internal/app") || within(from, "cmd") {
		return ""
	}
	if withinAny(to, stages) && !sameLine(part(from), part(to)) {
		return "stages know the shared types, not each other; only internal/app and cmd know them all"
	}
	// An implementation of the journal is chosen where the program is wired; others see the
	// interface.
	if to != "internal/journal" && within(to, "internal/journal") && !sameLine(from, to) {
		return "only internal/app and cmd choose a journal; import internal/journal for its interface"
	}
	return ""
}

// part is the stage, or the part of a divided stage, that a package belongs to; the package
// itself where it is of no stage.
func part(path string) string {
	for _, stage := range stages {
		if !within(path, stage) {
			continue
		}
		if rest := strings.TrimPrefix(path, stage+"/"); rest != path && slices.Contains(divided, stage) {
			name, _, _ := strings.Cut(rest, "/")
			return stage + "/" + name
		}
		return stage
	}
	return path
}

// ours reports whether an import path as fault takes it is of the module.
func ours(path string) bool {
	return withinAny(path, []string{"cmd", "gen", "internal"})
}

// within reports whether path is root or below it.
func within(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

// withinAny reports whether path is one of the roots or below one.
func withinAny(path string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return within(path, root) })
}

// sameLine reports whether one of the packages is the other or lies above it: enrichment
// imports its parts, and an input what the inputs share.
func sameLine(a, b string) bool {
	return within(a, b) || within(b, a)
}
