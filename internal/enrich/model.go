package enrich

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// hostContainer is what Falco calls the container id of a process on the host.
const hostContainer = "host"

// stamp is the protobuf form of a time, nil for the zero time.
func stamp(t time.Time, ok bool) *timestamppb.Timestamp {
	if !ok || t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// optionalInt is a pointer to the field's integer, nil without one.
func optionalInt(a *alert.Alert, field string) *int64 {
	if n, ok := a.Int(field); ok {
		return &n
	}
	return nil
}

// optionalID is a pointer to the field's unsigned number, nil without one.
func optionalID(a *alert.Alert, field string) *uint32 {
	if n, ok := a.Uint32(field); ok {
		return &n
	}
	return nil
}

// optionalBool is a pointer to the field's truth value, nil without one.
func optionalBool(a *alert.Alert, field string) *bool {
	if v, ok := a.Bool(field); ok {
		return &v
	}
	return nil
}

// orNil is m, or nil if nothing in it is set.
func orNil[M interface {
	comparable
	proto.Message
}](m M) M {
	var none M
	if proto.Size(m) == 0 {
		return none
	}
	return m
}

func workloadOf(a *alert.Alert) pb.Workload {
	switch id := a.String("container.id"); {
	case id == hostContainer:
		return pb.Workload_WORKLOAD_HOST
	case id != "" || a.String("container.name") != "" || a.String("k8s.pod.name") != "":
		// A rule may print the name alone, which on the host is "host"; but anybody can give a
		// container that name, so that with an id or an image it is one.
		if id == "" && a.String("container.name") == hostContainer && a.String("container.image.repository") == "" && a.String("k8s.pod.name") == "" {
			return pb.Workload_WORKLOAD_HOST
		}
		return pb.Workload_WORKLOAD_CONTAINER
	default:
		return pb.Workload_WORKLOAD_UNSPECIFIED
	}
}

func eventOf(a *alert.Alert) *pb.Event {
	e := &pb.Event{Type: a.String("evt.type"), Result: a.String("evt.res")}
	if e.Result == "" {
		e.Result = resultInArgs(a.String("evt.args"))
	}
	e.Outcome = outcomeOf(e.Result)
	for _, f := range a.Fields() {
		name, ok := strings.CutPrefix(f.Name, "evt.arg.")
		if !ok {
			if name, ok = strings.CutPrefix(f.Name, "evt.arg["); !ok {
				continue
			}
			name = strings.TrimSuffix(name, "]")
		}
		if alert.Absent(f.Name, f.Value) {
			continue
		}
		if e.Arguments == nil {
			e.Arguments = make(map[string]string)
		}
		e.Arguments[name] = f.Value.Text()
	}
	return orNil(e)
}

// resultInArgs reads the result out of evt.args, which begins with it for most calls:
// "res=-21(EISDIR) …" or "res=0 …". What follows is chosen by the process, so that nothing but
// the beginning is believed.
func resultInArgs(args string) string {
	res, ok := strings.CutPrefix(args, "res=")
	if !ok {
		return ""
	}
	res, _, _ = strings.Cut(res, " ")
	number, name, _ := strings.Cut(strings.TrimSuffix(res, ")"), "(")
	switch n, err := strconv.Atoi(number); {
	case err != nil:
		return ""
	case n >= 0:
		return "SUCCESS"
	case strings.HasPrefix(name, "E"):
		return name
	default:
		return ""
	}
}

// outcomeOf reads evt.res: "SUCCESS", or the name of an error number. Falco prints SUCCESS
// for every result that is not negative.
func outcomeOf(result string) pb.Outcome {
	switch {
	case result == "":
		return pb.Outcome_OUTCOME_UNSPECIFIED
	case result == "SUCCESS":
		return pb.Outcome_OUTCOME_SUCCEEDED
	case result == "EPERM" || result == "EACCES":
		return pb.Outcome_OUTCOME_REFUSED
	case result == "EINPROGRESS": // a connection that is being made, as is normal for connect
		return pb.Outcome_OUTCOME_UNSPECIFIED
	case strings.HasPrefix(result, "E"):
		return pb.Outcome_OUTCOME_FAILED
	default:
		return pb.Outcome_OUTCOME_UNSPECIFIED
	}
}

func processOf(a *alert.Alert) *pb.Process {
	p := &pb.Process{
		Pid:              optionalInt(a, "proc.pid"),
		NamespacePid:     optionalInt(a, "proc.vpid"),
		Name:             a.String("proc.name"),
		ExePath:          a.String("proc.exepath"),
		CommandLine:      a.String("proc.cmdline"),
		WorkingDirectory: a.String("proc.cwd"),
		StartTime:        stamp(a.FieldTime("proc.pid.ts")),
		ExeFromMemfd:     optionalBool(a, "proc.is_exe_from_memfd"),
		ExeUpperLayer:    optionalBool(a, "proc.is_exe_upper_layer"),
		Environment:      a.String("proc.env"),
		ProcessGroup:     optionalInt(a, "proc.vpgid"),
	}
	// A process that Falco has lost sight of comes with a terminal of 0: that is not
	// knowledge of no terminal.
	if tty, ok := a.Int("proc.tty"); ok && (tty != 0 || p.Name != "") {
		has := tty != 0
		p.HasTerminal = &has
		if has {
			p.Terminal = terminalName(tty)
		}
	}
	if isExec(a.String("evt.type")) {
		for flag := range strings.SplitSeq(a.String("evt.arg.flags"), "|") {
			if strings.HasPrefix(flag, "EXE_") {
				p.ExeFlags = append(p.ExeFlags, flag)
			}
		}
	}
	p.Session = orNil(&pb.Session{
		Id:            optionalInt(a, "proc.sid"),
		Name:          a.String("proc.sname"),
		ExePath:       a.String("proc.sid.exepath"),
		LoginShellPid: optionalInt(a, "proc.loginshellid"),
	})
	return orNil(p)
}

// isExec reports whether a system call starts a program.
func isExec(syscall string) bool { return syscall == "execve" || syscall == "execveat" }

func userOf(a *alert.Alert) *pb.User {
	return orNil(&pb.User{
		Uid:       optionalID(a, "user.uid"),
		Name:      a.String("user.name"),
		LoginUid:  optionalID(a, "user.loginuid"),
		LoginName: a.String("user.loginname"),
		Gid:       optionalID(a, "group.gid"),
		Group:     a.String("group.name"),
	})
}

// containerOf is nil on the host, where Falco fills some of these fields with the host's own
// name and boot time.
func containerOf(a *alert.Alert, w pb.Workload) *pb.Container {
	if w != pb.Workload_WORKLOAD_CONTAINER {
		return nil
	}
	return orNil(&pb.Container{
		Id:              a.String("container.id"),
		FullId:          a.String("container.full_id"),
		Name:            a.String("container.name"),
		ImageRepository: a.String("container.image.repository"),
		ImageTag:        a.String("container.image.tag"),
		ImageDigest:     a.String("container.image.digest"),
		Privileged:      optionalBool(a, "container.privileged"),
		StartTime:       stamp(a.FieldTime("container.start_ts")),
		Mounts:          a.String("container.mounts"),
	})
}

func kubernetesOf(a *alert.Alert) *pb.Kubernetes {
	return orNil(&pb.Kubernetes{
		Namespace: a.String("k8s.ns.name"),
		PodName:   a.String("k8s.pod.name"),
		PodUid:    a.String("k8s.pod.uid"),
		Request: orNil(&pb.KubernetesRequest{
			User:                  a.String("ka.user.name"),
			Verb:                  a.String("ka.verb"),
			Resource:              a.String("ka.target.resource"),
			Subresource:           a.String("ka.target.subresource"),
			Namespace:             a.String("ka.target.namespace"),
			Name:                  cmp.Or(a.String("ka.target.name"), a.String("ka.resp.name")),
			Uri:                   a.String("ka.uri"),
			ResponseCode:          optionalID(a, "ka.response.code"),
			AuthorizationDecision: a.String("ka.auth.decision"),
			AuthorizationReason:   a.String("ka.auth.reason"),
			UserAgent:             a.String("ka.useragent"),
		}),
	})
}

func networkOf(a *alert.Alert) *pb.Network {
	n := &pb.Network{
		Protocol: a.String("fd.l4proto"),
		Client:   endpointOf(a, "fd.c"),
		Server:   endpointOf(a, "fd.s"),
		Local:    endpointOf(a, "fd.l"),
		Remote:   endpointOf(a, "fd.r"),
	}
	switch kind := a.String("fd.type"); kind {
	case "ipv4", "ipv6", "unix":
		n.Family = kind
	default:
	}
	name := a.String("fd.name")
	if strings.HasPrefix(name, "/") || proto.Size(n) == 0 && !strings.Contains(name, "->") {
		name = "" // a file, whatever is in its name
	}
	n.Connection = name
	return orNil(n)
}

// endpointOf reads one end of a connection: fd.cip, fd.cport and fd.cip.name, for example.
func endpointOf(a *alert.Alert, prefix string) *pb.Endpoint {
	return orNil(&pb.Endpoint{
		Address: a.String(prefix + "ip"),
		Port:    optionalID(a, prefix+"port"),
		Name:    a.String(prefix + "ip.name"),
	})
}

func fileOf(a *alert.Alert) *pb.File {
	f := &pb.File{
		RawPath: a.String("fd.nameraw"),
		Target:  a.String("evt.arg.target"),
		NewPath: cmp.Or(a.String("evt.arg.newpath"), a.String("evt.arg.linkpath")),
		Mode:    a.String("evt.arg.mode"),
	}
	switch name := a.String("fd.name"); {
	case strings.HasPrefix(name, "/"):
		f.Path = name // connections begin with an address, unix sockets with a number
	case a.String("fd.type") != "" || strings.Contains(name, "->"):
	default:
		for _, arg := range [...]string{"evt.arg.path", "evt.arg.oldpath", "evt.arg.filename", "evt.arg.name"} {
			if v := a.String(arg); v != "" {
				f.Path = v
				break
			}
		}
	}
	switch call := a.String("evt.type"); {
	case f.Path != "" || f.NewPath != "":
	case strings.HasPrefix(call, "rename"):
		f.Path, f.NewPath = renameInArgs(a.String("evt.args"))
	default:
		f.Path = pathInArgs(call, a.String("evt.args"))
	}
	if f.Path == "" && f.RawPath == "" && f.NewPath == "" && f.Target == "" {
		return nil // a mode alone is no file
	}
	return f
}

// pathInArgs reads the path out of evt.args for calls whose only text it is: "res=… dirfd=…
// name=/a/b flags=0". The path is the process's choice and may look like more arguments: it is
// taken whole, up to the last that Falco prints behind it.
func pathInArgs(call, args string) string {
	switch call {
	case "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat":
	default:
		return ""
	}
	for _, key := range [...]string{" name=", " path="} {
		_, path, ok := strings.Cut(args, key)
		if !ok {
			continue
		}
		for _, behind := range [...]string{" flags=", " mode="} {
			if i := strings.LastIndex(path, behind); i >= 0 {
				path = path[:i]
			}
		}
		return strings.TrimSpace(path)
	}
	return ""
}

// renameInArgs reads both paths out of evt.args: "res=0 olddirfd=… oldpath=/a newdirfd=…
// newpath=/b flags=0". Where a path has such words in itself, it is not known where one ends.
func renameInArgs(args string) (from, to string) {
	for _, key := range [...]string{" oldpath=", " newpath=", " newdirfd=", " flags="} {
		if n := strings.Count(args, key); n > 1 || n == 0 && strings.HasSuffix(key, "path=") {
			return "", ""
		}
	}
	_, rest, _ := strings.Cut(args, " oldpath=")
	from, to, ok := strings.Cut(rest, " newpath=")
	if !ok {
		return "", ""
	}
	from, _, _ = strings.Cut(from, " newdirfd=")
	to, _, _ = strings.Cut(to, " flags=")
	return strings.TrimSpace(from), strings.TrimSpace(to)
}

// alertOf is the alert itself, every field.
func alertOf(a *alert.Alert) *pb.Alert {
	out := &pb.Alert{
		Id:           string(a.ID),
		Time:         timestamppb.New(a.Time()),
		Rule:         a.Rule,
		Priority:     a.Priority.String(),
		Source:       a.Source,
		Hostname:     a.Hostname,
		Output:       a.Output,
		Tags:         a.Tags,
		OutputFields: make(map[string]string, len(a.Fields())),
		Uuid:         a.UUID,
		Input:        a.Input,
	}
	for _, f := range a.Fields() {
		if alert.Absent(f.Name, f.Value) {
			out.UnsetFields = append(out.UnsetFields, f.Name)
			continue
		}
		out.OutputFields[f.Name] = f.Value.Text()
	}
	for _, f := range a.Extra {
		if out.Extra == nil {
			out.Extra = make(map[string]string, len(a.Extra))
		}
		out.Extra[f.Name] = f.Value.JSON()
	}
	return out
}

// keyFields tell one alert of a rule from another.
func keyFields(a *alert.Alert) map[string]string {
	out := make(map[string]string)
	for _, name := range [...]string{"proc.cmdline", "fd.name", "evt.type", "evt.res", "user.name", "container.id", "ka.user.name", "ka.verb", "ka.target.name"} {
		if v, ok := a.Text(name); ok {
			out[name] = v
		}
	}
	return out
}
