package redact

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// Report takes the secrets out of a report. It returns r itself when there are none, without
// allocating; else a copy, in which Redactions counts the places by kind, sorted by kind,
// besides those that r had already. The original is never changed.
//
// Ids, times, tags, digests, Falco's own words and what comes from ATT&CK stay as they are.
// A distinctive secret that was recognised in one place is taken out of the sentences, snippets,
// command lines and environments where it stands bare, too, and out of the halves that a
// sentence shows of a long value. It is left in names, paths and addresses: an attacker could
// hide those by calling them a password.
func Report(r *pb.Report) *pb.Report {
	look := visitor{}
	look.report(r)
	if !look.found {
		return r
	}
	out := proto.CloneOf(r)
	v := visitor{change: true, counts: make(map[Kind]uint32)}
	v.report(out)
	v.spread = true
	v.report(out)
	out.Redactions = v.total(out.GetRedactions())
	return out
}

// visitor goes through the strings of a report: it looks whether there is a secret, or takes
// the secrets out, or the known ones out of where they are not recognised.
type visitor struct {
	found  bool // looking: there is one, no need to look further
	change bool
	spread bool
	counts map[Kind]uint32
	known  known
}

// total joins the counts with those of a report that was redacted before.
func (v *visitor) total(before []*pb.Redaction) []*pb.Redaction {
	for _, b := range before {
		v.counts[Kind(b.GetKind())] += b.GetCount()
	}
	out := make([]*pb.Redaction, 0, len(v.counts))
	for kind, n := range v.counts {
		out = append(out, &pb.Redaction{Kind: string(kind), Count: n})
	}
	slices.SortFunc(out, func(a, b *pb.Redaction) int { return strings.Compare(a.GetKind(), b.GetKind()) })
	return out
}

// text visits sentences, command lines and snippets.
func (v *visitor) text(s *string) { v.visit(s, place{}, true) }

// prose visits sentences that hold no values of the alert.
func (v *visitor) prose(s *string) { v.visit(s, place{isProse: true}, true) }

// texts visits a list of texts.
func (v *visitor) texts(list []string) {
	for i := range list {
		v.text(&list[i])
	}
}

// name visits names, paths and addresses.
func (v *visitor) name(s *string) { v.visit(s, place{}, false) }

// sentences visits a list of sentences.
func (v *visitor) sentences(list []string) {
	for i := range list {
		v.prose(&list[i])
	}
}

// visit does what the visitor is for to one string. Free text is where known secrets are
// taken out of.
func (v *visitor) visit(s *string, at place, free bool) {
	switch {
	case v.found || *s == "":
	case !v.change:
		v.found = dirty(*s, at)
	case !v.spread:
		before := *s
		var found []Kind
		*s, found = redact(before, at, v.known.secret)
		v.count(found)
		v.known.value(before, *s, found)
	case free:
		out, found := v.known.takeOut(*s)
		if len(found) == 0 {
			return
		}
		v.count(found)
		*s, found = redact(out, at, nil)
		v.count(found)
	}
}

func (v *visitor) count(found []Kind) {
	for _, k := range found {
		v.counts[k]++
	}
}

// fields visits values by their names, Falco's or those of JSON members: a name can say that
// the value is a secret, or how it is to be read.
func (v *visitor) fields(m map[string]string, process string) {
	for name, value := range m {
		if v.found {
			return
		}
		if !v.change && len(value) <= MaxLength && !suspect(value) && !suspect(name) {
			continue
		}
		at := placeOf(name)
		if isArguments(name) {
			at.program = process
		}
		changed := value
		v.visit(&changed, at, v.spread && isFree(name))
		if v.change && changed != value {
			m[name] = changed
		}
	}
}

// placeOf is what the name of a field says of its value.
func placeOf(name string) place {
	switch {
	case suspect(name):
		return place{whole: nameKind(name)}
	case name == "env" || strings.HasPrefix(name, "proc.env") || strings.HasPrefix(name, "proc.aenv") || name == "evt.arg.env" || name == "evt.arg[env]":
		return place{isEnvironment: true}
	default:
		return place{}
	}
}

// isArguments reports whether a field holds arguments without the program's name.
func isArguments(name string) bool {
	return name == "args" || name == "proc.args" || name == "evt.arg.args" || name == "evt.arg[args]"
}

// isFree reports whether a field holds command lines or environments.
func isFree(name string) bool {
	return strings.Contains(name, "cmdline") || strings.Contains(name, "args") || strings.Contains(name, "env") || name == "evt.buffer"
}

// report visits every string of a report that can hold a secret. The list of those that
// cannot is in the test that goes through the schema.
func (v *visitor) report(r *pb.Report) {
	if r == nil {
		return
	}
	v.name(&r.Host)
	v.name(&r.Title)
	if u := r.GetUrgency(); u != nil {
		v.text(&u.Why)
	}
	v.process(r.GetProcess())
	for _, a := range r.GetAncestry() {
		v.ancestor(a)
	}
	for _, n := range r.GetProcesses() {
		v.ancestor(n.GetProcess())
	}
	v.texts(r.GetAncestryNotes())
	if l := r.GetLogin(); l != nil {
		v.name(&l.Service)
		v.name(&l.Session)
	}
	v.user(r.GetUser())
	v.surroundings(r)
	v.narrative(r)
	v.story(r)
	v.rule(r.GetRule())
	process := programOf(r)
	if e := r.GetEvent(); e != nil {
		v.name(&e.Type)
		v.name(&e.Result)
		v.fields(e.GetArguments(), process)
	}
	for _, g := range r.GetAlerts() {
		v.name(&g.Rule)
		for _, s := range g.GetSamples() {
			v.fields(s.GetFields(), s.GetFields()["proc.name"])
			v.text(&s.JoinedBecause)
		}
	}
	v.alert(r.GetAlert(), process)
}

// programOf is the name of the program whose arguments a report shows.
func programOf(r *pb.Report) string {
	fields := r.GetAlert().GetOutputFields()
	for _, name := range [...]string{r.GetProcess().GetName(), r.GetProcess().GetExePath(), fields["proc.name"], fields["proc.exepath"]} {
		if name != "" {
			return name
		}
	}
	return ""
}

// narrative visits the sentences.
func (v *visitor) narrative(r *pb.Report) {
	v.text(&r.Summary)
	v.prose(&r.Meaning)
	for _, f := range r.GetShown() {
		v.text(&f.Statement)
	}
	v.sentences(r.GetNotShown())
	v.sentences(r.GetHarmlessIf())
	v.sentences(r.GetPossibleImpact())
	for _, a := range r.GetActions() {
		v.prose(&a.Title)
		v.prose(&a.Why)
		v.snippet(a)
		v.prose(&a.Tool)
		v.name(&a.Reference)
	}
}

// snippet visits a command or configuration. One that would hold a redacted secret goes: it would
// not do what its text says.
func (v *visitor) snippet(a *pb.Action) {
	before := a.GetSnippet()
	v.text(&a.Snippet)
	if a.GetSnippet() != before {
		a.Snippet, a.Language = "", ""
		a.Why = strings.TrimSpace(a.GetWhy() + " The command is left out: it would have a secret in it; --redact=off shows it.")
	}
}

func (v *visitor) rule(r *pb.Rule) {
	if r == nil {
		return
	}
	v.name(&r.Name)
	v.prose(&r.Description)
	v.text(&r.Condition)
	v.name(&r.File)
}

func (v *visitor) process(p *pb.Process) {
	if p == nil {
		return
	}
	v.name(&p.Name)
	v.name(&p.ExePath)
	v.text(&p.CommandLine)
	v.name(&p.WorkingDirectory)
	v.name(&p.SystemdUnit)
	v.visit(&p.Environment, place{isEnvironment: true}, true)
	if s := p.GetSession(); s != nil {
		v.name(&s.Name)
		v.name(&s.ExePath)
	}
}

func (v *visitor) ancestor(a *pb.Ancestor) {
	if a == nil {
		return
	}
	v.name(&a.Name)
	v.name(&a.ExePath)
	v.text(&a.CommandLine)
	v.name(&a.ContainerId)
	v.name(&a.SystemdUnit)
	v.user(a.GetUser())
}

// story visits what is told of the incident as it went on.
func (v *visitor) story(r *pb.Report) {
	for _, e := range r.GetTimeline() {
		v.text(&e.Statement)
		v.name(&e.Rule)
	}
	v.text(&r.RevisionReason)
	if s := r.GetSilence(); s != nil {
		v.text(&s.Reason)
		v.text(&s.Author)
	}
}

func (v *visitor) user(u *pb.User) {
	if u == nil {
		return
	}
	v.name(&u.Name)
	v.name(&u.LoginName)
	v.name(&u.Group)
}

// surroundings visits container, pod, connection and file.
func (v *visitor) surroundings(r *pb.Report) {
	if c := r.GetContainer(); c != nil {
		v.name(&c.Name)
		v.name(&c.ImageRepository)
		v.name(&c.ImageTag)
		v.text(&c.Mounts)
	}
	if k := r.GetKubernetes(); k != nil {
		v.name(&k.Namespace)
		v.name(&k.PodName)
		v.request(k.GetRequest())
	}
	if n := r.GetNetwork(); n != nil {
		v.name(&n.Connection)
		for _, e := range [...]*pb.Endpoint{n.GetClient(), n.GetServer(), n.GetLocal(), n.GetRemote()} {
			if e != nil {
				v.name(&e.Address)
				v.name(&e.Name)
			}
		}
	}
	if f := r.GetFile(); f != nil {
		v.name(&f.Path)
		v.name(&f.RawPath)
		v.name(&f.NewPath)
		v.name(&f.Target)
		v.name(&f.Mode)
	}
}

func (v *visitor) request(q *pb.KubernetesRequest) {
	if q == nil {
		return
	}
	v.name(&q.User)
	v.name(&q.Verb)
	v.name(&q.Resource)
	v.name(&q.Subresource)
	v.name(&q.Namespace)
	v.name(&q.Name)
	v.name(&q.Uri)
	v.text(&q.AuthorizationReason)
	v.name(&q.UserAgent)
}

// alert visits the original: the fields before the output line, which is made of them.
func (v *visitor) alert(a *pb.Alert, process string) {
	if a == nil {
		return
	}
	v.name(&a.Rule)
	v.name(&a.Hostname)
	v.fields(a.GetOutputFields(), process)
	v.fields(a.GetExtra(), process)
	if v.change && !v.spread {
		var found []Kind
		a.Output, found = v.known.takeValues(a.GetOutput())
		v.count(found)
	}
	v.text(&a.Output)
}
