package render

import (
	"maps"
	"slices"
	"strconv"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// layDetails lays out what is known of the event, one row for each thing that is.
func layDetails(r *pb.Report) []block {
	var t table
	t.layAlert(r)
	t.layEvent(r.GetEvent())
	t.layUser(r.GetUser())
	t.layProcess(r)
	t.layContainer(r)
	t.layKubernetes(r.GetKubernetes())
	t.layNetwork(r.GetNetwork())
	t.layFile(r.GetFile())
	if t == nil {
		return nil
	}
	return []block{t}
}

// add adds a row unless its value is not known.
func (t *table) add(label string, cell line) {
	if len(cell) > 0 {
		*t = append(*t, row{label, cell})
	}
}

// addValue adds a row with one value.
func (t *table) addValue(label, value string) { t.add(label, line{}.value(value)) }

// layAlert lays out what is known of the alert itself.
func (t *table) layAlert(r *pb.Report) {
	t.add("Urgency", urgency(r.GetUrgency()))
	t.add("Event time", line{}.words(exactly(r.GetEventTime())))
	received := moment(r.GetReceivedTime(), r.GetEventTime())
	if input := r.GetAlert().GetInput(); input != "" && len(received) > 0 {
		received = received.words(", by input ").value(input)
	}
	t.add("Received", received)
	host := line{}.value(r.GetHost())
	if r.GetWorkload() == pb.Workload_WORKLOAD_HOST {
		host = host.words(choose(len(host) > 0, " (not in a container)", "not in a container"))
	}
	t.add("Host", host)
	t.addValue("Rule", either(r.GetRule().GetName(), r.GetAlert().GetRule()))
	t.addValue("Falco priority", r.GetPriority())
	t.addValue("Source", r.GetSource())
	t.add("Tags", line{}.values(r.GetTags()))
	t.add(choose(r.GetSilence().GetExpired(), "Expired silence", "Silenced"), silence(r.GetSilence()))
	t.add("Revised because", sentence(r.GetRevisionReason()))
	t.add("Redacted", redactions(r.GetRedactions()))
}

// urgency is the level and its reason.
func urgency(u *pb.Urgency) line {
	word := urgencyWord(u)
	why := sentence(u.GetWhy())
	if word == "" || len(why) == 0 {
		return line{}.words(word).join(why)
	}
	return line{}.words(word + ": ").join(why)
}

// choose is a if the condition holds, and else b.
func choose(cond bool, a, b string) string {
	if cond {
		return a
	}
	return b
}

func (t *table) layEvent(e *pb.Event) {
	l := line{}.value(e.GetType())
	if e.GetResult() != "" {
		if len(l) > 0 {
			l = l.words(", result ")
		}
		l = l.value(e.GetResult())
	}
	if o := outcome(e.GetOutcome()); o != "" {
		if len(l) > 0 {
			l = l.words(": ")
		}
		l = l.words(o)
	}
	t.add("Event", l)
	var args line
	for _, name := range slices.Sorted(maps.Keys(e.GetArguments())) {
		if len(args) > 0 {
			args = args.words(", ")
		}
		args = args.value(name).words(" = ").value(e.GetArguments()[name])
	}
	t.add("Arguments", args)
}

// outcome says what a result means.
func outcome(o pb.Outcome) string {
	switch o {
	case pb.Outcome_OUTCOME_SUCCEEDED:
		return "it succeeded"
	case pb.Outcome_OUTCOME_REFUSED:
		return "refused for lack of permission"
	case pb.Outcome_OUTCOME_FAILED:
		return "it failed"
	default:
		return ""
	}
}

func (t *table) layUser(u *pb.User) {
	if u == nil {
		return
	}
	t.add("User", account(u.GetName(), u.Uid, "uid"))
	t.add("Login user", account(u.GetLoginName(), u.LoginUid, "uid"))
	t.add("Group", account(u.GetGroup(), u.Gid, "gid"))
}

// account is the name and number of a user or group.
func account(name string, id *uint32, kind string) line {
	l := line{}.value(name)
	switch {
	case id == nil:
		return l
	case len(l) == 0:
		return l.words(kind + " ").number(int64(*id))
	default:
		return l.words(" (" + kind + " ").number(int64(*id)).words(")")
	}
}

func (t *table) layProcess(r *pb.Report) {
	p := r.GetProcess()
	t.add("Process", processName(p))
	exe := line{}.value(p.GetExePath())
	for _, known := range []struct {
		yes  bool
		text string
	}{
		{p.GetExeFromMemfd(), "an anonymous memory file"},
		{p.GetExeUpperLayer(), "added or changed since the container started"},
	} {
		if known.yes {
			exe = exe.comma().words(known.text)
		}
	}
	t.add("Executable", exe)
	t.add("Executable flags", line{}.values(p.GetExeFlags()))
	t.addValue("Command line", p.GetCommandLine())
	t.addValue("Working dir", p.GetWorkingDirectory())
	t.add("Terminal", terminal(p))
	t.add("Process start", moment(p.GetStartTime(), r.GetEventTime()))
	if p.GetProcessGroup() != 0 {
		t.add("Process group", line{}.number(p.GetProcessGroup()))
	}
	t.add("Session", session(p.GetSession()))
	t.addValue("Environment", p.GetEnvironment())
}

// comma separates what follows from what is there, if anything is.
func (l line) comma() line {
	if len(l) == 0 {
		return l
	}
	return l.words(", ")
}

func processName(p *pb.Process) line {
	l := line{}.value(p.GetName())
	if p == nil || p.Pid == nil {
		return l
	}
	if len(l) > 0 {
		l = l.words(", ")
	}
	l = l.words("pid ").number(p.GetPid())
	if s := pidSource(p.GetPidProvenance()); s != "" {
		l = l.words(" (" + s + ")")
	}
	if p.NamespacePid != nil && p.GetNamespacePid() != p.GetPid() {
		l = l.words(", pid ").number(p.GetNamespacePid()).words(" in its namespace")
	}
	return l
}

func terminal(p *pb.Process) line {
	switch {
	case p.GetTerminal() != "":
		return line{}.value(p.GetTerminal())
	case p == nil || p.HasTerminal == nil:
		return nil
	case p.GetHasTerminal():
		return line{}.words("attached")
	default:
		return line{}.words("none")
	}
}

func session(s *pb.Session) line {
	if s == nil {
		return nil
	}
	var l line
	if s.GetName() != "" {
		l = l.words("led by ").value(s.GetName())
	}
	if s.GetExePath() != "" {
		l = l.comma().value(s.GetExePath())
	}
	if s.Id != nil {
		l = l.comma().words("id ").number(s.GetId())
	}
	if s.LoginShellPid != nil {
		l = l.comma().words("login shell pid ").number(s.GetLoginShellPid())
	}
	return l
}

func (t *table) layContainer(r *pb.Report) {
	c := r.GetContainer()
	name := line{}.value(c.GetName())
	if c.GetId() != "" {
		name = name.comma().words("id ").value(c.GetId())
	}
	if c.GetFullId() != "" {
		name = name.comma().words("full id ").value(c.GetFullId())
	}
	t.add("Container", name)
	image := line{}.value(join(":", c.GetImageRepository(), c.GetImageTag()))
	if c.GetImageDigest() != "" {
		image = image.comma().words("digest ").value(c.GetImageDigest())
	}
	t.add("Image", image)
	t.add("Container start", moment(c.GetStartTime(), r.GetEventTime()))
	if c != nil && c.Privileged != nil {
		t.add("Privileged", line{}.words(choose(c.GetPrivileged(), "yes", "no")))
	}
	t.addValue("Mounts", c.GetMounts())
}

func (t *table) layKubernetes(k *pb.Kubernetes) {
	pod := line{}.value(join("/", k.GetNamespace(), k.GetPodName()))
	if k.GetPodUid() != "" {
		pod = pod.comma().words("uid ").value(k.GetPodUid())
	}
	t.add("Pod", pod)
	q := k.GetRequest()
	t.addValue("Requested by", q.GetUser())
	request := line{}.value(q.GetVerb())
	for _, s := range []string{join("/", q.GetResource(), q.GetSubresource()), join("/", q.GetNamespace(), q.GetName())} {
		if s != "" {
			if len(request) > 0 {
				request = request.words(" ")
			}
			request = request.value(s)
		}
	}
	t.add("Request", request)
	t.addValue("Request path", q.GetUri())
	if q != nil && q.ResponseCode != nil {
		t.add("Response", line{}.words("HTTP ").number(int64(q.GetResponseCode())))
	}
	authorization := line{}.value(q.GetAuthorizationDecision())
	if q.GetAuthorizationReason() != "" {
		authorization = authorization.comma().value(q.GetAuthorizationReason())
	}
	t.add("Authorization", authorization)
	t.addValue("User agent", q.GetUserAgent())
}

func (t *table) layNetwork(n *pb.Network) {
	t.addValue("Connection", n.GetConnection())
	t.add("Protocol", line{}.values(present(n.GetProtocol(), n.GetFamily())))
	t.add("Client", endpoint(n.GetClient()))
	t.add("Server", endpoint(n.GetServer()))
	t.add("Local end", endpoint(n.GetLocal()))
	t.add("Remote end", endpoint(n.GetRemote()))
}

// present are the texts that are there.
func present(list ...string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}

func endpoint(e *pb.Endpoint) line {
	l := line{}.value(e.GetAddress())
	if e != nil && e.Port != nil {
		l = l.comma().words("port " + strconv.FormatUint(uint64(e.GetPort()), 10))
	}
	if e.GetName() != "" {
		l = l.comma().words("name ").value(e.GetName())
	}
	return l
}

func (t *table) layFile(f *pb.File) {
	t.addValue("File", f.GetPath())
	if f.GetRawPath() != f.GetPath() {
		t.addValue("Path as given", f.GetRawPath())
	}
	t.addValue("New path", f.GetNewPath())
	t.addValue("Link target", f.GetTarget())
	t.addValue("File mode", f.GetMode())
}
