package playbook_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// filter reads a condition by the grammar of Falco's filters, as in libs'
// userspace/libsinsp/filter/parser.h: and binds tighter than or, values have no blanks, quotes
// or parentheses unless they stand between quotes.
type filter struct {
	rest   string
	fields []string // that it compares
	macros []string // that it names
	or     bool     // whether alternatives stand at the top
}

// parseFilter takes a condition apart.
func parseFilter(text string) (*filter, error) {
	f := &filter{rest: text}
	if err := f.alternatives(true); err != nil {
		return nil, fmt.Errorf("%w at %.40q of %q", err, f.rest, text)
	}
	if f.skip(); f.rest != "" {
		return nil, fmt.Errorf("unexpected %.40q in %q", f.rest, text)
	}
	return f, nil
}

func (f *filter) skip() { f.rest = strings.TrimLeft(f.rest, " \t\r\n") }

// take takes what the pattern matches at the beginning.
func (f *filter) take(pattern *regexp.Regexp) string {
	f.skip()
	s := pattern.FindString(f.rest)
	f.rest = f.rest[len(s):]
	return s
}

var (
	orWord     = regexp.MustCompile(`^or\b`)
	andWord    = regexp.MustCompile(`^and\b`)
	notWord    = regexp.MustCompile(`^not\b`)
	opening    = regexp.MustCompile(`^\(`)
	closing    = regexp.MustCompile(`^\)`)
	comma      = regexp.MustCompile(`^,`)
	identifier = regexp.MustCompile(`^[a-zA-Z0-9_]+(\.[a-zA-Z0-9_-]+)*(\[[^\]]*\])?`)
	existsWord = regexp.MustCompile(`^exists\b`)
	listWord   = regexp.MustCompile(`^(intersects|in|pmatch)\b`)
	operator   = regexp.MustCompile(`^(==|=|!=|<=|>=|<|>|(glob|iglob|contains|icontains|bcontains|startswith|bstartswith|endswith|regex)\b)`)
	value      = regexp.MustCompile(`^("(\\.|[^"\\])*"|'(\\.|[^'\\])*'|[^ \t\r\n(),="']+)`)
)

func (f *filter) alternatives(top bool) error {
	for {
		if err := f.conjunction(); err != nil {
			return err
		}
		if f.take(orWord) == "" {
			return nil
		}
		f.or = f.or || top
	}
}

func (f *filter) conjunction() error {
	for {
		for f.take(notWord) != "" {
		}
		if err := f.primary(); err != nil {
			return err
		}
		if f.take(andWord) == "" {
			return nil
		}
	}
}

func (f *filter) primary() error {
	if f.take(opening) != "" {
		if err := f.alternatives(false); err != nil {
			return err
		}
		if f.take(closing) == "" {
			return fmt.Errorf("no closing parenthesis")
		}
		return nil
	}
	name := f.take(identifier)
	if name == "" || slices.Contains([]string{"and", "or", "not"}, name) {
		return fmt.Errorf("no check")
	}
	if !strings.Contains(name, ".") {
		f.macros = append(f.macros, name)
		return nil
	}
	f.fields = append(f.fields, name)
	if f.take(existsWord) != "" {
		return nil
	}
	if f.take(listWord) != "" {
		return f.list()
	}
	if f.take(operator) == "" {
		return fmt.Errorf("no operator")
	}
	if f.take(value) == "" {
		return fmt.Errorf("no value")
	}
	return nil
}

func (f *filter) list() error {
	if f.take(opening) == "" {
		return fmt.Errorf("no list")
	}
	for f.take(value) != "" && f.take(comma) != "" {
	}
	if f.take(closing) == "" {
		return fmt.Errorf("the list does not end")
	}
	return nil
}
