package playbook

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// checkShell wants each span to be a word of its own, or a part of one, which is an argument,
// the value of an assignment, the target of a redirection, or an item of a list or a case. A
// test for a process is to be a command.
//
// The reader may paste into a shell of either kind, and quotes differ between them, so both
// are asked; what only bash understands is checked as that.
func checkShell(text string, spans []span) error {
	for i, variant := range []syntax.LangVariant{syntax.LangBash, syntax.LangPOSIX} {
		file, err := syntax.NewParser(syntax.Variant(variant), syntax.KeepComments(true)).Parse(strings.NewReader(text), "")
		if err != nil && i == 0 {
			return fmt.Errorf("with a value in the place of its placeholders, a shell does not understand it: %w", err)
		}
		if err != nil {
			continue
		}
		for i, at := range shellPaths(file, spans) {
			if err := spans[i].checkShell(text, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// shellPaths are the nodes that each span lies in, from the outermost to the innermost.
func shellPaths(file *syntax.File, spans []span) [][]syntax.Node {
	paths := make([][]syntax.Node, len(spans))
	var at []syntax.Node
	syntax.Walk(file, func(n syntax.Node) bool {
		if n == nil {
			at = at[:len(at)-1]
			return true
		}
		at = append(at, n)
		for i, s := range spans {
			if s.within(offsets(n)) {
				paths[i] = slices.Clone(at)
			}
		}
		return true
	})
	return paths
}

// offsets are the bytes that a node takes.
func offsets(n syntax.Node) (start, end int) {
	return int(n.Pos().Offset()), int(n.End().Offset())
}

// checkShell looks at the nodes that the span lies in.
func (s span) checkShell(text string, at []syntax.Node) error {
	if where := surroundings(at); where != "" {
		return s.error(where, bareWord)
	}
	if s.test {
		for _, n := range at {
			if start, end := offsets(n); start == s.start && end == s.end {
				if _, ok := n.(*syntax.CallExpr); ok {
					return nil
				}
			}
		}
		return s.error("where no command begins", "it is a command: put it behind if or &&, or before && or ||")
	}
	if len(at) < 3 || !s.isWord(text, at[len(at)-1]) {
		return s.error("between quotes, or where a shell does not take it as it is", bareWord)
	}
	holder := at[len(at)-3]
	if _, ok := at[len(at)-2].(*syntax.Word); !ok {
		return s.error("where a shell reads more than a word", bareWord)
	}
	switch n := holder.(type) {
	case *syntax.CallExpr:
		return s.checkCall(text, n)
	case *syntax.Assign, *syntax.Redirect, *syntax.WordIter, *syntax.CaseClause, *syntax.CaseItem, *syntax.ArrayElem:
		return nil
	default:
		return s.error("where a shell reads more than a word", bareWord)
	}
}

// isWord reports whether a node is a word, or the piece of one, that has the value as it is: bare,
// or between quotes that are its own.
func (s span) isWord(text string, n syntax.Node) bool {
	switch n := n.(type) {
	case *syntax.SglQuoted:
		start, end := offsets(n)
		return !n.Dollar && n.Value == s.value && start == s.start && end == s.end
	case *syntax.Lit:
		return text[s.start:s.end] == s.value && (s.start == 0 || text[s.start-1] != '\\')
	default:
		return false
	}
}

// surroundings says in which construct that reads values in a way of its own a path leads,
// empty for none. Within $( ) a new command begins, where quotes around it do not matter.
func surroundings(at []syntax.Node) string {
	where := ""
	for _, n := range at {
		switch n := n.(type) {
		case *syntax.Comment:
			return "in a comment"
		case *syntax.Redirect:
			if n.Hdoc != nil {
				return "in a here-document"
			}
		case *syntax.ParamExp:
			return "in the name or the expansion of a variable"
		case *syntax.TestClause:
			return "in [[ ]], which can compute with it"
		case *syntax.LetClause:
			return "in arithmetic"
		case *syntax.Assign:
			if n.Index != nil {
				return "in an array's index or assignment"
			}
		case *syntax.DblQuoted:
			where = "between double quotes"
		case *syntax.ArithmExp, *syntax.ArithmCmd:
			where = "in arithmetic"
		case *syntax.CmdSubst:
			if n.Backquotes {
				return "between backquotes, where quotes do not hold"
			}
			where = ""
		default:
		}
	}
	return where
}

// checkCall looks at a value among the words of a command: it must be no program, and no
// command or program text for one that runs such.
func (s span) checkCall(text string, call *syntax.CallExpr) error {
	const remedy = "the alert would say what is run; put it where it is an argument"
	var before []string
	for _, w := range call.Args {
		start, end := offsets(w)
		word := text[start:min(end, max(start, s.start))]
		if !s.within(start, end) {
			before = append(before, word)
			continue
		}
		if len(before) == 0 {
			return s.error("in the place of a command", remedy)
		}
		if name := path.Base(before[0]); slices.Contains(readsAgain(), name) {
			return s.error("behind "+name+", which reads it as a command once more", remedy)
		}
		if name := runs(before, word); name != "" {
			return s.error("as the program for "+name, remedy+" of that program, behind its text")
		}
		return nil
	}
	return s.error("where a shell reads more than a word", bareWord)
}

// readsAgain are commands that take the words behind them for commands, or names in them for
// arithmetic.
func readsAgain() []string {
	return []string{"eval", "source", ".", "trap", "alias", "let", "unset", "watch", "ssh"}
}

// interpreter is a program that runs the text behind one of its options.
var interpreter = regexp.MustCompile(`^(?:(?:ba|da|a|k|z)?sh|su|runuser|python[0-9.]*) -[a-zA-Z]*c$|^(?:perl|ruby|node) -[a-zA-Z]*e$|^php -r$`)

// runs is the program, with its option, that runs the word behind those before it as program
// text, empty for none. The option may stand right before, or begin the word.
func runs(before []string, beginning string) string {
	option := beginning
	if beginning == "" {
		option = before[len(before)-1]
	}
	for _, w := range before {
		if s := path.Base(w) + " " + option; interpreter.MatchString(s) {
			return s
		}
	}
	return ""
}
