package main

import (
	"log/slog"

	"github.com/spf13/pflag"

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
// reports are worth more than its words.
func (k *knowledge) options(log *slog.Logger) enrich.Options {
	var o enrich.Options
	if k.attack != "" {
		data, err := attack.LoadFile(k.attack)
		if err != nil {
			log.Error("the ATT&CK bundle was refused; the embedded data stays in use", "error", err)
		} else {
			o.Attack = data
		}
	}
	return o
}

// enricher makes an Enricher that has read the rule files and playbooks once.
func (k *knowledge) enricher(log *slog.Logger) (*enrich.Enricher, error) {
	o := k.options(log)
	books, err := playbook.Load(k.playbooks)
	if err != nil {
		return nil, err
	}
	set, err := rules.Load(k.ruleFiles(), log)
	if err != nil {
		return nil, err
	}
	o.Playbooks = func() *playbook.Library { return books }
	o.Rules = func() *rules.Set { return set }
	return enrich.New(o)
}
