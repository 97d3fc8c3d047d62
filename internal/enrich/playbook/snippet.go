package playbook

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// part is a piece of a template: text, or the fields of a placeholder.
type part struct {
	text   string
	fields []string
}

// parts takes a template apart.
func parts(template string) ([]part, error) {
	var out []part
	for rest := template; ; {
		text, after, ok := strings.Cut(rest, "{{")
		out = append(out, part{text: text})
		if !ok {
			return out, nil
		}
		inner, tail, ok := strings.Cut(after, "}}")
		if !ok {
			return nil, errors.New("a placeholder is not closed")
		}
		fields := strings.Split(inner, "|")
		for i, f := range fields {
			if fields[i] = strings.Trim(f, " "); !validName(fields[i]) {
				return nil, fmt.Errorf("the placeholder {{%s}} names no field", inner)
			}
		}
		out = append(out, part{fields: fields})
		rest = tail
	}
}

// notInFields is in no name of a field. A brace or a blank in one is a slip of the pen.
const notInFields = "{} \t\r\n"

// Fill returns the action's snippet with values in the place of its placeholders. Where one
// has no value, or one that cannot be written safely in the snippet's language, it returns
// the general form, which may be empty.
func (a *Action) Fill(value func(field string) (string, bool)) string {
	for _, template := range [...]string{a.Snippet, a.General} {
		if s, ok := a.fill(template, value); ok && s != "" {
			return s
		}
	}
	return ""
}

// fill fills one template, false if a placeholder has nothing fit to stand there.
func (a *Action) fill(template string, value func(string) (string, bool)) (string, bool) {
	pieces, err := parts(template)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	for _, p := range pieces {
		s, ok := p.text, true
		if p.fields != nil {
			s, ok = a.first(p.fields, value)
		}
		if !ok {
			return "", false
		}
		b.WriteString(s)
	}
	return b.String(), true
}

// first writes the first of the fields that has a value in the action's language.
func (a *Action) first(fields []string, value func(string) (string, bool)) (string, bool) {
	for _, f := range fields {
		if pid, ok := strings.CutPrefix(f, sameMarker); ok {
			if s, ok := sameProcess(pid, value); ok && a.Language == "sh" {
				return s, true
			}
			continue
		}
		get := value
		if strings.HasPrefix(f, special) {
			get = func(name string) (string, bool) { return momentText(name, value) }
		}
		if s, ok := get(f); ok {
			return literal(a.Language, s)
		}
	}
	return "", false
}

// maxLiteral bounds a value in a snippet: 512 bytes. A longer one belongs in no command line.
const maxLiteral = 512

// literal writes a value in a language, false if it cannot be done so that what a reader sees
// is what a tool gets. Nothing invisible is let through, in no language; nor is a leading
// dash, which a tool would take for an option.
func literal(language, s string) (string, bool) {
	if s == "" || len(s) > maxLiteral || s[0] == '-' || strings.ContainsFunc(s, unseen) {
		return "", false
	}
	switch language {
	case "sh":
		if strings.Trim(s, plainChars) == "" {
			return s, true
		}
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'", true
	case "yaml":
		// Falco pastes what stands in its lists and exceptions into conditions, quoted only
		// where it holds a blank: what means something there is not written at all.
		return quoteUnlessNumber(s), !strings.ContainsAny(s, "\"\\'`(){}[]<>,=!|&*?#%;^~$")
	case "json":
		return quoteUnlessNumber(s), !strings.ContainsAny(s, "\"\\")
	case "ini":
		return s, strings.Trim(s, plainChars) == ""
	default:
		return "", false
	}
}

// plainChars mean nothing to a shell or a configuration file, wherever they stand.
const plainChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,-"

// quoteUnlessNumber writes a value as YAML and JSON have it.
func quoteUnlessNumber(s string) string {
	if isNumber(s) {
		return s
	}
	return `"` + s + `"`
}

func isNumber(s string) bool {
	return len(s) < 19 && strings.Trim(s, "0123456789") == "" && s[0] != '0'
}

// unseen reports whether a reader could not see a character, or could take it for another, or
// whether it stands for bytes that were not UTF-8: the value is then not what it was.
func unseen(r rune) bool {
	return r == utf8.RuneError || r != ' ' && (!unicode.IsPrint(r) || unicode.Is(unicode.M, r))
}
