package enrich

import (
	"slices"
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/enrich/rules"
)

// opened is what a file was opened for, as far as that is known.
type opened struct {
	read, write bool
	// truncates, creates and created are O_TRUNC, O_CREAT, and that the file was not there before.
	truncates, creates, created bool
	// byRule says that the rule's condition tells it, and no field.
	byRule bool
}

// openedFor reads what a file was opened for: from the flags of the call, else from the fields
// that Falco makes of them, else from what the rule asks for.
func (s *scene) openedFor() opened {
	call := s.r.GetEvent().GetType()
	if call == "creat" {
		return opened{write: true, creates: true, truncates: true}
	}
	if !strings.HasPrefix(call, "open") {
		return opened{}
	}
	if o := openedByFlags(s.r.GetEvent().GetArguments()["flags"]); o.read || o.write {
		return o
	}
	is := func(field string) bool {
		v, ok := s.a.Bool(field)
		return ok && v
	}
	o := opened{read: is("evt.is_open_read"), write: is("evt.is_open_write"), created: is("evt.is_open_create")}
	if o.read || o.write {
		return o
	}
	return opened{read: s.proof.Reads, write: s.proof.Writes, byRule: s.proof.Reads || s.proof.Writes}
}

// openedByFlags reads the names of flags, as O_TRUNC|O_CREAT|O_WRONLY.
func openedByFlags(text string) opened {
	flags := strings.Split(text, "|")
	has := func(name string) bool { return slices.Contains(flags, name) }
	return opened{
		read:      has("O_RDONLY") || has("O_RDWR"),
		write:     has("O_WRONLY") || has("O_RDWR"),
		truncates: has("O_TRUNC"),
		creates:   has("O_CREAT"),
		created:   has("O_F_CREATED"),
	}
}

// openPurpose says what the file was opened for, to stand behind its name.
func (s *scene) openPurpose() string {
	o := s.openedFor()
	out := ""
	switch {
	case o.read && o.write:
		out = " for reading and writing"
	case o.write:
		out = " for writing"
	case o.read:
		out = " for reading"
	default:
		return ""
	}
	switch {
	case o.byRule:
		out += " (as the rule asks)"
	case o.created:
		out += ", a new file"
	case o.truncates && !o.creates && o.write:
		out += ", emptying it (O_TRUNC)"
	case o.truncates && o.write:
		out += ", new or emptied (O_TRUNC)"
	}
	return out
}

// proven is what the rule's condition proves of the call: as the rule files have the rule, or,
// where none is loaded, as Falco ships it.
func (s *scene) proven() rules.Proof {
	call := s.a.String("evt.type")
	if !s.isSyscall() || call == "" {
		return rules.Proof{}
	}
	if s.rule.Name != "" {
		return s.rule.Proofs[call]
	}
	return rules.UpstreamProof(s.a.Rule, call)
}

// succeededByRule reports whether no field has the result, and the rule matches only calls that
// succeeded.
func (s *scene) succeededByRule() bool {
	return s.proof.Succeeded && s.r.GetEvent().GetResult() == ""
}

// callKind is the calls of this kind, for a sentence.
func (s *scene) callKind() string {
	if call := s.r.GetEvent().GetType(); strings.HasPrefix(call, "open") || call == "creat" {
		return "opens"
	}
	return "calls"
}
