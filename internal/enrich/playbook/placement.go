package playbook

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// span is where a placeholder's value stands in a filled template.
type span struct {
	placeholder string // as it was written
	start, end  int    // bytes
	line        int    // from 1
	value       string // before it was written in the language
	test        bool   // it is the test for a process: a command, and no word
}

// within reports whether the span lies within the bytes from start to end.
func (s span) within(start, end int) bool { return start <= s.start && s.end <= end }

// error says where the placeholder stands and what to do about it.
func (s span) error(where, remedy string) error {
	return fmt.Errorf("line %d: the placeholder %s stands %s: %s", s.line, s.placeholder, where, remedy)
}

// bareWord is what to do about a placeholder that stands between quotes or the like.
const bareWord = "values bring the quotes that they need, which would end those or mean nothing there; let it stand bare, as a word or a part of one"

// probe is the value that stands for the nth placeholder.
type probe func(n int) string

// probes are values of each kind that is written in its own way: bare, between quotes and as
// a number. Each holds, between the quotes, what would mean something outside of them.
func probes(language string) []probe {
	out := []probe{
		func(n int) string { return "v" + strconv.Itoa(n) + "v" },
		func(n int) string { return strconv.Itoa(1000 + n) },
	}
	switch language {
	case "sh":
		return append(out, func(n int) string { return "v" + strconv.Itoa(n) + "v; $(v) `v` \" # \\" })
	case "yaml":
		return append(out, func(n int) string { return "v" + strconv.Itoa(n) + "v: v - v" })
	case "json":
		return append(out, func(n int) string { return "v" + strconv.Itoa(n) + "v}, {[]: #" })
	default:
		return out
	}
}

// checkPlacement reports a placeholder of the template whose value would not stay what it is:
// one word, one text or one setting. It fills the template with probes and looks for them in
// what a parser of the language sees. A template without placeholders can be anything.
func (a *Action) checkPlacement(template string) error {
	pieces, err := parts(template)
	if err != nil || len(pieces) == 1 {
		return err
	}
	for _, p := range probes(a.Language) {
		text, spans, err := a.fillWith(pieces, p)
		if err == nil {
			err = a.checkFilled(text, spans)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fillWith fills a template with probes and says where they stand.
func (a *Action) fillWith(pieces []part, p probe) (string, []span, error) {
	var b strings.Builder
	var spans []span
	for _, piece := range pieces {
		if piece.fields == nil {
			b.WriteString(piece.text)
			continue
		}
		s := span{
			placeholder: "{{" + strings.Join(piece.fields, "|") + "}}", start: b.Len(),
			line: strings.Count(b.String(), "\n") + 1, value: p(len(spans)),
		}
		test := func(f string) bool { return strings.HasPrefix(f, sameMarker) }
		if s.test = slices.ContainsFunc(piece.fields, test); s.test && len(piece.fields) > 1 {
			return "", nil, s.error("for several things", "the test for a process has no alternatives")
		}
		written, ok := literal(a.Language, s.value)
		if s.test {
			written = olderThan("1", 1)
		}
		if !ok {
			return "", nil, s.error("in a language that is not known", "use sh, yaml, json or ini")
		}
		b.WriteString(written)
		s.end = b.Len()
		spans = append(spans, s)
	}
	return b.String(), spans, nil
}

// checkFilled looks for the spans in the text by the rules of the language.
func (a *Action) checkFilled(text string, spans []span) error {
	switch a.Language {
	case "sh":
		return checkShell(text, spans)
	case "yaml":
		return checkYAML(text, spans, strings.HasPrefix(a.Tool, "Falco "))
	case "json":
		return checkJSON(text, spans)
	default:
		return checkSettings(text, spans)
	}
}
