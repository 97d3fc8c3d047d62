package attack

import (
	"slices"

	"github.com/falco-reporter/falco-reporter/internal/enrich/attack/facts"
)

// elsewhere maps ids to those that the other of the file's two versions has for the same.
func elsewhere(f *facts.File) map[string][]string {
	names := make(map[string]string)
	for _, t := range slices.Concat(f.Techniques, f.NextTechniques) {
		names[t.ID] = t.Name
	}
	replaced := make(map[string][]string) // by what replaced them
	out := make(map[string][]string)
	for old, id := range f.NextRevoked {
		replaced[id] = append(replaced[id], old)
		out[old] = append(out[old], id)
	}
	for id, old := range replaced {
		if same := sameName(names[id], old, func(id string) string { return names[id] }); same != "" {
			out[id] = append(out[id], same)
		}
	}
	for _, t := range f.NextTactics {
		if t.ID != t.Was {
			out[t.ID] = append(out[t.ID], t.Was)
		}
	}
	return out
}

// sameName is the one of the ids that stands for a technique with the name: the only one, or
// the only one with the same name. It is empty where none does.
func sameName(name string, ids []string, nameOf func(id string) string) string {
	if len(ids) == 1 {
		return ids[0]
	}
	var same []string
	for _, id := range ids {
		if nameOf(id) == name {
			same = append(same, id)
		}
	}
	if len(same) != 1 {
		return ""
	}
	return same[0]
}
