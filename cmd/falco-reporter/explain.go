package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/falco-reporter/falco-reporter/internal/enrich/attack"
	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
	"github.com/falco-reporter/falco-reporter/internal/enrich/rules"
	"github.com/falco-reporter/falco-reporter/internal/render"
)

func newExplainCommand() *cobra.Command {
	var know knowledge
	var output string
	cmd := &cobra.Command{
		Use:   "explain QUERY",
		Short: "Print what is known about a rule, a technique or a tactic",
		Long: `Print what is known about a Falco rule (by its exact name), an ATT&CK technique or tactic (by id
or name), or a tag of a rule: what it means, what a match does not show, when it is harmless and
what to do.`,
		Example: `  falco-reporter explain T1620
  falco-reporter explain mitre_defense_evasion
  falco-reporter explain "Fileless execution via memfd_create"`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != string(render.Text) && output != string(render.JSON) {
				return usageError{fmt.Errorf("unknown output format %q: choose one of text, json", output)}
			}
			e, refused, err := explain(cmd, &know, args[0])
			if err != nil {
				return err
			}
			if output == string(render.JSON) {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetEscapeHTML(false)
				err = enc.Encode(e)
			} else {
				err = e.write(cmd.OutOrStdout())
			}
			if err == nil && refused != nil {
				err = silentError{refused}
			}
			return err
		},
	}
	know.add(cmd.Flags())
	cmd.Flags().StringVarP(&output, "output", "o", "text", "format of the answer: text, json")
	return cmd
}

// explanation is what is known about a query.
type explanation struct {
	Query         string             `json:"query"`
	AttackVersion string             `json:"attack_version"`
	Tactics       []tacticFacts      `json:"tactics,omitempty"`
	Techniques    []techniqueFacts   `json:"techniques,omitempty"`
	Rule          *ruleFacts         `json:"rule,omitempty"`
	Playbook      *playbook.Playbook `json:"playbook,omitempty"`
}

type tacticFacts struct {
	ID          string `json:"id"`
	AskedID     string `json:"asked_id,omitempty"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	URL         string `json:"url"`
}

type techniqueFacts struct {
	ID          string   `json:"id"`
	TaggedID    string   `json:"tagged_id,omitempty"`
	Name        string   `json:"name"`
	Version     string   `json:"attack_version"`
	Tactics     []string `json:"tactics"`
	Description string   `json:"description,omitempty"`
	Mitigations []string `json:"mitigations,omitempty"`
	Detection   []string `json:"detection_strategies,omitempty"`
	URL         string   `json:"url"`
}

type ruleFacts struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Condition   string   `json:"condition,omitempty"`
	Priority    string   `json:"priority,omitempty"`
	Source      string   `json:"source,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	File        string   `json:"file,omitempty"`
}

// explain looks a query up everywhere. Refused is why the ATT&CK bundle that was named is not
// used; it has been told.
func explain(cmd *cobra.Command, know *knowledge, query string) (out *explanation, refused, err error) {
	log, err := newLogger(cmd.ErrOrStderr(), "warn")
	if err != nil {
		return nil, nil, err
	}
	o, refused := know.options(log)
	if o.Attack == nil {
		if o.Attack, err = attack.Embedded(); err != nil {
			return nil, nil, err
		}
	}
	books, err := playbook.Load(know.playbooks)
	if err != nil {
		return nil, nil, err
	}
	set, err := rules.Load(know.ruleFiles(), log)
	if err != nil {
		return nil, nil, err
	}
	out = &explanation{Query: query, AttackVersion: o.Attack.Version()}
	subject := playbook.Subject{Rule: query}
	if rule, ok := set.Rule(query); ok {
		out.Rule = &ruleFacts{
			Name: rule.Name, Description: rule.Description, Condition: rule.Condition, Priority: rule.Priority.String(),
			Source: rule.Source, Tags: rule.Tags, File: rule.File,
		}
		subject.Source = rule.Source
	}
	if found, ok := o.Attack.Lookup(query); ok {
		out.addAttack(o.Attack, found)
		for _, t := range out.Techniques {
			subject.Techniques = append(subject.Techniques, o.Attack.KnownAs(t.ID, t.TaggedID)...)
		}
		for _, t := range out.Tactics {
			subject.Tactics = append(subject.Tactics, o.Attack.KnownAs(t.ID, t.AskedID)...)
		}
	}
	out.Playbook = books.Specific(subject)
	if out.Playbook == nil && out.Rule != nil {
		out.Playbook = books.Find(subject)
	}
	if out.Playbook == nil && out.Rule == nil && len(out.Techniques)+len(out.Tactics) == 0 {
		return nil, nil, fmt.Errorf("nothing is known about %q: want the exact name of a rule, or the id, name or tag of an ATT&CK technique or tactic", query)
	}
	return out, refused, nil
}

// isTacticID reports whether a query is the id of a tactic, of whichever version.
func isTacticID(s string) bool {
	return len(s) == len("TA0001") && strings.HasPrefix(s, "TA") && strings.Trim(s[2:], "0123456789") == ""
}

// addAttack adds tactics and techniques.
func (e *explanation) addAttack(know *attack.Data, found attack.Found) {
	for _, t := range found.Tactics {
		f := tacticFacts{ID: t.ID, Name: t.Name, Description: t.Description, URL: t.URL}
		if id := strings.ToUpper(strings.TrimSpace(e.Query)); isTacticID(id) && id != t.ID {
			f.AskedID = id
		}
		e.Tactics = append(e.Tactics, f)
	}
	for _, t := range found.Techniques {
		f := techniqueFacts{ID: t.ID, TaggedID: t.TaggedID, Name: t.Name, Version: t.Version, Description: t.Description, URL: t.URL}
		// As a report has it: with what must be known of an id that is not simply live.
		for _, m := range know.Message([]string{t.ID}).GetTechniques() {
			if m.GetId() == t.ID {
				f.Description = m.GetDescription()
			}
		}
		if t.ParentName != "" {
			f.Name = t.ParentName + ": " + t.Name
		}
		for _, tactic := range t.Tactics {
			f.Tactics = append(f.Tactics, tactic.Name)
		}
		for _, m := range t.Mitigations {
			f.Mitigations = append(f.Mitigations, m.ID+" "+m.Name)
		}
		for _, s := range t.DetectionStrategies {
			f.Detection = append(f.Detection, s.ID+" "+s.Name)
		}
		e.Techniques = append(e.Techniques, f)
	}
}

// write prints an explanation for a person.
func (e *explanation) write(w io.Writer) error {
	var b strings.Builder
	line := func(indent, text string) {
		if text != "" {
			b.WriteString(wrap(indent, text) + "\n")
		}
	}
	for _, t := range e.Tactics {
		line("", t.ID+" "+t.Name+" (ATT&CK tactic, v"+e.AttackVersion+")")
		if t.AskedID != "" {
			line("  ", "Asked for as "+t.AskedID+", which is of another version of ATT&CK: v"+e.AttackVersion+" has this in its place.")
		}
		line("  ", t.Description)
		line("  ", t.URL)
	}
	for _, t := range e.Techniques {
		line("", t.ID+" "+t.Name+" (ATT&CK technique, v"+t.Version+")")
		if t.TaggedID != "" {
			line("  ", "Asked for as "+t.TaggedID+".")
		}
		line("  ", t.Description)
		line("  ", "Tactics: "+strings.Join(t.Tactics, ", "))
		if len(t.Mitigations) > 0 {
			line("  ", "Mitigations: "+strings.Join(t.Mitigations, ", "))
		}
		if len(t.Detection) > 0 {
			line("  ", "Detection strategies: "+strings.Join(t.Detection, ", "))
		}
		line("  ", t.URL)
	}
	if r := e.Rule; r != nil {
		line("", r.Name+" (rule, "+r.Priority+", "+r.File+")")
		line("  ", "The rule's own claim: "+r.Description)
		line("  ", "Condition: "+r.Condition)
	}
	if p := e.Playbook; p != nil {
		e.writePlaybook(line, p)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writePlaybook prints what to make of a match and what to do.
func (e *explanation) writePlaybook(line func(indent, text string), p *playbook.Playbook) {
	line("", "What a match means")
	line("  ", p.Means)
	for _, list := range []struct {
		title string
		items []string
	}{{"Not shown", p.NotShown}, {"Harmless if", p.HarmlessIf}, {"Possible impact", p.Impact}} {
		if len(list.items) > 0 {
			line("", list.title)
		}
		for _, s := range list.items {
			line("  - ", s)
		}
	}
	for _, phase := range playbook.Phases() {
		if !slices.ContainsFunc(p.Actions, func(a playbook.Action) bool { return a.Phase == phase }) {
			continue
		}
		line("", "To "+phase)
		for _, a := range p.Actions {
			if a.Phase == phase {
				line("  - ", a.Title+". "+a.Why)
			}
		}
	}
}

// columns is how wide an explanation is.
const columns = 80

// wrap breaks a text of ours into lines; further lines are indented by as many blanks as the
// first one's indent has characters.
func wrap(indent, text string) string {
	var b strings.Builder
	b.WriteString(indent)
	width := len(indent)
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case width+1+len(word) > columns:
			b.WriteString("\n" + strings.Repeat(" ", len(indent)))
			width = len(indent)
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += len(word)
	}
	return b.String()
}
