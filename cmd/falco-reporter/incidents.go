package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"

	"github.com/falco-reporter/falco-reporter/internal/enrich"
	"github.com/falco-reporter/falco-reporter/internal/enrich/incident"
	"github.com/falco-reporter/falco-reporter/internal/userfile"
)

// incidentFlags are the flags that say how alerts become incidents.
type incidentFlags struct {
	join     string
	idle     time.Duration
	maxAge   time.Duration
	silences string
}

// Values of --join.
const (
	joinOn  = "on"
	joinOff = "off"
)

// add adds the flags for a daemon, which joins unless it is told not to.
func (f *incidentFlags) add(flags *pflag.FlagSet, def string) {
	flags.StringVar(&f.join, "join", def, "one report for the alerts that belong together: on, off (a report for every alert)")
	if def == joinOff {
		flags.Lookup("join").NoOptDefVal = joinOn
	}
	flags.DurationVar(&f.idle, "join-idle", 30*time.Second, "how long after its last alert an incident takes another")
	flags.DurationVar(&f.maxAge, "join-max", 10*time.Minute, "how long after its first alert an incident takes another")
	flags.StringVar(&f.silences, "silences", "", "file with silences, which lower the urgency of what they describe (YAML, see docs/operations.md)")
}

// joiner checks the flags; the result is nil where there is nothing to join and nothing to silence.
func (f *incidentFlags) joiner() (func() enrich.Joiner, error) {
	o := incident.Options{Idle: f.idle, MaxAge: f.maxAge}
	var errs []error
	if f.idle <= 0 || f.maxAge < f.idle {
		errs = append(errs, errors.New("--join-idle must be positive, and --join-max no less"))
	}
	if f.silences != "" {
		var err error
		if o.Silences, err = readSilences(f.silences); err != nil {
			errs = append(errs, fmt.Errorf("--silences: %w", err))
		}
	}
	switch f.join {
	case joinOn:
		return func() enrich.Joiner { return incident.New(o) }, errors.Join(errs...)
	case joinOff:
		if len(o.Silences) > 0 {
			return func() enrich.Joiner { return incident.NewSingly(o.Silences) }, errors.Join(errs...)
		}
		return nil, errors.Join(errs...)
	default:
		return nil, errors.Join(append(errs, fmt.Errorf("--join %q: choose one of %s, %s", f.join, joinOn, joinOff))...)
	}
}

// silence is a silence as it is written in the file.
type silence struct {
	Rule      string    `yaml:"rule"`
	Container string    `yaml:"container"`
	Image     string    `yaml:"image"`
	User      string    `yaml:"user"`
	Path      string    `yaml:"path"`
	Until     time.Time `yaml:"until"`
	By        string    `yaml:"by"`
	Why       string    `yaml:"why"`
}

const (
	// maxSilences bounds how many silences there may be: each is compared with every alert.
	maxSilences = 1000
	// maxSilencesBytes and maxSilencesSeparators bound their file, and with it the memory that it
	// takes to read: the latter some 60 MB.
	maxSilencesBytes      = 1 << 20
	maxSilencesSeparators = 50_000
)

// readSilences reads a file of silences. Every one that is wrong is named.
func readSilences(name string) ([]incident.Silence, error) {
	data, err := userfile.Read(name, maxSilencesBytes)
	if err != nil {
		return nil, err
	}
	if n := userfile.YAMLSeparators(data); n > maxSilencesSeparators {
		return nil, fmt.Errorf("%s: %d YAML separators are more than the %d there may be", name, n, maxSilencesSeparators)
	}
	var file struct {
		Silences []silence `yaml:"silences"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	// Silences that are not read would be missed only when they do not silence.
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: only the first YAML document would be read; put all silences below one \"silences:\", without a line of --- between them", name)
	}
	if len(file.Silences) > maxSilences {
		return nil, fmt.Errorf("%s: %d silences are more than the %d there may be", name, len(file.Silences), maxSilences)
	}
	var out []incident.Silence
	var errs []error
	for i, s := range file.Silences {
		converted := incident.Silence{
			Rule: s.Rule, Container: s.Container, Image: s.Image, User: s.User, Path: s.Path, Until: s.Until, By: s.By, Why: s.Why,
		}
		if err := converted.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("%s: silence %d: %w", name, i+1, err))
		}
		out = append(out, converted)
	}
	return out, errors.Join(errs...)
}
