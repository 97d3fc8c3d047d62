package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/pflag"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich"
	"github.com/falco-reporter/falco-reporter/internal/enrich/attack"
	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
	"github.com/falco-reporter/falco-reporter/internal/enrich/rules"
)

// knowledge are the flags that say what reports are written from besides the alert.
type knowledge struct {
	rules     []string
	playbooks []string
	attack    string
}

// add adds the flags.
func (k *knowledge) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&k.rules, "rules", rules.DefaultPaths(), "Falco's rule file, or folder of rule files; may be repeated; empty for none")
	flags.StringVar(&k.attack, "attack", "", "MITRE's STIX bundle of ATT&CK Enterprise (JSON, also gzipped), to use instead of the embedded data")
	flags.StringArrayVar(&k.playbooks, "playbooks", nil, "file or folder with playbooks of your own, which go before the embedded ones; may be repeated")
}

// ruleFiles are the paths of rule files.
func (k *knowledge) ruleFiles() []string {
	var out []string
	for _, path := range k.rules {
		if path != "" {
			out = append(out, path)
		}
	}
	return out
}

// options loads ATT&CK. A bundle that cannot be used is told, and the embedded data stays:
// reports are worth more than its words. Refused is why it is not used.
func (k *knowledge) options(log *slog.Logger) (o enrich.Options, refused error) {
	if k.attack == "" {
		return o, nil
	}
	if o.Attack, refused = attack.LoadFile(k.attack); refused != nil {
		log.Error("the ATT&CK bundle was refused; the embedded data stays in use", "error", refused)
		o.Attack = nil
	}
	return o, refused
}

// enricher makes an Enricher that has read the rule files and playbooks once. Refused is why the
// ATT&CK bundle that was named is not used; it has been told.
func (k *knowledge) enricher(u enrich.Urgency, log *slog.Logger) (e *enrich.Enricher, refused, err error) {
	o, refused := k.options(log)
	books, err := playbook.Load(k.playbooks)
	if err != nil {
		return nil, refused, err
	}
	set, err := rules.Load(k.ruleFiles(), log)
	if err != nil {
		return nil, refused, err
	}
	o.Playbooks = func() *playbook.Library { return books }
	o.Rules = func() *rules.Set { return set }
	o.Urgency = u
	e, err = enrich.New(o)
	return e, refused, err
}

// urgencyFlags are the flags that say from which priority on an alert is urgent.
type urgencyFlags struct {
	pageAt, todayAt string
}

// add adds the flags.
func (f *urgencyFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.pageAt, "page-at", "critical", "least severe Falco priority that pages where a finding, or the result with rights and reach, backs it")
	flags.StringVar(&f.todayAt, "today-at", "warning", "least severe Falco priority that is for today with nothing against it")
}

// options checks the flags.
func (f *urgencyFlags) options() (enrich.Urgency, error) {
	u := enrich.Urgency{PageAt: alert.ParsePriority(f.pageAt), TodayAt: alert.ParsePriority(f.todayAt)}
	var errs []error
	if u.PageAt == alert.PriorityUnknown {
		errs = append(errs, fmt.Errorf("--page-at %s: not one of Falco's priorities (emergency to debug)", f.pageAt))
	}
	if u.TodayAt == alert.PriorityUnknown {
		errs = append(errs, fmt.Errorf("--today-at %s: not one of Falco's priorities (emergency to debug)", f.todayAt))
	}
	return u, errors.Join(errs...)
}
