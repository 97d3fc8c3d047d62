package playbook

import (
	_ "embed"
	"slices"
)

//go:embed schema.json
var schema []byte

// Schema returns the JSON schema (draft 2020-12) of playbook files, for editors and for
// checks outside of this program. What it allows is what [Parse] takes, but for what a
// schema cannot see: two playbooks about one thing, and where in a snippet a placeholder stands.
func Schema() []byte { return slices.Clone(schema) }
