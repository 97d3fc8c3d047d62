package procfs

import (
	"path"
	"strings"
)

// Cgroup is what the control group of a process tells. Known is false if it could not be read.
type Cgroup struct {
	Known bool
	// Container is the id of the container: 12 characters as Falco has it, or the name of a
	// machine of systemd-nspawn or LXC; empty on the host.
	Container string
	// Unit is the systemd unit of a process on the host.
	Unit string
	// Session is the number of the login session, as systemd-logind counts.
	Session string
}

// shortID is how many characters of a container id Falco prints.
const shortID = 12

// ParseCgroup reads /proc/PID/cgroup: lines NUMBER:CONTROLLERS:PATH, of version 1 one for
// each hierarchy, of version 2 a single one. A path is made by whoever manages cgroups: root,
// or a user below the unit of the user's own manager. Of containers in containers the outermost
// counts, as for Falco.
func ParseCgroup(text string) Cgroup {
	c := Cgroup{Known: true}
	var unitPath string
	for line := range strings.Lines(text) {
		_, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		if !ok {
			continue
		}
		controllers, p, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		if id := containerOf(p); id != "" && c.Container == "" {
			c.Container = strings.ToValidUTF8(id, "\uFFFD")
		}
		// systemd's own hierarchy tells units: named in version 1, the only one in version 2.
		if controllers == "name=systemd" || controllers == "" && unitPath == "" {
			unitPath = p
		}
	}
	if c.Container == "" {
		c.Unit, c.Session = unitOf(strings.ToValidUTF8(unitPath, "\uFFFD"))
	}
	return c
}

// containerOf is the container that a path leads to, empty if it is none.
func containerOf(p string) string {
	var parent string
	for part := range strings.SplitSeq(p, "/") {
		if part == "" {
			continue
		}
		if id := containerPart(part, parent); id != "" {
			return id
		}
		if machine, ok := strings.CutPrefix(parent, "systemd-nspawn@"); ok && part == "payload" {
			return strings.TrimSuffix(machine, ".service")
		}
		parent = part
	}
	return ""
}

// containerPart is the container that one part of a path names. What watches over a
// container, conmon for example, has a scope of its own, with the container's id in its name;
// it runs on the host.
func containerPart(part, parent string) string {
	if name, ok := strings.CutPrefix(part, "lxc.payload."); ok {
		return name
	}
	if parent == "lxc" {
		return part
	}
	if name, ok := strings.CutPrefix(part, "machine-"); ok && parent == "machine.slice" && strings.HasSuffix(name, ".scope") && !strings.HasPrefix(name, "qemu") {
		return strings.ReplaceAll(strings.TrimSuffix(name, ".scope"), `\x2d`, "-")
	}
	if strings.Contains(part, "conmon-") {
		return ""
	}
	id := strings.TrimSuffix(part, ".scope")
	// containerd with the cgroupfs driver: kubepods-burstable-podUID.slice:cri-containerd:ID
	if i := strings.LastIndexByte(id, ':'); i >= 0 {
		id = id[i+1:]
	}
	// docker-ID, cri-containerd-ID, crio-ID, libpod-ID, nerdctl-ID
	if i := strings.LastIndexByte(id, '-'); i >= 0 {
		id = id[i+1:]
	}
	if len(id) == 64 && strings.Trim(id, "0123456789abcdef") == "" {
		return id[:shortID]
	}
	return ""
}

// unitOf is the systemd unit that a path on the host leads to, and the login session. The
// first unit below the slices is the system manager's; what is below it is not.
func unitOf(p string) (unit, session string) {
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || path.Ext(part) == ".slice" {
			continue
		}
		part = strings.TrimPrefix(part, "_") // systemd's escape of names that cgroups reserve
		switch path.Ext(part) {
		case ".scope":
			if s, ok := strings.CutPrefix(strings.TrimSuffix(part, ".scope"), "session-"); ok {
				session = s
			}
			return part, session
		case ".service", ".socket", ".mount", ".swap":
			return part, ""
		}
		return "", ""
	}
	return "", ""
}
