// Package enrich turns alerts into incident reports.
//
// [Enricher.Report] makes the report of one alert: it reads the alert's fields into the
// report's model, adds the process chain, resolves the ATT&CK tags, takes what to do from the
// playbooks, and writes the narrative (summary, findings, what is not shown) out of the
// fields. Every sentence rests on a field, on ATT&CK, or on a playbook; what is not known
// stays absent. It is a function of the alert, of when it was received, and of the knowledge in
// use (ATT&CK, playbooks, rule files): the same alert gives the same report as long as these are
// the same.
//
// [Worker] is the stage between the two logs of the journal: it reads the alert log in order
// and appends report revisions. It works in its caller's goroutine, and joins the one that
// waits for the signal to finish.
package enrich

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/ancestry"
	"github.com/falco-reporter/falco-reporter/internal/enrich/attack"
	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
	"github.com/falco-reporter/falco-reporter/internal/enrich/rules"
)

// Options say what an Enricher knows.
type Options struct {
	// Attack is the ATT&CK data; nil is what is embedded.
	Attack *attack.Data
	// Playbooks gives the playbooks as they are now; nil is those that are embedded. It is called
	// for every alert, concurrently, and must be quick.
	Playbooks func() *playbook.Library
	// Rules gives the rule files as they are now; nil is none. It is called for every alert,
	// concurrently, and must be quick.
	Rules func() *rules.Set
	// Urgency says when a report is urgent.
	Urgency Urgency
}

// Enricher makes reports. It may be used concurrently.
type Enricher struct {
	attack    *attack.Data
	playbooks func() *playbook.Library
	rules     func() *rules.Set
	urgency   Urgency
}

// New makes an Enricher. An error says what of the embedded knowledge is broken.
func New(o Options) (*Enricher, error) {
	var err error
	if o.Attack == nil {
		if o.Attack, err = attack.Embedded(); err != nil {
			return nil, fmt.Errorf("load the embedded ATT&CK data: %w", err)
		}
	}
	if o.Playbooks == nil {
		books, err := playbook.Embedded()
		if err != nil {
			return nil, err
		}
		o.Playbooks = func() *playbook.Library { return books }
	}
	return &Enricher{attack: o.Attack, playbooks: o.Playbooks, rules: o.Rules, urgency: o.Urgency}, nil
}

// AttackVersion is the version of ATT&CK in use.
func (e *Enricher) AttackVersion() string { return e.attack.Version() }

// MaxReportBytes bounds an encoded report: 3 MiB, since gRPC clients refuse messages of more
// than 4 MiB unless told otherwise. Where an alert's texts are longer they are cut, with a
// note; the alert log has the whole alert.
const MaxReportBytes = 3 << 20

// smallAlert is a size of encoded alerts whose reports cannot come near MaxReportBytes: a
// report repeats a field's text at most four times, and adds some 100 KiB of ours at most.
const smallAlert = 256 << 10

// Report makes the first revision of the report of one alert. Parts of it are shared between
// reports: it must not be changed.
func (e *Enricher) Report(a *alert.Alert) *pb.Report {
	r := e.whole(a)
	if len(a.Raw) <= smallAlert {
		return r
	}
	for limit := 64 << 10; proto.Size(r) > MaxReportBytes && limit >= 128; limit /= 8 {
		r = e.whole(a.Clipped(limit))
	}
	if proto.Size(r) > MaxReportBytes {
		// Hundreds of thousands of small fields: no alert of a real rule.
		r = proto.CloneOf(r)
		r.Alert.OutputFields, r.Alert.UnsetFields, r.Alert.Extra, r.Alert.Tags, r.Tags = nil, nil, nil, nil, nil
		r.Event, r.Attack = nil, nil
	}
	return r
}

// ReportOrPlain is Report for callers that must not end with one bad alert: should enrichment
// panic, which is a defect, the result is the plain report of the raw fields, and the error
// says what happened.
func (e *Enricher) ReportOrPlain(a *alert.Alert) (r *pb.Report, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = plain(a), fmt.Errorf("enrichment failed, so that the report is plain: %v", p)
		}
	}()
	return e.Report(a), nil
}

// whole makes a report without a bound.
func (e *Enricher) whole(a *alert.Alert) *pb.Report {
	r := plain(a)
	r.Workload = workloadOf(a)
	r.Event = eventOf(a)
	r.Process = processOf(a)
	r.User = userOf(a)
	r.Container = containerOf(a, r.Workload)
	ancestry.Apply(a, r)
	r.Kubernetes = kubernetesOf(a)
	r.Network = networkOf(a)
	r.File = fileOf(a)
	r.Attack = e.attack.Message(a.Tags)
	books := e.playbooks()
	s := &scene{a: a, r: r, rule: e.addRule(r.Rule), book: books.Find(e.subject(r)).For(a.Text), general: books.General(a.Source)}
	s.proof = s.proven()
	s.tell()
	s.putFirst(s.weigh(e.urgency))
	s.actions() // last: what is written into them depends on the urgency
	return r
}

// addRule adds what the rule files say of a rule, and returns it; without one, an empty rule.
func (e *Enricher) addRule(to *pb.Rule) rules.Rule {
	if e.rules == nil {
		return rules.Rule{}
	}
	rule, ok := e.rules().Rule(to.GetName())
	if !ok {
		return rules.Rule{}
	}
	to.Description, to.Condition, to.File = rule.Description, rule.Condition, rule.File
	if to.GetMaturity() == "" {
		to.Maturity = rule.Maturity
	}
	return rule
}

// plain is what can be said of any alert without reading its output fields. It is also the
// whole report of an alert that enrichment failed on.
func plain(a *alert.Alert) *pb.Report {
	at := timestamppb.New(a.Time())
	r := &pb.Report{
		Id:        string(a.ID),
		Revision:  1,
		Closed:    true, // by itself; who joins alerts into incidents opens it
		EventTime: at,
		Host:      a.Hostname,
		Urgency:   Urgency{}.withDefaults().byPriority(a.Priority),
		Title:     a.Rule,
		Rule:      &pb.Rule{Name: a.Rule, Maturity: maturity(a.Tags)},
		Priority:  a.Priority.String(),
		Source:    a.Source,
		Tags:      a.Tags,
		AlertKind: pb.AlertKind_ALERT_KIND_RULE,
		Alerts: []*pb.AlertGroup{{
			Rule:        a.Rule,
			Priority:    a.Priority.String(),
			Occurrences: &pb.Occurrences{Count: 1, FirstTime: at, LastTime: at, Distinct: 1},
			Samples:     []*pb.AlertSample{{Id: string(a.ID), Time: at, Fields: keyFields(a)}},
		}},
		Alert: alertOf(a),
	}
	if a.ReceivedNanos > 0 {
		r.ReceivedTime = timestamppb.New(a.Received())
	}
	switch a.Kind {
	case alert.KindFalcoInternal:
		r.AlertKind = pb.AlertKind_ALERT_KIND_FALCO_INTERNAL
	case alert.KindReporterInternal:
		r.AlertKind = pb.AlertKind_ALERT_KIND_REPORTER_INTERNAL
	case alert.KindRule:
	}
	return r
}

// maturity is the rule's maturity out of its tag, such as maturity_stable.
func maturity(tags []string) string {
	for _, t := range tags {
		if m, ok := strings.CutPrefix(t, "maturity_"); ok {
			return m
		}
	}
	return ""
}

// subject is what a playbook is looked for by. Sub-techniques go before techniques: they say
// more. A playbook may speak of them by the ids of another version of ATT&CK.
func (e *Enricher) subject(r *pb.Report) playbook.Subject {
	s := playbook.Subject{Rule: r.GetRule().GetName(), Source: r.GetSource()}
	if r.GetSource() == "" || r.GetSource() == "syscall" {
		s.Event = eventKind(r.GetEvent().GetType())
	}
	techniques := slices.SortedStableFunc(slices.Values(r.GetAttack().GetTechniques()), func(x, y *pb.Technique) int {
		return len(y.GetId()) - len(x.GetId())
	})
	for _, t := range techniques {
		s.Techniques = append(s.Techniques, e.attack.KnownAs(t.GetId(), t.GetTaggedId())...)
	}
	for _, t := range r.GetAttack().GetTactics() {
		s.Tactics = append(s.Tactics, e.attack.KnownAs(t.GetId(), "")...)
	}
	return s
}
