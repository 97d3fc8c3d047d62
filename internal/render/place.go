package render

import (
	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// place is where a process runs.
type place struct {
	workload  pb.Workload
	container string // its short id, if known
}

func (p place) isKnown() bool { return p.isContainer() || p.isHost() }

func (p place) isContainer() bool {
	return p.container != "" || p.workload == pb.Workload_WORKLOAD_CONTAINER
}

func (p place) isHost() bool { return !p.isContainer() && p.workload == pb.Workload_WORKLOAD_HOST }

// or is p with the container that is known of another place, for one in the same container.
func (p place) or(other place) place {
	if p.isContainer() && p.container == "" {
		p.container = other.container
	}
	return p
}

// border says that a process runs elsewhere than those above it; nil if it does not. A chain
// that begins on the host needs no saying.
func (p place) border(up above, name func(id string) string) line {
	var l line
	switch {
	case p.isHost() && up.place.isContainer():
		l = line{}.words("the host")
	case p.isHost(), up.place.isContainer() && (p.container == "" || up.place.container == "" || p.container == up.place.container):
		return nil
	case name(p.container) == "":
		l = line{}.words("a container")
	default:
		l = line{}.words("container ").value(name(p.container))
	}
	if up.any && !up.sure {
		l = l.words(", entered here or above")
	}
	return l
}

// containerNamer names containers by their id: that of the report by its name.
func containerNamer(c *pb.Container) func(id string) string {
	return func(id string) string {
		if id == "" || id == c.GetId() {
			return either(c.GetName(), either(id, c.GetId()))
		}
		return id
	}
}

// userOf is the user that a process runs as.
type userOf struct{ *pb.User }

// changed is the user, and who it was right above where it is known to be another one. The
// same user is said again only if asked to.
func (u userOf) changed(up userOf, again bool) line {
	now, before := u.line(), up.line()
	if len(now) == 0 {
		return nil
	}
	if len(before) == 0 {
		return now.labelled()
	}
	numbered, sameName := u.Uid != nil && up.Uid != nil, u.GetName() == up.GetName()
	named := u.GetName() != "" && up.GetName() != ""
	switch {
	case numbered && *u.Uid != *up.Uid && sameName:
		return uid(*u.Uid).words(", was ").join(uid(*up.Uid))
	case numbered && *u.Uid != *up.Uid, !numbered && named && !sameName:
		return now.labelled().words(", was ").join(before)
	case again, !numbered && !named:
		return now.labelled()
	default:
		return nil
	}
}

// or is u with the name that is known of another user, if that is the same.
func (u userOf) or(other userOf) userOf {
	if u.User != nil && u.GetName() == "" && u.Uid != nil && other.User != nil && other.Uid != nil && *u.Uid == *other.Uid {
		return other
	}
	return u
}

// line is the name, or else the number.
func (u userOf) line() line {
	switch {
	case u.GetName() != "":
		return line{}.value(u.GetName())
	case u.User != nil && u.Uid != nil:
		return uid(*u.Uid)
	default:
		return nil
	}
}

func uid(n uint32) line { return line{}.words("uid ").number(int64(n)) }

// labelled says that a name is that of a user. A number says so itself.
func (l line) labelled() line {
	if l[0].kind == spanWords {
		return l
	}
	return line{}.words("user ").join(l)
}
