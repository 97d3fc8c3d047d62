// Package procevent receives what the kernel says of processes as it happens: forks, execs,
// exits, and changes of names and users, from its process connector (netlink).
//
// [Open] needs the host's own pid, network and user namespaces; the kernel sends nothing
// elsewhere, and Open says so. Older kernels want CAP_NET_ADMIN; newer ones (6.18 for one) do
// not, and limit the queue to net.core.rmem_max for whoever lacks it. When events come faster than they are read, the
// kernel's queue for this socket runs full and it throws events away; [Conn.Next] then returns
// [ErrLost], and whoever keeps state must build it anew. The kernel can filter by kind of event
// from 6.6 on; that is not used, because filtered events leave the same gaps in the numbers of
// the others as lost ones do, and these numbers show losses that nothing else shows.
//
// The package starts no goroutine.
package procevent

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
)

// Kind is what happened.
type Kind uint8

// The kinds. Other stands for those that say nothing that is needed here.
const (
	Other Kind = iota
	Fork       // a process or thread was made
	Exec       // a process runs another program
	Exit       // a process or thread has ended
	Comm       // a process or thread gave itself a name
	UID        // a process or thread changed its user
	ack        // the answer to a request to listen, of anybody
)

// Event is one thing that happened. The pids are those of the host.
type Event struct {
	// Kind is what happened.
	Kind Kind
	// Time is when, in nanoseconds of CLOCK_MONOTONIC.
	Time int64
	// TID is the thread that it happened to, for Fork the new one. PID is its process: the two are
	// equal for the first thread of a process.
	TID, PID int32
	// Parent is the process above it, for Fork and Exit; 0 if the kernel does not say.
	Parent int32
	// UID is the effective user, for UID.
	UID uint32
	// Name is the new name, for Comm: at most 15 bytes, chosen by the process.
	Name string

	cpu, seq uint32 // what shows losses
	errno    uint32 // for ack
}

// errMalformed says that a message is none of the process connector's.
var errMalformed = errors.New("not a process event")

// The kernel's numbers, from linux/netlink.h, linux/connector.h and linux/cn_proc.h.
const (
	headerBytes = 16 // struct nlmsghdr
	cnBytes     = 20 // struct cn_msg
	eventBytes  = 16 // struct proc_event before its data

	cnIndexProc = 1
	cnValueProc = 1

	whatNone = 0
	whatFork = 0x00000001
	whatExec = 0x00000002
	whatUID  = 0x00000004
	whatComm = 0x00000200
	whatExit = 0x80000000

	listen = 1 // PROC_CN_MCAST_LISTEN
)

// parse reads a netlink message of the process connector.
func parse(b []byte) (Event, error) {
	if len(b) < headerBytes+cnBytes+eventBytes {
		return Event{}, errMalformed
	}
	order := binary.NativeEndian
	cn := b[headerBytes:]
	if order.Uint32(cn) != cnIndexProc || order.Uint32(cn[4:]) != cnValueProc {
		return Event{}, errMalformed
	}
	body := cn[cnBytes:]
	n := int(order.Uint16(cn[16:]))
	if n < eventBytes || n > len(body) {
		return Event{}, errMalformed
	}
	body = body[:n]
	e := Event{
		Time: int64(order.Uint64(body[8:])), //nolint:gosec // nanoseconds since boot
		cpu:  order.Uint32(body[4:]),
		seq:  order.Uint32(cn[8:]),
	}
	if !e.readData(order.Uint32(body), body[eventBytes:]) {
		return Event{}, errMalformed
	}
	return e, nil
}

// readData reads what is particular to a kind of event. It is false where that is too short.
func (e *Event) readData(what uint32, data []byte) bool {
	at := func(i int) uint32 { return binary.NativeEndian.Uint32(data[4*i:]) }
	pid := func(i int) int32 { return int32(at(i)) } //nolint:gosec // a pid_t
	if len(data) < 4*wordsOf(what) {
		return false
	}
	switch what {
	case whatNone:
		e.Kind, e.errno = ack, at(0)
	case whatFork:
		e.Kind, e.Parent, e.TID, e.PID = Fork, pid(1), pid(2), pid(3)
	case whatExec:
		e.Kind, e.TID, e.PID = Exec, pid(0), pid(1)
	case whatUID:
		e.Kind, e.TID, e.PID, e.UID = UID, pid(0), pid(1), at(3)
	case whatComm:
		e.Kind, e.TID, e.PID = Comm, pid(0), pid(1)
		name, _, _ := bytes.Cut(data[8:24], []byte{0})
		e.Name = strings.ToValidUTF8(string(name), "\uFFFD")
	case whatExit:
		e.Kind, e.TID, e.PID = Exit, pid(0), pid(1)
		if len(data) >= 24 { // kernels before 4.18 do not name the parent
			e.Parent = pid(5)
		}
	default:
		e.Kind = Other
	}
	return true
}

// wordsOf is how many words of data an event of a kind has at least.
func wordsOf(what uint32) int {
	switch what {
	case whatNone:
		return 1
	case whatFork, whatUID, whatExit:
		return 4
	case whatExec:
		return 2
	case whatComm:
		return 6
	default:
		return 0
	}
}

// request is the message that asks the kernel for events.
func request(pid int) []byte {
	order := binary.NativeEndian
	b := make([]byte, headerBytes+cnBytes+4)
	order.PutUint32(b, uint32(len(b)))   //nolint:gosec // 40
	order.PutUint16(b[4:], 3)            // NLMSG_DONE
	order.PutUint32(b[12:], uint32(pid)) //nolint:gosec // our own pid
	cn := b[headerBytes:]
	order.PutUint32(cn, cnIndexProc)
	order.PutUint32(cn[4:], cnValueProc)
	order.PutUint16(cn[16:], 4)
	order.PutUint32(cn[cnBytes:], listen)
	return b
}
