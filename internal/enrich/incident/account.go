package incident

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// Bounds of what an account holds, so that it can be read.
const (
	maxNotShown = 12
	maxHarmless = 10
	maxImpacts  = 8
	maxActions  = 16
)

// account is the complete report of the incident as it is now. It is a function of the counts
// and of the tellings: what was told before plays no part.
func (g *group) account() *pb.Report {
	out := g.base()
	if g.total == 1 && g.lost == 0 {
		return out
	}
	ranked := g.ranked()
	combined := g.combine()
	out.EventTime = timestamppb.New(unix(g.firstEvent))
	out.Urgency, out.Silence = g.urgency(ranked, combined)
	out.Title, out.Summary = g.title(ranked), g.summary(ranked)
	out.Shown = g.shown(ranked, combined)
	out.NotShown = g.notShown(ranked, combined)
	out.HarmlessIf = union(ranked, maxHarmless, (*pb.Report).GetHarmlessIf)
	out.PossibleImpact = union(ranked, maxImpacts, (*pb.Report).GetPossibleImpact)
	out.Actions = actions(ranked, g.counts(), out.GetUrgency().GetLevel())
	out.Alerts = g.alerts()
	out.Timeline = g.timeline()
	out.Processes = processes(g.tellings)
	out.Attack = g.attack()
	g.nameContainer(out)
	return out
}

// base is the report of the first alert to build on. Where that alert is gone, it is what is
// known without it.
func (g *group) base() *pb.Report {
	if len(g.tellings) > 0 && g.tellings[0].number == 1 {
		return share(g.tellings[0].view)
	}
	out := &pb.Report{}
	if len(g.tellings) > 0 {
		out = share(g.tellings[0].view)
	}
	out.Id, out.Host = string(g.id), g.host
	out.ReceivedTime = timestamppb.New(unix(g.firstSeen))
	if len(g.rules) > 0 {
		out.Rule, out.Priority = &pb.Rule{Name: g.rules[0].name}, g.rules[0].priority
	}
	if out.GetUrgency() == nil {
		out.Urgency = &pb.Urgency{Level: g.level, Why: "The alerts that say why are no longer kept."}
	}
	return out
}

// ranked are the tellings, the most urgent first; among these by Falco's priority, then by when
// they came.
func (g *group) ranked() []*telling {
	out := make([]*telling, len(g.tellings))
	for i := range g.tellings {
		out[i] = &g.tellings[i]
	}
	slices.SortStableFunc(out, func(x, y *telling) int {
		return cmp.Or(
			cmp.Compare(y.view.GetUrgency().GetLevel(), x.view.GetUrgency().GetLevel()),
			cmp.Compare(severity(x), severity(y)),
		)
	})
	return out
}

// severity orders by Falco's priority, the gravest first, an unknown one last.
func severity(t *telling) int {
	p := alert.ParsePriority(t.view.GetPriority())
	if p == alert.PriorityUnknown {
		return 1 << 8
	}
	return int(p)
}

// allSilent reports whether every alert that something rests on is silenced.
func allSilent(ranked []*telling, ids []string) bool {
	for _, t := range ranked {
		if slices.Contains(ids, string(t.id)) && !silent(t.view) {
			return false
		}
	}
	return true
}

// urgency is that of the most urgent alert, or what the combination of several asks for. The
// silence is told where it made a difference.
func (g *group) urgency(ranked []*telling, combined []combination) (*pb.Urgency, *pb.Silence) {
	if len(ranked) == 0 {
		return &pb.Urgency{Level: g.level, Why: "The alerts that say why are no longer kept."}, nil
	}
	top := ranked[0].view
	out := top.GetUrgency()
	for _, c := range combined {
		if c.level > out.GetLevel() && !allSilent(ranked, c.finding.GetAlertIds()) {
			out = &pb.Urgency{Level: c.level, Why: c.why, Late: out.GetLate()}
		}
	}
	if g.level > out.GetLevel() { // silences have lowered what went into it
		out = &pb.Urgency{Level: g.level, Why: "An alert that is no longer kept was so urgent.", Late: out.GetLate()}
	}
	for _, t := range ranked {
		if silent(t.view) && out.GetLevel() == pb.UrgencyLevel_URGENCY_LEVEL_RECORD || t.view.GetSilence().GetExpired() {
			return out, t.view.GetSilence()
		}
	}
	return out, nil
}

// silent reports whether a silence lowered the urgency of an alert.
func silent(r *pb.Report) bool { return r.GetSilence() != nil && !r.GetSilence().GetExpired() }

// title is the rule of the most urgent alert, and how many others there are.
func (g *group) title(ranked []*telling) string {
	name := g.rules[0].name
	if len(ranked) > 0 {
		name = ranked[0].view.GetRule().GetName()
	}
	if others := len(g.rules) - 1; others > 0 {
		return name + " and " + phrase.Count(uint64(others), "other rule")
	}
	return name
}

// maxNamed bounds the rules that the summary names.
const maxNamed = 3

// summary says what the most urgent alert is about, and how many alerts of which rules came
// with it in which time.
func (g *group) summary(ranked []*telling) string {
	what := "What the alerts showed is no longer known."
	if len(ranked) > 0 {
		what = ranked[0].view.GetSummary()
	}
	within := " within " + phrase.Span(time.Duration(g.lastEvent-g.firstEvent))
	if len(g.rules) == 1 {
		out := what + " It is one of " + phrase.Count(g.total, "alert") + " of this rule" + within
		if g.rules[0].distinct() > 1 {
			out += ", about " + targets(&g.rules[0])
		}
		return out + "."
	}
	var named []string
	for _, c := range g.byCount(ranked) {
		if len(named) == maxNamed {
			break
		}
		name := phrase.Quote(c.name)
		if c.count > 1 {
			name += " (" + strconv.FormatUint(c.count, 10) + ")"
		}
		named = append(named, name)
	}
	out := what + " It is one of " + phrase.Count(g.total, "alert") + " of " + phrase.Count(uint64(len(g.rules)), "rule") + within + ": " + strings.Join(named, ", ")
	if more := len(g.rules) - len(named); more > 0 {
		out += " and " + strconv.Itoa(more) + " more"
	}
	return out + "."
}

// targets says how many different things the alerts of a rule are about.
func targets(c *ruleCount) string {
	n := phrase.Count(c.distinct(), "different target")
	if c.targets.registers != nil {
		return "some " + n
	}
	return n
}

// byCount are the rules, that of the most urgent alert first, then those with the most alerts.
func (g *group) byCount(ranked []*telling) []*ruleCount {
	out := make([]*ruleCount, len(g.rules))
	for i := range g.rules {
		out[i] = &g.rules[i]
	}
	lead := ""
	if len(ranked) > 0 {
		lead = ranked[0].view.GetRule().GetName()
	}
	slices.SortStableFunc(out, func(x, y *ruleCount) int {
		return cmp.Or(-compareBool(x.name == lead, y.name == lead), cmp.Compare(y.count, x.count))
	})
	return out
}

func compareBool(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	default:
		return -1
	}
}

// notShown is what the alerts leave open. What is said of "it" is another event's, and says
// whose.
func (g *group) notShown(ranked []*telling, combined []combination) []string {
	var out []string
	if g.lost > 0 {
		out = append(out, "What "+phrase.Count(uint64(g.lost), "alert")+" showed, which the alert log no longer has.")
	}
	for _, c := range combined {
		if c.open != "" {
			out = append(out, c.open)
		}
	}
	for _, t := range ranked {
		rule := t.view.GetRule().GetName()
		for _, s := range t.view.GetNotShown() {
			if strings.HasPrefix(s, "Whether it ") || strings.HasPrefix(s, "That it ") {
				if resultOf(t.view) == failed && g.tally(rule).succeeded > 0 {
					continue // the finding on their results says how many did
				}
				if len(g.rules) > 1 && rule != ranked[0].view.GetRule().GetName() {
					s = "Of " + phrase.Quote(rule) + ": " + strings.ToLower(s[:1]) + s[1:]
				}
			}
			out = add(out, s, maxNotShown)
		}
	}
	return out
}

// union is what the reports of some alerts say, without repeats, the most urgent alert's first.
func union(ranked []*telling, limit int, list func(*pb.Report) []string) []string {
	var out []string
	for _, t := range ranked {
		for _, s := range list(t.view) {
			out = add(out, s, limit)
		}
	}
	return out
}

// add adds what is not there, within a limit.
func add(list []string, s string, limit int) []string {
	if len(list) >= limit || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// maxAlike bounds the actions that differ in their snippet alone: for two processes, say.
const maxAlike = 2

// actions are those of all rules, the most urgent alert's first. Of a rule with many alerts each
// is told once: there is no end to the files that it could be done to. Of an alert that is less
// urgent than the whole, what was to except it is told without the exception itself.
func actions(ranked []*telling, counts map[string]uint64, level pb.UrgencyLevel) []*pb.Action {
	var out []*pb.Action
	for _, t := range ranked {
		most := maxAlike
		if counts[t.view.GetRule().GetName()] > manyAlike {
			most = 1
		}
		mine := t.view.GetUrgency().GetLevel()
		for _, x := range t.view.GetActions() {
			if x.GetPhase() == pb.Phase_PHASE_TUNE && mine == pb.UrgencyLevel_URGENCY_LEVEL_RECORD && level > mine {
				x = unfilled(x)
			}
			alike, same := 0, false
			for _, y := range out {
				if x.GetPhase() == y.GetPhase() && x.GetTitle() == y.GetTitle() {
					alike++
					same = same || x.GetSnippet() == y.GetSnippet() || x.GetSnippet() == ""
				}
			}
			if !same && alike < most && len(out) < maxActions {
				out = append(out, x)
			}
		}
	}
	return out
}

// unfilled is an action without its snippet, which holds values of the alert: an exception made
// of them would let the rest of the incident pass.
func unfilled(a *pb.Action) *pb.Action {
	return &pb.Action{Phase: a.GetPhase(), Title: a.GetTitle(), Why: a.GetWhy(), Reference: a.GetReference()}
}

// alerts are the counts and samples by rule, in the order in which the rules came.
func (g *group) alerts() []*pb.AlertGroup {
	out := make([]*pb.AlertGroup, len(g.rules))
	for i := range g.rules {
		c := &g.rules[i]
		out[i] = &pb.AlertGroup{Rule: c.name, Priority: c.priority, Occurrences: &pb.Occurrences{
			Count: c.count, FirstTime: timestamppb.New(unix(c.first)), LastTime: timestamppb.New(unix(c.last)), Distinct: c.distinct(),
		}}
	}
	for i := range g.tellings {
		t := &g.tellings[i]
		at := g.ruleAt(t.view.GetRule().GetName())
		if at < 0 {
			continue
		}
		if t.sample {
			sameRule := i > 0 && g.tellings[i-1].at == t.at && g.ruleAt(g.tellings[i-1].view.GetRule().GetName()) == at
			out[at].Samples = append(out[at].Samples, &pb.AlertSample{
				Id: string(t.id), Time: timestamppb.New(unix(t.at)), Fields: sampleFields(t.view), JoinedBecause: t.reason.text(t.view, !sameRule),
			})
		}
	}
	return out
}

// sampleFields are the fields that tell an alert from others, as its own report has them.
func sampleFields(r *pb.Report) map[string]string {
	for _, g := range r.GetAlerts() {
		for _, s := range g.GetSamples() {
			return s.GetFields()
		}
	}
	return nil
}

// attack is the classification by all alerts: tactics and techniques in the order in which they
// were seen.
func (g *group) attack() *pb.Attack {
	var out *pb.Attack
	for i := range g.tellings {
		x := g.tellings[i].view.GetAttack()
		if x == nil {
			continue
		}
		if out == nil {
			out = &pb.Attack{Version: x.GetVersion()}
		}
		for _, t := range x.GetTactics() {
			if !slices.ContainsFunc(out.GetTactics(), func(y *pb.Tactic) bool { return y.GetId() == t.GetId() }) {
				out.Tactics = append(out.Tactics, t)
			}
		}
		for _, t := range x.GetTechniques() {
			if !slices.ContainsFunc(out.GetTechniques(), func(y *pb.Technique) bool { return y.GetId() == t.GetId() }) {
				out.Techniques = append(out.Techniques, t)
			}
		}
		for _, tag := range x.GetUnresolvedTags() {
			if !slices.Contains(out.GetUnresolvedTags(), tag) {
				out.UnresolvedTags = append(out.UnresolvedTags, tag)
			}
		}
	}
	return out
}

// nameContainer takes the container from a later alert where the first knew the id alone: the
// first alerts of a container often lack its name.
func (g *group) nameContainer(out *pb.Report) {
	c := out.GetContainer()
	if c.GetId() == "" || c.GetName() != "" {
		return
	}
	for i := range g.tellings {
		if later := g.tellings[i].view.GetContainer(); later.GetId() == c.GetId() && later.GetName() != "" {
			out.Container = later
			return
		}
	}
}
