package render

import pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"

// Here every message of the schema is written, field by field in the schema's order. The
// getters are not used: m is never nil here.

func (w *jsonWriter) report(r *pb.Report) {
	if r == nil {
		return
	}
	w.text("id", r.Id)
	w.uint32("revision", r.Revision)
	w.flag("closed", r.Closed)
	w.time("event_time", r.EventTime)
	w.time("received_time", r.ReceivedTime)
	w.text("host", r.Host)
	writeObject(w, "urgency", r.Urgency, (*jsonWriter).urgency)
	w.text("title", r.Title)
	w.text("summary", r.Summary)
	writeObjects(w, "shown", r.Shown, (*jsonWriter).finding)
	w.texts("not_shown", r.NotShown)
	w.texts("harmless_if", r.HarmlessIf)
	w.texts("possible_impact", r.PossibleImpact)
	writeObjects(w, "actions", r.Actions, (*jsonWriter).action)
	writeObject(w, "rule", r.Rule, (*jsonWriter).rule)
	w.text("priority", r.Priority)
	w.text("source", r.Source)
	w.texts("tags", r.Tags)
	w.enum("alert_kind", pb.AlertKind_name, int32(r.AlertKind))
	w.enum("workload", pb.Workload_name, int32(r.Workload))
	writeObject(w, "event", r.Event, (*jsonWriter).event)
	writeObject(w, "process", r.Process, (*jsonWriter).process)
	writeObjects(w, "ancestry", r.Ancestry, (*jsonWriter).ancestor)
	w.flag("ancestry_complete", r.AncestryComplete)
	writeObject(w, "user", r.User, (*jsonWriter).user)
	writeObject(w, "container", r.Container, (*jsonWriter).container)
	writeObject(w, "kubernetes", r.Kubernetes, (*jsonWriter).kubernetes)
	writeObject(w, "network", r.Network, (*jsonWriter).network)
	writeObject(w, "file", r.File, (*jsonWriter).file)
	writeObject(w, "attack", r.Attack, (*jsonWriter).attack)
	writeObjects(w, "alerts", r.Alerts, (*jsonWriter).alertGroup)
	writeObjects(w, "redactions", r.Redactions, (*jsonWriter).redaction)
	writeObject(w, "alert", r.Alert, (*jsonWriter).alert)
	w.text("meaning", r.Meaning)
	w.texts("ancestry_notes", r.AncestryNotes)
	writeObject(w, "login", r.Login, (*jsonWriter).login)
	writeObjects(w, "timeline", r.Timeline, (*jsonWriter).timelineEntry)
	writeObjects(w, "processes", r.Processes, (*jsonWriter).processNode)
	w.text("revision_reason", r.RevisionReason)
	writeObject(w, "silence", r.Silence, (*jsonWriter).silence)
}

func (w *jsonWriter) urgency(m *pb.Urgency) {
	w.enum("level", pb.UrgencyLevel_name, int32(m.Level))
	w.text("why", m.Why)
	w.flag("late", m.Late)
}

func (w *jsonWriter) finding(m *pb.Finding) {
	w.text("statement", m.Statement)
	w.texts("evidence", m.Evidence)
	w.enum("confidence", pb.Confidence_name, int32(m.Confidence))
	w.texts("alert_ids", m.AlertIds)
}

func (w *jsonWriter) action(m *pb.Action) {
	w.enum("phase", pb.Phase_name, int32(m.Phase))
	w.text("title", m.Title)
	w.text("why", m.Why)
	w.text("language", m.Language)
	w.text("snippet", m.Snippet)
	w.text("tool", m.Tool)
	w.text("reference", m.Reference)
}

func (w *jsonWriter) rule(m *pb.Rule) {
	w.text("name", m.Name)
	w.text("description", m.Description)
	w.text("condition", m.Condition)
	w.text("maturity", m.Maturity)
	w.text("file", m.File)
}

func (w *jsonWriter) event(m *pb.Event) {
	w.text("type", m.Type)
	w.text("result", m.Result)
	w.enum("outcome", pb.Outcome_name, int32(m.Outcome))
	w.textMap("arguments", m.Arguments)
}

func (w *jsonWriter) process(m *pb.Process) {
	w.optionalInt64("pid", m.Pid)
	w.optionalInt64("namespace_pid", m.NamespacePid)
	w.text("name", m.Name)
	w.text("exe_path", m.ExePath)
	w.text("command_line", m.CommandLine)
	w.text("working_directory", m.WorkingDirectory)
	w.time("start_time", m.StartTime)
	w.text("terminal", m.Terminal)
	w.optionalFlag("has_terminal", m.HasTerminal)
	w.texts("exe_flags", m.ExeFlags)
	w.optionalFlag("exe_from_memfd", m.ExeFromMemfd)
	w.optionalFlag("exe_upper_layer", m.ExeUpperLayer)
	w.text("environment", m.Environment)
	w.optionalInt64("process_group", m.ProcessGroup)
	writeObject(w, "session", m.Session, (*jsonWriter).session)
	w.text("systemd_unit", m.SystemdUnit)
	w.enum("pid_provenance", pb.Provenance_name, int32(m.PidProvenance))
}

func (w *jsonWriter) session(m *pb.Session) {
	w.optionalInt64("id", m.Id)
	w.text("name", m.Name)
	w.text("exe_path", m.ExePath)
	w.optionalInt64("login_shell_pid", m.LoginShellPid)
}

func (w *jsonWriter) ancestor(m *pb.Ancestor) {
	w.uint32("level", m.Level)
	w.optionalInt64("pid", m.Pid)
	w.text("name", m.Name)
	w.text("exe_path", m.ExePath)
	w.text("command_line", m.CommandLine)
	writeObject(w, "user", m.User, (*jsonWriter).user)
	w.time("start_time", m.StartTime)
	w.enum("provenance", pb.Provenance_name, int32(m.Provenance))
	w.optionalInt64("namespace_pid", m.NamespacePid)
	w.enum("workload", pb.Workload_name, int32(m.Workload))
	w.text("container_id", m.ContainerId)
	w.text("systemd_unit", m.SystemdUnit)
	w.flag("ended", m.Ended)
}

func (w *jsonWriter) login(m *pb.Login) {
	w.flag("remote", m.Remote)
	w.text("service", m.Service)
	w.text("session", m.Session)
	w.texts("evidence", m.Evidence)
}

func (w *jsonWriter) timelineEntry(m *pb.TimelineEntry) {
	w.time("time", m.Time)
	w.text("statement", m.Statement)
	w.texts("evidence", m.Evidence)
	w.text("alert_id", m.AlertId)
	w.text("rule", m.Rule)
}

func (w *jsonWriter) processNode(m *pb.ProcessNode) {
	w.uint32("parent", m.Parent)
	writeObject(w, "process", m.Process, (*jsonWriter).ancestor)
	w.texts("alert_ids", m.AlertIds)
	w.flag("gap", m.Gap)
}

func (w *jsonWriter) silence(m *pb.Silence) {
	w.text("reason", m.Reason)
	w.text("author", m.Author)
	w.time("until", m.Until)
	w.flag("expired", m.Expired)
}

func (w *jsonWriter) user(m *pb.User) {
	w.optionalUint32("uid", m.Uid)
	w.text("name", m.Name)
	w.optionalUint32("login_uid", m.LoginUid)
	w.text("login_name", m.LoginName)
	w.optionalUint32("gid", m.Gid)
	w.text("group", m.Group)
}

func (w *jsonWriter) container(m *pb.Container) {
	w.text("id", m.Id)
	w.text("full_id", m.FullId)
	w.text("name", m.Name)
	w.text("image_repository", m.ImageRepository)
	w.text("image_tag", m.ImageTag)
	w.text("image_digest", m.ImageDigest)
	w.optionalFlag("privileged", m.Privileged)
	w.time("start_time", m.StartTime)
	w.text("mounts", m.Mounts)
}

func (w *jsonWriter) kubernetes(m *pb.Kubernetes) {
	w.text("namespace", m.Namespace)
	w.text("pod_name", m.PodName)
	w.text("pod_uid", m.PodUid)
	writeObject(w, "request", m.Request, (*jsonWriter).kubernetesRequest)
}

func (w *jsonWriter) kubernetesRequest(m *pb.KubernetesRequest) {
	w.text("user", m.User)
	w.text("verb", m.Verb)
	w.text("resource", m.Resource)
	w.text("subresource", m.Subresource)
	w.text("namespace", m.Namespace)
	w.text("name", m.Name)
	w.text("uri", m.Uri)
	w.optionalUint32("response_code", m.ResponseCode)
	w.text("authorization_decision", m.AuthorizationDecision)
	w.text("authorization_reason", m.AuthorizationReason)
	w.text("user_agent", m.UserAgent)
}

func (w *jsonWriter) network(m *pb.Network) {
	w.text("connection", m.Connection)
	w.text("protocol", m.Protocol)
	w.text("family", m.Family)
	writeObject(w, "client", m.Client, (*jsonWriter).endpoint)
	writeObject(w, "server", m.Server, (*jsonWriter).endpoint)
	writeObject(w, "local", m.Local, (*jsonWriter).endpoint)
	writeObject(w, "remote", m.Remote, (*jsonWriter).endpoint)
}

func (w *jsonWriter) endpoint(m *pb.Endpoint) {
	w.text("address", m.Address)
	w.optionalUint32("port", m.Port)
	w.text("name", m.Name)
}

func (w *jsonWriter) file(m *pb.File) {
	w.text("path", m.Path)
	w.text("raw_path", m.RawPath)
	w.text("new_path", m.NewPath)
	w.text("target", m.Target)
	w.text("mode", m.Mode)
}

func (w *jsonWriter) attack(m *pb.Attack) {
	w.text("version", m.Version)
	writeObjects(w, "tactics", m.Tactics, (*jsonWriter).tactic)
	writeObjects(w, "techniques", m.Techniques, (*jsonWriter).technique)
	w.texts("unresolved_tags", m.UnresolvedTags)
}

func (w *jsonWriter) tactic(m *pb.Tactic) {
	w.text("id", m.Id)
	w.text("name", m.Name)
	w.text("description", m.Description)
	w.text("url", m.Url)
}

func (w *jsonWriter) technique(m *pb.Technique) {
	w.text("id", m.Id)
	w.text("name", m.Name)
	w.text("parent_name", m.ParentName)
	w.text("description", m.Description)
	w.text("url", m.Url)
	writeObjects(w, "tactics", m.Tactics, (*jsonWriter).tactic)
	writeObjects(w, "mitigations", m.Mitigations, (*jsonWriter).mitigation)
	w.text("tagged_id", m.TaggedId)
}

func (w *jsonWriter) mitigation(m *pb.Mitigation) {
	w.text("id", m.Id)
	w.text("name", m.Name)
	w.text("url", m.Url)
}

func (w *jsonWriter) alertGroup(m *pb.AlertGroup) {
	w.text("rule", m.Rule)
	w.text("priority", m.Priority)
	writeObject(w, "occurrences", m.Occurrences, (*jsonWriter).occurrences)
	writeObjects(w, "samples", m.Samples, (*jsonWriter).alertSample)
}

func (w *jsonWriter) occurrences(m *pb.Occurrences) {
	w.uint64("count", m.Count)
	w.time("first_time", m.FirstTime)
	w.time("last_time", m.LastTime)
	w.uint64("distinct", m.Distinct)
}

func (w *jsonWriter) alertSample(m *pb.AlertSample) {
	w.text("id", m.Id)
	w.time("time", m.Time)
	w.textMap("fields", m.Fields)
	w.text("joined_because", m.JoinedBecause)
}

func (w *jsonWriter) redaction(m *pb.Redaction) {
	w.text("kind", m.Kind)
	w.uint32("count", m.Count)
}

func (w *jsonWriter) alert(m *pb.Alert) {
	w.text("id", m.Id)
	w.time("time", m.Time)
	w.text("rule", m.Rule)
	w.text("priority", m.Priority)
	w.text("source", m.Source)
	w.text("hostname", m.Hostname)
	w.text("output", m.Output)
	w.texts("tags", m.Tags)
	w.textMap("output_fields", m.OutputFields)
	w.texts("unset_fields", m.UnsetFields)
	w.text("uuid", m.Uuid)
	w.textMap("extra", m.Extra)
	w.text("input", m.Input)
}
