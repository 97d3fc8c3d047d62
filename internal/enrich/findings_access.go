package enrich

import (
	"net/netip"
	"strconv"
	"strings"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// findPlace: what the file holds.
func (s *scene) findPlace() {
	path, field := s.r.GetFile().GetPath(), "fd.name"
	if path == "" {
		return
	}
	if _, ok := s.a.Text(field); !ok {
		field = "evt.arg." + s.pathArgument(path)
	}
	p, ok := placeOf(path)
	if !ok {
		return
	}
	s.show(likely, quote(path)+" holds "+p.holds+".", field)
	switch writes := s.writes(); {
	case p.grave && writes && !s.didNotHappen():
		s.raise(page, "Write access to "+p.holds+".")
	case p.grave || p.secret:
		s.raise(today, "Access to "+p.holds+".")
	default:
	}
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

// writes reports whether the fields themselves say that the file is changed: the flags of an
// open call, or a call that changes by its nature.
func (s *scene) writes() bool {
	switch call := s.r.GetEvent().GetType(); {
	case strings.HasPrefix(call, "open"):
		flags := s.r.GetEvent().GetArguments()["flags"]
		return strings.Contains(flags, "O_WRONLY") || strings.Contains(flags, "O_RDWR")
	case strings.HasPrefix(call, "rename"), strings.HasPrefix(call, "unlink"), strings.HasPrefix(call, "link"), strings.HasPrefix(call, "symlink"), call == "creat":
		return true
	default:
		return false
	}
}

// peer is the address of the other end of the connection.
func (s *scene) peer() (netip.Addr, bool) {
	n := s.r.GetNetwork()
	for _, e := range [...]*pb.Endpoint{n.GetRemote(), n.GetServer()} {
		if addr, err := netip.ParseAddr(e.GetAddress()); err == nil {
			return addr.Unmap(), true
		}
	}
	// The connection itself: CLIENT:PORT->SERVER:PORT.
	if _, server, ok := strings.Cut(n.GetConnection(), "->"); ok {
		if addr, err := netip.ParseAddrPort(server); err == nil {
			return addr.Addr().Unmap(), true
		}
	}
	return netip.Addr{}, false
}

// findPeer: how far the other end of the connection is.
func (s *scene) findPeer() {
	addr, ok := s.peer()
	if !ok {
		return
	}
	s.show(certain, "The other end of the connection, "+addr.String()+", is "+scope(addr)+".", "fd.rip", "fd.sip", "fd.name")
	if addr == metadataService() {
		s.raise(today, "Access to the cloud's metadata service, which hands out credentials.")
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
		return "this host itself (loopback)"
	case addr.IsUnspecified():
		return "no particular host"
	case addr.IsPrivate():
		return "a private address"
	case addr.IsLinkLocalUnicast():
		return "a link-local address"
	case addr.IsMulticast():
		return "a multicast address"
	default:
		return "a public address"
	}
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
	switch code := q.GetResponseCode(); {
	case q.GetAuthorizationDecision() == "forbid" || code == 401 || code == 403:
		s.show(certain, "The API server refused it.", "ka.response.code", "ka.auth.decision")
		s.notShown("That it succeeded: the request was refused.")
	case code >= 400:
		s.show(certain, "The API server answered with HTTP "+strconv.FormatUint(uint64(code), 10)+".", "ka.response.code")
		s.notShown("That it succeeded: the request failed.")
	case code >= 200:
		s.show(certain, "The API server granted it (HTTP "+strconv.FormatUint(uint64(code), 10)+").", "ka.response.code")
		if anonymous {
			s.raise(page, "A request without credentials was granted.")
		}
		if sub := q.GetSubresource(); sub == "exec" || sub == "attach" {
			s.raise(today, "Somebody entered a pod.")
		}
	default:
		s.notShown("Whether it succeeded: the alert has no response.")
	}
}

// findMode: what a change of mode makes of a file.
func (s *scene) findMode() {
	if call := s.r.GetEvent().GetType(); !strings.Contains(call, "chmod") || s.didNotHappen() {
		return
	}
	mode := s.r.GetEvent().GetArguments()["mode"]
	switch {
	case strings.Contains(mode, "S_ISUID"):
		s.show(certain, "The new mode has the setuid bit: whoever runs the file gets its owner's rights.", "evt.arg.mode")
		s.raise(today, "A setuid file.")
	case strings.Contains(mode, "S_ISGID"):
		s.show(certain, "The new mode has the setgid bit: whoever runs the file gets its group's rights.", "evt.arg.mode")
	case strings.Contains(mode, "S_IXUSR"), strings.Contains(mode, "S_IXGRP"), strings.Contains(mode, "S_IXOTH"):
		s.show(certain, "The new mode lets the file be executed.", "evt.arg.mode")
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
		s.show(certain, "The container has the host's "+quote(parts[0])+", "+what+", "+how+".", "container.mounts")
		s.raise(today, "A container that can reach "+what+" of the host.")
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
