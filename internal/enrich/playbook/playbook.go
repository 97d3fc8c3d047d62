// Package playbook holds what is known about alerts before any of them comes: what a match
// of a rule means, its usual harmless causes, what could follow, and what to do.
//
// A [Playbook] is about one rule, one ATT&CK technique, one tactic, or one source of events.
// [Library.Find] gives an alert the most specific one, completed by its source's, so that no
// alert is left without. Playbooks are YAML files: those of this project are embedded, and
// [Load] and [Library.Add] take more, which go before them. What a file may hold is written
// down in the schema that [Schema] returns.
//
// Commands and configurations in a playbook are templates: {{field}} stands for the value of
// an output field, quoted for the snippet's language. A snippet whose values the alert lacks,
// or whose values could not be quoted safely, is left out for its general form: a hole never
// reaches a reader, and neither does a command that a hostile name has changed.
//
// A Library is immutable once built and may be used concurrently. [Watcher] loads again when
// the files change, by looking at them every few seconds. The package starts no goroutine:
// whoever calls the Watcher's Run owns it. A file takes at most [MaxFileBytes].
package playbook

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Playbook is what is known about one kind of alert. Exactly one of Rule, Technique, Tactic
// and Source says which kind.
type Playbook struct {
	// Rule is the name of a Falco rule.
	Rule string `yaml:"rule" json:"rule,omitempty"`
	// Technique is the id of an ATT&CK technique, such as T1620.
	Technique string `yaml:"technique" json:"technique,omitempty"`
	// Tactic is the id of an ATT&CK tactic, such as TA0005.
	Tactic string `yaml:"tactic" json:"tactic,omitempty"`
	// Source is a Falco event source such as syscall, or "*" for those that have none of
	// their own.
	Source string `yaml:"source" json:"source,omitempty"`

	// Events are the kinds of event that a technique's playbook speaks of; see EventKinds. Empty
	// is any. A rule can be tagged with techniques that its event has nothing to do with.
	Events []string `yaml:"events" json:"events,omitempty"`
	// WithSource are the phases in which the actions of the source's playbook follow those of
	// this one, instead of being left out for them.
	WithSource []string `yaml:"with_source" json:"with_source,omitempty"`

	// Means says what a match means, true of every match: one to three sentences.
	Means string `yaml:"means" json:"means,omitempty"`
	// NotShown are conclusions that a match does not allow.
	NotShown []string `yaml:"not_shown" json:"not_shown,omitempty"`
	// HarmlessIf are the usual harmless causes, each as a condition to confirm.
	HarmlessIf []string `yaml:"harmless_if" json:"harmless_if,omitempty"`
	// Impact is what could follow if it is not harmless.
	Impact []string `yaml:"impact" json:"impact,omitempty"`
	// Cases are texts for some matches only; see [Playbook.For].
	Cases []Case `yaml:"cases" json:"cases,omitempty"`
	// Actions are what to do; the order within a phase is kept.
	Actions []Action `yaml:"actions" json:"actions,omitempty"`
}

// Action is one thing to do.
type Action struct {
	// Phase is one of Phases.
	Phase string `yaml:"phase" json:"phase,omitempty"`
	// When limits the action to alerts from one kind of workload: container, host,
	// kubernetes (a pod is known), plain_container (a container, and no pod is known),
	// cri_container (a plain_container that containerd or CRI-O may run) or process (any of
	// them: Find leaves the action out for alerts of other sources than system calls). Empty
	// is any.
	When string `yaml:"when" json:"when,omitempty"`
	// Parent limits the action to alerts whose process has a parent of one of these names,
	// separated by |. Empty is any, and an alert that does not name the parent fits.
	Parent string `yaml:"parent" json:"parent,omitempty"`
	// Title says what to do, in at most MaxTitleWords words.
	Title string `yaml:"title" json:"title,omitempty"`
	// Why says why, and what to look for.
	Why string `yaml:"why" json:"why,omitempty"`
	// Language is that of Snippet and General: sh, yaml, json or ini.
	Language string `yaml:"language" json:"language,omitempty"`
	// Tool names the tool, and the version it needs, that the snippet is for.
	Tool string `yaml:"tool" json:"tool,omitempty"`
	// Snippet is the command or configuration, with placeholders {{field}} or
	// {{field|other}} (the first that has a value). {{@time-2h}} is two hours before the event
	// ({{@rfc3339-2h}} the same in that form; m and d are minutes and days), and {{@same:field}}
	// a test in shell whether the pid in the field still belongs to the process of the event.
	Snippet string `yaml:"snippet" json:"snippet,omitempty"`
	// General is the snippet for when the alert lacks a value: it has no placeholders but
	// times. Without it the action then comes without a snippet.
	General string `yaml:"general" json:"general,omitempty"`
	// Reference is where to read more: an https link.
	Reference string `yaml:"reference" json:"reference,omitempty"`
}

// MaxTitleWords bounds the words of an action's title: two titles stand on the first screen.
const MaxTitleWords = 8

// Phases are the phases of handling an incident, in order.
func Phases() []string {
	return []string{"verify", "contain", "collect", "eradicate", "harden", "tune"}
}

// Kinds of events that a playbook can be for.
const (
	EventProgram = "program" // the start of a program
	EventFile    = "file"    // a call on a file
	EventNetwork = "network" // a call on a connection or socket
)

// EventKinds are the kinds of events that Playbook.Events can name.
func EventKinds() []string { return []string{EventProgram, EventFile, EventNetwork} }

// languages are what snippets can be in.
func languages() []string { return []string{"sh", "yaml", "json", "ini"} }

// Key is what a sound playbook is about, such as "rule:NAME" or "technique:T1620".
func (p *Playbook) Key() string { return strings.Join(p.keys(), " and ") }

// keys is everything that the playbook says it is about.
func (p *Playbook) keys() []string {
	var keys []string
	for _, k := range [...][2]string{{"rule:", p.Rule}, {"technique:", p.Technique}, {"tactic:", p.Tactic}, {"source:", p.Source}} {
		if k[1] != "" {
			keys = append(keys, k[0]+k[1])
		}
	}
	return keys
}

// validate reports everything that is wrong with a playbook.
func (p *Playbook) validate() error {
	if len(p.keys()) != 1 {
		return errors.New("want exactly one of rule, technique, tactic and source")
	}
	var errs []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("playbook %s: "+format, append([]any{p.Key()}, args...)...))
		}
	}
	need(strings.TrimSpace(p.Means) != "", "means is empty")
	need(len(p.HarmlessIf) > 0, "harmless_if is empty")
	need(len(p.Impact) > 0, "impact is empty")
	need(len(p.Actions) > 0, "actions is empty")
	need(!slices.ContainsFunc(p.Events, func(e string) bool { return !slices.Contains(EventKinds(), e) }),
		"events has %q: want some of %s", p.Events, strings.Join(EventKinds(), ", "))
	need(!slices.ContainsFunc(p.WithSource, func(phase string) bool { return !slices.Contains(Phases(), phase) }),
		"with_source has %q: want some of %s", p.WithSource, strings.Join(Phases(), ", "))
	for i := range p.Cases {
		err := p.Cases[i].validate()
		need(err == nil, "case %d: %w", i+1, err)
	}
	for _, t := range [...]struct {
		member string
		texts  []string
	}{{"means", []string{p.Means}}, {"not_shown", p.NotShown}, {"harmless_if", p.HarmlessIf}, {"impact", p.Impact}} {
		need(!slices.ContainsFunc(t.texts, hasPlaceholder), "%s "+notFilled, t.member)
	}
	for i := range p.Actions {
		a := &p.Actions[i]
		need(slices.Contains(Phases(), a.Phase), "action %d: phase %q is none of %s", i+1, a.Phase, strings.Join(Phases(), ", "))
		n := len(strings.Fields(a.Title))
		need(n > 0 && n <= MaxTitleWords, "action %d: the title has %d words, want 1 to %d", i+1, n, MaxTitleWords)
		need(validWhen(a.When), "action %d: when %q is none of container, cri_container, host, kubernetes, plain_container, process", i+1, a.When)
		need(a.Parent == "" || !slices.ContainsFunc(strings.Split(a.Parent, "|"), notOneWord), "action %d: parent %q is no list of names", i+1, a.Parent)
		for _, t := range [...][2]string{{"title", a.Title}, {"why", a.Why}, {"parent", a.Parent}, {"tool", a.Tool}, {"reference", a.Reference}} {
			need(!hasPlaceholder(t[1]), "action %d: %s "+notFilled, i+1, t[0])
		}
		need(a.Reference == "" || strings.HasPrefix(a.Reference, "https://"), "action %d: the reference is no https link", i+1)
		if a.Snippet == "" && a.General == "" {
			need(a.Language == "" && a.Tool == "", "action %d: language and tool belong to a snippet", i+1)
			continue
		}
		need(slices.Contains(languages(), a.Language), "action %d: language %q is none of %s", i+1, a.Language, strings.Join(languages(), ", "))
		need(a.Tool != "", "action %d: the snippet names no tool", i+1)
		if err := a.validateTemplates(); err != nil {
			need(false, "action %d: %w", i+1, err)
		}
	}
	return errors.Join(errs...)
}

// notFilled is what is wrong with a placeholder where none is filled in.
const notFilled = "has a placeholder, and a reader would see it as it is: write it in general words (only snippet is filled in, and times in general)"

// hasPlaceholder reports whether a text has what begins a placeholder.
func hasPlaceholder(s string) bool { return strings.Contains(s, "{{") }

// checkPlacements reports the placeholders of the playbook's snippets that stand where a value
// would not stay what it is.
func (p *Playbook) checkPlacements() error {
	var errs []error
	for i := range p.Actions {
		a := &p.Actions[i]
		for _, t := range [...][2]string{{"snippet", a.Snippet}, {"general", a.General}} {
			if err := a.checkPlacement(t[1]); err != nil {
				errs = append(errs, fmt.Errorf("playbook %s: action %d: %s: %w", p.Key(), i+1, t[0], err))
			}
		}
	}
	return errors.Join(errs...)
}

// validateTemplates looks at the placeholders of the snippet and of the general form.
func (a *Action) validateTemplates() error {
	snippet, err := parts(a.Snippet)
	if err != nil {
		return err
	}
	general, err := parts(a.General)
	if err != nil {
		return err
	}
	for _, p := range general {
		if slices.ContainsFunc(p.fields, func(f string) bool { return !moment.MatchString(f) }) {
			return errors.New("general has a placeholder that is no time")
		}
	}
	for _, p := range snippet {
		test := func(f string) bool { return strings.HasPrefix(f, sameMarker) }
		if a.Language != "sh" && slices.ContainsFunc(p.fields, test) {
			return fmt.Errorf("%s is for sh", sameMarker)
		}
	}
	return nil
}

// ForParent reports whether the action is for a process whose parent has this name; an empty
// name is one that is not known.
func (a *Action) ForParent(name string) bool {
	return a.Parent == "" || name == "" || slices.Contains(strings.Split(a.Parent, "|"), name)
}

func notOneWord(s string) bool { return s == "" || strings.ContainsAny(s, " \t\r\n") }

// What Action.When can be.
const (
	WhenContainer      = "container"
	WhenPlainContainer = "plain_container"
	WhenCRIContainer   = "cri_container"
	WhenKubernetes     = "kubernetes"
	WhenHost           = "host"
	WhenProcess        = "process"
)

func validWhen(when string) bool {
	switch when {
	case "", WhenContainer, WhenPlainContainer, WhenCRIContainer, WhenKubernetes, WhenHost, WhenProcess:
		return true
	}
	return false
}
