package enrich

import (
	"net/netip"
	"strconv"
	"strings"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"

	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// touched is a path of the event, and how the event touches it.
type touched struct {
	path, field string
	writes      bool   // the call changes it
	how         string // "" or how else, as "A second name for"
}

// touches are the paths of the event. A rename changes both its ends; a link makes a second
// name for the old one, a symlink points at its target.
func (s *scene) touches() []touched {
	f, call := s.r.GetFile(), s.r.GetEvent().GetType()
	field := "fd.name"
	if _, ok := s.a.Text(field); !ok {
		field = "evt.arg." + s.pathArgument(f.GetPath())
	}
	if _, ok := s.a.Text(field); !ok {
		field = "evt.args"
	}
	first := touched{path: f.GetPath(), field: field, writes: s.writes()}
	second := touched{path: f.GetNewPath(), field: "evt.arg.newpath", writes: true}
	if _, ok := s.a.Text(second.field); !ok {
		second.field = "evt.args"
	}
	switch {
	case strings.HasPrefix(call, "link"):
		first.writes, first.how = false, "A second name for"
	case strings.HasPrefix(call, "symlink"):
		return []touched{{path: f.GetTarget(), field: "evt.arg.target", how: "A link to"}, {path: f.GetNewPath(), field: "evt.arg.linkpath", writes: true}}
	default:
	}
	return []touched{first, second}
}

// findPlace: what the files hold that the event touches.
func (s *scene) findPlace() {
	for _, t := range s.touches() {
		p, ok := placeOf(t.path)
		if !ok {
			continue
		}
		s.show(likely, phrase.Quote(t.path)+" "+p.tells()+".", t.field)
		readOnly := !t.writes && t.how == "" && s.openedFor().read
		switch {
		case s.didNotHappen():
		case s.routine != "" && isEngineStorage(t.path): // a file of an image
		case p.disk:
			s.raiseDisk(t)
		case p.programs && t.writes:
			s.raisePrograms()
		case p.grave && t.writes && s.outcome() == pb.Outcome_OUTCOME_SUCCEEDED:
			s.raise(page, "Write access to "+p.holds+".", "a deployment changed it at that time")
		case p.grave && t.writes:
			s.raise(page, "An attempt at write access to "+p.holds+", perhaps successful.", "a deployment changed it at that time")
		case t.how != "" && (p.grave || p.secret):
			s.raise(today, t.how+" "+p.holds+".", "a backup or a package made it on purpose")
		case p.secret, p.grave && !readOnly:
			s.raise(today, "Access to "+p.holds+".", usedBy(t.path))
		default:
		}
	}
}

// raiseDisk: whoever reads or writes the device gets around the rights of every file. A device in a
// container may be a disk of the machine below it.
func (s *scene) raiseDisk(t touched) {
	whose, harmless := "a disk", "a tool for disks is at work"
	if s.r.GetWorkload() == pb.Workload_WORKLOAD_CONTAINER {
		whose, harmless = "a disk, perhaps the node's, from within a container", "the container's work is to manage disks"
		if t.writes {
			s.raise(page, "Write access to "+whose+".", harmless)
			return
		}
	}
	s.raise(today, "Access to "+whose+".", harmless)
}

// raisePrograms: a change among the system's programs. What was put there on the host from elsewhere
// pages; what is only removed or gets another name, what an installer does, and the programs of an
// ordinary container, which end with it, are for today.
func (s *scene) raisePrograms() {
	f, exe, call := s.r.GetFile(), s.r.GetProcess().GetExePath(), s.r.GetEvent().GetType()
	from, _ := placeOf(f.GetPath())
	gone := strings.HasPrefix(call, "unlink") || strings.HasPrefix(call, "rename") && from.programs
	reaches, _ := s.reach()
	installer := isInstaller(baseName(exe)) && isSystemProgram(exe) && !s.changedImage()
	done := s.outcome() == pb.Outcome_OUTCOME_SUCCEEDED
	const harmless = "a package or a deployment changed it at that time"
	switch {
	case gone && done && strings.HasPrefix(call, "unlink"):
		s.raise(today, "A program of the system was removed.", harmless)
	case gone && done:
		s.raise(today, "A program of the system got another name.", harmless)
	case gone && strings.HasPrefix(call, "unlink"):
		s.raise(today, "A program of the system is to be removed.", harmless)
	case gone:
		s.raise(today, "A program of the system is to get another name.", harmless)
	case !done:
		s.raise(today, "An attempt at write access to the system's programs, perhaps successful.", harmless)
	case installer || reaches != yes:
		s.raise(today, "Write access to the system's programs.", harmless)
	default:
		s.raise(page, "Write access to the system's programs on the host.", harmless)
	}
}

// findModule: code for the kernel, which the host and all its containers share.
func (s *scene) findModule() {
	call := s.r.GetEvent().GetType()
	if call != "init_module" && call != "finit_module" || s.didNotHappen() {
		return
	}
	s.show(certain, "The call is for loading a module into the kernel, which the host and its containers share.", "evt.type")
	done := s.outcome() == pb.Outcome_OUTCOME_SUCCEEDED
	const harmless = "a driver or a network plugin loads this module"
	switch {
	case !done:
		s.raise(today, "A kernel module was perhaps loaded.", harmless)
	case s.installedModule():
		s.raise(today, "A kernel module was loaded, seemingly an installed one.", harmless)
	case s.r.GetWorkload() == pb.Workload_WORKLOAD_CONTAINER:
		s.raise(page, "A kernel module was loaded from within a container.", harmless)
	case s.namesOpenPlace():
		s.raise(page, "A kernel module was loaded, seemingly from a folder where every user can write.", harmless)
	default:
		s.raise(today, "A kernel module was loaded.", harmless)
	}
}

// namesOpenPlace reports whether an argument lies where every user can write.
func (s *scene) namesOpenPlace() bool {
	for word := range strings.FieldsSeq(s.r.GetProcess().GetCommandLine()) {
		if openPlace(word) != "" {
			return true
		}
	}
	return false
}

// installedModule reports whether modprobe was told to load a module by its name: it takes those
// from where the system installs them, unless an option says another folder.
func (s *scene) installedModule() bool {
	p := s.r.GetProcess()
	switch p.GetExePath() {
	case "/sbin/modprobe", "/usr/sbin/modprobe", "/bin/kmod", "/usr/bin/kmod", "/bin/busybox":
	default:
		return false
	}
	return p.GetName() == "modprobe" && !strings.Contains(p.GetCommandLine(), "/") && !strings.Contains(p.GetCommandLine(), " -d") && !s.changedImage()
}

// usedBy is who has an ordinary use for a sensitive file, as a condition.
func usedBy(path string) string {
	if strings.HasPrefix(path, "/proc/") {
		return "a tool for debugging or monitoring reads it"
	}
	return "a login or a backup uses it"
}

// pathArgument is the argument of the event that the path came from.
func (s *scene) pathArgument(path string) string {
	for _, name := range [...]string{"path", "oldpath", "filename", "name"} {
		if s.r.GetEvent().GetArguments()[name] == path {
			return name
		}
	}
	return "name"
}

// writes reports whether the file is changed: an open for writing, as the fields or the rule's
// condition say, or a call that changes by its nature.
func (s *scene) writes() bool {
	switch call := s.r.GetEvent().GetType(); {
	case strings.HasPrefix(call, "open"):
		return s.openedFor().write
	case strings.HasPrefix(call, "rename"), strings.HasPrefix(call, "unlink"), call == "creat":
		return true
	default:
		return false
	}
}

// end is one end of a connection, as far as the fields say which.
type end struct {
	what, field string
	addr        netip.Addr
}

// ends are the ends of the connection with an address: the other end where Falco says which it
// is, and otherwise the server's and the client's.
func (s *scene) ends() []end {
	n := s.r.GetNetwork()
	parse := func(out []end, what, field string, e *pb.Endpoint) []end {
		if addr, err := netip.ParseAddr(e.GetAddress()); err == nil {
			out = append(out, end{what, field, addr.Unmap()})
		}
		return out
	}
	// With both ends on this host Falco may swap local and remote; both are the host then.
	if out := parse(nil, "The other end", "fd.rip", n.GetRemote()); out != nil {
		return out
	}
	out := parse(parse(nil, "The server's end", "fd.sip", n.GetServer()), "The client's end", "fd.cip", n.GetClient())
	if client, server, ok := strings.Cut(n.GetConnection(), "->"); ok && len(out) < 2 {
		out = nil
		if addr, err := netip.ParseAddrPort(server); err == nil {
			out = append(out, end{"The server's end", "fd.name", addr.Addr().Unmap()})
		}
		if addr, err := netip.ParseAddrPort(client); err == nil {
			out = append(out, end{"The client's end", "fd.name", addr.Addr().Unmap()})
		}
	}
	return out
}

// withinHost reports whether every end that is known is this host itself, and one is known.
func (s *scene) withinHost() bool {
	ends := s.ends()
	for _, e := range ends {
		if !e.addr.IsLoopback() {
			return false
		}
	}
	return len(ends) > 0
}

// findPeer: how far the ends of the connection are.
func (s *scene) findPeer() {
	ends := s.ends()
	if s.withinHost() {
		ends = ends[:1]
	}
	for _, e := range ends {
		s.show(certain, e.what+" of the connection, "+e.addr.String()+", is "+scope(e.addr)+".", e.field)
		if s.peerFinding == nil {
			s.peerFinding = s.lastShown()
		}
		if e.addr == metadataService() && e.what != "The client's end" {
			s.raise(today, "Access to the cloud's metadata service, which hands out credentials.", "a cloud tool asks for its own credentials")
		}
	}
	if n := s.r.GetNetwork(); len(ends) == 0 && n.GetFamily() == "unix" {
		s.show(certain, "The connection is a unix socket: it does not leave the machine.", "fd.type")
	}
}

// metadataService is the address at which AWS, Google Cloud, Azure and others serve an
// instance its metadata.
func metadataService() netip.Addr { return netip.AddrFrom4([4]byte{169, 254, 169, 254}) }

// scope says how far an address reaches.
func scope(addr netip.Addr) string {
	switch {
	case addr == metadataService():
		return "the metadata service of a cloud instance"
	case addr.IsLoopback():
		return "loopback: it does not leave the machine"
	case addr.IsUnspecified():
		return "no particular host"
	case addr.IsPrivate():
		return "a private address"
	case addr.IsLinkLocalUnicast():
		return "a link-local address"
	case addr.IsMulticast():
		return "a multicast address"
	case isSpecial(addr):
		return "an address for special purposes"
	default:
		return "a public address"
	}
}

// isSpecial reports whether an address lies in a range of IANA's special-purpose registries
// that is not routed in the internet, beyond those that netip knows.
func isSpecial(addr netip.Addr) bool {
	for _, prefix := range [...]string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"100::/64", "2001:db8::/32", "fc00::/7",
	} {
		if netip.MustParsePrefix(prefix).Contains(addr) {
			return true
		}
	}
	return false
}

// findRequest: what the Kubernetes API answered.
func (s *scene) findRequest() {
	q := s.r.GetKubernetes().GetRequest()
	if q == nil {
		return
	}
	anonymous := q.GetUser() == "system:anonymous"
	if anonymous {
		s.show(certain, "The request came without credentials (system:anonymous).", "ka.user.name")
	}
	s.findAdminBinding(q)
	switch code := q.GetResponseCode(); {
	case q.GetAuthorizationDecision() == "forbid" || code == 401 || code == 403:
		s.show(certain, "The API server refused it.", "ka.response.code", "ka.auth.decision")
		s.notShown("That it succeeded: the request was refused.")
	case code >= 400:
		s.show(certain, "The API server answered with HTTP "+strconv.FormatUint(uint64(code), 10)+".", "ka.response.code")
		s.notShown("That it succeeded: the request failed.")
	case code >= 300:
		s.show(certain, "The API server answered with HTTP "+strconv.FormatUint(uint64(code), 10)+".", "ka.response.code")
	case granted(code):
		s.show(certain, "The API server granted it (HTTP "+strconv.FormatUint(uint64(code), 10)+").", "ka.response.code")
		if anonymous {
			s.raise(page, "A request without credentials was granted.", "such requests are allowed without credentials on purpose")
		}
		if sub := q.GetSubresource(); sub == "exec" || sub == "attach" {
			s.raise(today, "Somebody entered a pod.", "an administrator was at work in the pod")
		}
	default:
		s.notShown("Whether it succeeded: the alert has no response.")
	}
}

// adminRule is Falco's own rule for the binding of cluster-admin. It does not print the role.
const adminRule = "Attach to cluster-admin Role"

// findAdminBinding: all rights over the cluster are to be given to somebody.
func (s *scene) findAdminBinding(q *pb.KubernetesRequest) {
	evidence := ""
	switch {
	case s.a.String("ka.req.binding.role") == "cluster-admin":
		s.show(certain, "It asks to give all rights over the cluster (the role cluster-admin).", "ka.req.binding.role", "ka.req.binding.subjects")
	case s.a.Rule == adminRule && (s.rule.Name == "" || strings.Contains(s.rule.Condition, "ka.req.binding.role=cluster-admin")):
		evidence = "ka.req.binding.subjects"
		s.show(likely, "It asks to give all rights over the cluster, as the rule says (the role cluster-admin).", evidence)
	default:
		return
	}
	if granted(q.GetResponseCode()) {
		s.raise(page, "All rights over the cluster were given.", "an administrator is being added to the cluster")
		return
	}
	s.raise(today, "All rights over the cluster were asked for.", "an administrator is being added to the cluster")
}

// granted reports whether an HTTP status says that a request was granted: 2xx, or 101, with
// which exec, attach and port-forward begin.
func granted(code uint32) bool { return code == 101 || code >= 200 && code < 300 }

// findMode: what a change of mode makes of a file.
func (s *scene) findMode() {
	call, mode := s.r.GetEvent().GetType(), s.r.GetEvent().GetArguments()["mode"]
	if strings.HasPrefix(call, "open") || call == "creat" {
		if n, err := strconv.ParseUint(mode, 8, 16); err == nil && n&0o111 != 0 && !s.didNotHappen() {
			s.show(certain, "The open gives a new file execute bits (mode "+mode+").", "evt.arg.mode")
		}
		return
	}
	if !strings.Contains(call, "chmod") || s.didNotHappen() {
		return
	}
	is, has := "is asked for", "would run" // without a result
	if s.outcome() == pb.Outcome_OUTCOME_SUCCEEDED {
		is, has = "is set", "runs"
	}
	switch {
	case strings.Contains(mode, "S_ISUID"):
		s.show(certain, "The setuid bit "+is+": a program there "+has+" with its owner's rights.", "evt.arg.mode", "evt.res")
		if s.outcome() == pb.Outcome_OUTCOME_SUCCEEDED {
			s.raise(today, "A setuid file.", "a package or an image build does this")
		} else {
			s.raise(today, "A setuid file was asked for.", "a package or an image build does this")
		}
	case strings.Contains(mode, "S_ISGID"):
		s.show(certain, "The setgid bit "+is+"; on a folder it gives no rights.", "evt.arg.mode", "evt.res")
	case strings.Contains(mode, "S_IXUSR"), strings.Contains(mode, "S_IXGRP"), strings.Contains(mode, "S_IXOTH"):
		s.show(certain, "The new mode has an execute bit.", "evt.arg.mode")
	default:
	}
}

// findMounts: parts of the host that the container can reach. Falco prints mounts as
// SOURCE:DESTINATION:MODE:RDWR:PROPAGATION, several between commas, in brackets where there
// is more than one.
func (s *scene) findMounts() {
	mounts := strings.Trim(s.r.GetContainer().GetMounts(), "[]")
	for m := range strings.SplitSeq(mounts, ",") {
		parts := strings.Split(m, ":")
		if len(parts) < 4 {
			continue
		}
		what := hostPart(parts[0])
		if what == "" {
			continue
		}
		how := "for reading"
		if parts[3] == "true" {
			how = "for reading and writing"
		}
		s.show(certain, "The container has the host's "+phrase.Quote(parts[0])+", "+what+", "+how+".", "container.mounts")
		if !s.isRuntimeAtWork() {
			s.raise(today, "A container that can reach "+what+" of the host.", "the container is an agent that needs this")
		}
		return
	}
}

// hostPart says what a path of the host is, where a container that has it can leave its bounds.
func hostPart(source string) string {
	switch strings.TrimSuffix(source, "/") {
	case "":
		if source == "/" {
			return "the whole file system"
		}
		return ""
	case "/proc":
		return "its processes and kernel settings"
	case "/sys":
		return "its devices and kernel settings"
	case "/dev":
		return "its devices"
	case "/etc":
		return "its configuration"
	case "/root", "/home":
		return "its users' files"
	case "/boot":
		return "its kernel"
	case "/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/var/run/crio/crio.sock", "/run/crio/crio.sock":
		return "control over its containers"
	case "/var/lib/kubelet", "/etc/kubernetes", "/var/lib/etcd":
		return "its part of the cluster"
	default:
		return ""
	}
}
