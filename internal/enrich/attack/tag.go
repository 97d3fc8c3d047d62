package attack

import (
	"slices"
	"strings"

	falcoreporterv1 "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// maxNameBytes bounds a tag that is read as a name. The longest name of ATT&CK has 57 bytes;
// longer tags are spared the work.
const maxNameBytes = 128

// mitrePrefix begins Falco's tags for tactics, and in some rules for techniques.
const mitrePrefix = "mitre_"

// target is the technique that an id or name in a tag means.
type target struct {
	technique *Technique
	taggedID  string // the id in the tag, where it is not the technique's
	message   *falcoreporterv1.Technique
}

// meaning is what a tag means: a tactic, a technique, or nothing. Several tactics are what a
// tactic became that is no more, each of which can be meant.
type meaning struct {
	tactics   []*Tactic
	technique *target
}

// known is whether the tag means anything.
func (m meaning) known() bool { return len(m.tactics) > 0 || m.technique != nil }

// tagIndex finds the meaning of tags. Ids are in capital letters, names are slugs, aliases are
// whole tags in lower case. Several techniques share a name, and several tactics are what the
// one with the name became.
type tagIndex struct {
	tacticIDs, tacticNames map[string][]*Tactic
	techniqueIDs           map[string]*target
	techniqueNames         map[string][]*target
	aliases                map[string]meaning
}

// newTagIndex makes an empty index for about n techniques.
func newTagIndex(n int) tagIndex {
	return tagIndex{
		tacticIDs:      make(map[string][]*Tactic),
		tacticNames:    make(map[string][]*Tactic),
		techniqueIDs:   make(map[string]*target, n),
		techniqueNames: make(map[string][]*target, n),
		aliases:        make(map[string]meaning),
	}
}

// read returns the meaning of a tag, and whether it looks like one of ATT&CK's at all.
func (x *tagIndex) read(tag string) (m meaning, looks bool) {
	if id, rest, ok := cutID(tag); ok {
		looks = true
		if rest == "" || rest[0] == '-' {
			id = strings.ToUpper(id)
			m = meaning{tactics: x.tacticIDs[id], technique: x.techniqueIDs[id]}
		}
	} else if name, ok := cutMitrePrefix(tag); ok {
		looks = true
		m = x.readName(name)
	} else if len(tag) <= maxNameBytes && strings.Contains(tag, "-") {
		// A name of one word alone (python, proxy, server) is a word, and means no technique.
		m.technique = only(x.techniqueNames[strings.ToLower(tag)])
	}
	if !m.known() && len(tag) <= maxNameBytes {
		m = x.aliases[strings.ToLower(tag)]
	}
	return m, looks || m.known()
}

// readName reads what follows mitre_: a tactic's name or a technique's.
func (x *tagIndex) readName(name string) meaning {
	if len(name) > maxNameBytes {
		return meaning{}
	}
	s := slug(name)
	if t, ok := x.tacticNames[s]; ok {
		return meaning{tactics: t}
	}
	return meaning{technique: only(x.techniqueNames[s])}
}

// only is the one target, nil if there are several or none.
func only(targets []*target) *target {
	if len(targets) != 1 {
		return nil
	}
	return targets[0]
}

// cutMitrePrefix cuts mitre_, in any case, off a tag.
func cutMitrePrefix(tag string) (name string, ok bool) {
	n := len(mitrePrefix)
	if len(tag) < n || !strings.EqualFold(tag[:n], mitrePrefix) {
		return "", false
	}
	return tag[n:], true
}

// idDigits is how many digits ATT&CK's ids of tactics and techniques have at least. Fewer make
// something else: t3.large is a machine, TA505 a group.
const idDigits = 4

// cutID cuts the id that a tag begins with off the tag: T or TA, digits, and for techniques a
// dot and digits. It is not ok where the tag begins otherwise.
func cutID(tag string) (id, rest string, ok bool) {
	n := prefixLetters(tag)
	if n == 0 {
		return "", "", false
	}
	digits := countDigits(tag[n:])
	if digits < idDigits {
		return "", "", false
	}
	technique := n == len("T")
	n += digits
	if technique && strings.HasPrefix(tag[n:], ".") {
		if sub := countDigits(tag[n+1:]); sub > 0 {
			n += 1 + sub
		}
	}
	return tag[:n], tag[n:], true
}

// prefixLetters is the length of the T or TA that a tag begins with, 0 without.
func prefixLetters(tag string) int {
	switch {
	case len(tag) >= 2 && strings.EqualFold(tag[:2], "TA"):
		return 2
	case len(tag) >= 1 && (tag[0] == 'T' || tag[0] == 't'):
		return 1
	default:
		return 0
	}
}

// countDigits is how many digits s begins with.
func countDigits(s string) int {
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}

// slug spells a name as tags do: lower-case letters and digits, and a dash for each run of
// anything else between them.
func slug(name string) string {
	// Tags are ASCII; Process Doppelgänging is the one name that is not.
	name = strings.ReplaceAll(strings.ToLower(name), "ä", "a")
	b := make([]byte, 0, len(name))
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			b = append(b, c)
		case len(b) > 0 && b[len(b)-1] != '-':
			b = append(b, '-')
		default:
		}
	}
	return strings.TrimSuffix(string(b), "-")
}

// nameTier is the techniques of the same standing by slug.
type nameTier map[string][]*target

// add enters one technique.
func (n nameTier) add(name string, t *target) {
	s := slug(name)
	if s != "" && !slices.Contains(n[s], t) {
		n[s] = append(n[s], t)
	}
}

// addTo enters the tier's names that are not taken by a tier before, with their techniques in
// order of id.
func (n nameTier) addTo(names map[string][]*target) {
	for s, targets := range n {
		if _, ok := names[s]; !ok {
			slices.SortFunc(targets, compareTargets)
			names[s] = targets
		}
	}
}
