package rules

import (
	"slices"
	"strings"
)

// Proof is what a rule's condition proves of every event that matches it.
type Proof struct {
	// Succeeded says that only calls that succeeded match; of a source that has no system calls, only
	// requests that were granted.
	Succeeded bool
	// Reads and Writes say that only opens for reading or for writing match. An open for both
	// matches either.
	Reads, Writes bool
}

// The bounds of what is read out of conditions: no real one comes near them.
const (
	maxProofDepth = 64
	maxProofSteps = 20_000
	// maxProofWork bounds the steps for all rules of one load: about a second.
	maxProofWork = 20_000_000
)

// fact is a set of what holds wherever an expression is true.
type fact uint8

const (
	hasDescriptor fact = 1 << iota // the call left an open descriptor
	hasSuccess                     // its result is no error
	isRead
	isWrite
	hasNoCode // CloudTrail has no error code, which proves success but for logins
	isNoLogin // its event is one that is no login
	// impossible holds all: of an expression that is never true, everything is.
	impossible = fact(0xff)
)

// prover reads conditions for one system call after the other. It is not for concurrent use.
type prover struct {
	macros map[string]string
	call   string
	steps  int // of the condition at hand
	work   int // steps of all conditions
	// calls are the names of system calls that the expression compares with.
	calls []string
}

// proofs are what a condition proves, by system call; nil for nothing. What it proves of events that
// are no system calls stands under the empty name.
func (p *prover) proofs(condition string) map[string]Proof {
	p.call, p.calls, p.steps = "", nil, 0
	var out map[string]Proof
	f := p.facts(condition, 0)
	if f != impossible && (f&hasSuccess != 0 || f&hasNoCode != 0 && f&isNoLogin != 0) {
		out = map[string]Proof{"": {Succeeded: true}}
	}
	for _, call := range slices.Compact(slices.Sorted(slices.Values(p.calls))) {
		p.call, p.steps = call, 0
		f := p.facts(condition, 0)
		if f == impossible || f == 0 {
			continue
		}
		opens := strings.HasPrefix(call, "open")
		proof := Proof{
			Succeeded: f&hasSuccess != 0 || opens && f&hasDescriptor != 0,
			Reads:     opens && f&isRead != 0,
			Writes:    opens && f&isWrite != 0,
		}
		if proof == (Proof{}) {
			continue
		}
		if out == nil {
			out = make(map[string]Proof)
		}
		out[call] = proof
	}
	return out
}

// facts are what holds where the condition is true; none for one that cannot be read.
func (p *prover) facts(condition string, depth int) fact {
	e := expression{prover: p, tokens: tokens(condition), depth: depth}
	f := e.or()
	if e.failed || len(e.tokens) > 0 {
		return 0
	}
	return f
}

// expression is what is left of a condition.
type expression struct {
	*prover
	tokens []string
	depth  int
	failed bool
}

// peek is the next token, empty at the end.
func (e *expression) peek() string {
	if len(e.tokens) == 0 {
		return ""
	}
	return e.tokens[0]
}

func (e *expression) next() string {
	t := e.peek()
	if t == "" {
		e.failed = true
		return ""
	}
	e.tokens = e.tokens[1:]
	return t
}

func (e *expression) or() fact {
	f := e.and()
	for e.peek() == "or" {
		e.next()
		f &= e.and()
	}
	return f
}

func (e *expression) and() fact {
	f := e.unary()
	for e.peek() == "and" {
		e.next()
		f |= e.unary()
	}
	return f
}

func (e *expression) unary() fact {
	if e.depth++; e.depth > maxProofDepth || e.failed {
		e.failed = true
		return 0
	}
	defer func() { e.depth-- }()
	e.work++
	if e.steps++; e.steps > maxProofSteps || e.work > maxProofWork {
		e.failed = true
		return 0
	}
	switch t := e.next(); t {
	case "not":
		if len(e.tokens) > 1 && e.tokens[0] == "ct.error" && e.tokens[1] == "exists" {
			e.tokens = e.tokens[2:]
			return hasNoCode
		}
		e.unary()
		return 0 // nothing is read out of what does not hold
	case "(":
		f := e.or()
		if e.next() != ")" {
			e.failed = true
		}
		return f
	default:
		if e.peek() == "(" { // a transformer around a field
			e.skipList()
			t = ""
		}
		return e.comparison(t)
	}
}

// comparison reads what stands behind a field, or a macro's name, behind which nothing stands.
func (e *expression) comparison(field string) fact {
	op := e.peek()
	switch op {
	case "exists":
		e.next()
		return 0
	case "=", "==", "!=", "<", "<=", ">", ">=", "contains", "icontains", "bcontains", "startswith", "bstartswith", "endswith", "glob", "iglob", "regex", "in", "intersects", "pmatch":
		e.next()
	default:
		if condition, ok := e.macros[field]; ok {
			return e.facts(condition, e.depth)
		}
		return 0
	}
	var values []string
	if e.peek() == "(" {
		values = e.skipList()
	} else {
		values = []string{strings.Trim(e.next(), `"'`)}
		if e.peek() == "(" { // a transformer around a value
			e.skipList()
			return 0
		}
	}
	return e.compared(field, op, values)
}

// skipList reads what stands in parentheses.
func (e *expression) skipList() []string {
	var out []string
	for depth := 0; !e.failed; {
		switch t := e.next(); t {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				return out
			}
		case ",":
		default:
			out = append(out, strings.Trim(t, `"'`))
		}
	}
	return nil
}

// compared is what a comparison that holds says.
func (e *expression) compared(field, op string, values []string) fact {
	equals := op == "=" || op == "=="
	one := ""
	if len(values) == 1 {
		one = values[0]
	}
	switch {
	case field == "evt.type" && (equals || op == "in"):
		return e.comparedType(values)
	case field == "fd.num" && (op == ">=" && one == "0" || op == ">" && one == "-1"):
		return hasDescriptor
	case field == "evt.res" && equals && one == "SUCCESS", field == "evt.rawres" && op == ">=" && one == "0", field == "evt.rawres" && equals && one == "0":
		return hasSuccess
	case field == "json.value[/responseElements/ConsoleLogin]" && equals && one == "Success", field == "okta.result" && equals && one == "SUCCESS":
		return hasSuccess
	case field == "ct.name" && (equals || op == "in") && !slices.ContainsFunc(values, mayBeLogin):
		return isNoLogin
	case field == "evt.is_open_write" && equals && one == "true":
		return isWrite
	case field == "evt.is_open_read" && equals && one == "true":
		return isRead
	default:
		return 0
	}
}

// mayBeLogin reports whether a value of ct.name is a login, or no event's name, which begins with a
// capital, but perhaps that of a list.
func mayBeLogin(name string) bool {
	return name == "ConsoleLogin" || name == "" || name[0] < 'A' || name[0] > 'Z'
}

// comparedType: a list without the call at hand never holds, unless an element is perhaps the
// name of a list.
func (e *expression) comparedType(values []string) fact {
	if e.call == "" {
		for _, v := range values {
			if isCall(v) {
				e.calls = append(e.calls, v)
			}
		}
	}
	if slices.Contains(values, e.call) || !slices.ContainsFunc(values, isCall) {
		return 0
	}
	for _, v := range values {
		if !isCall(v) {
			return 0
		}
	}
	return impossible
}

// isCall reports whether a word is one of the system calls that rules ask for, and not the name of
// a list.
func isCall(word string) bool {
	switch word {
	case "open", "openat", "openat2", "creat", "open_by_handle_at", "execve", "execveat", "rename", "renameat", "renameat2",
		"unlink", "unlinkat", "rmdir", "mkdir", "mkdirat", "chmod", "fchmod", "fchmodat", "link", "linkat", "symlink", "symlinkat",
		"dup", "dup2", "dup3", "connect", "accept", "accept4", "listen", "bind", "socket", "send", "sendto", "sendmsg", "recv", "recvfrom", "recvmsg",
		"ptrace", "setns", "unshare", "setuid", "mount", "umount", "umount2", "init_module", "finit_module", "bpf", "userfaultfd",
		"clone", "clone3", "fork", "vfork", "kill", "prctl", "read", "write", "close", "chown", "fchown", "fchownat", "container", "memfd_create":
		return true
	}
	return false
}

// tokens splits a condition: words, quoted texts, operators, and marks.
func tokens(s string) []string {
	var out []string
	for i := 0; i < len(s); {
		n := 1
		switch c := s[i]; c {
		case ' ', '\t', '\n', '\r':
			i++
			continue
		case '(', ')', ',', '=':
			if c == '=' && strings.HasPrefix(s[i:], "==") {
				n = 2
			}
		case '<', '>', '!':
			if strings.HasPrefix(s[i+1:], "=") {
				n = 2
			}
		case '"', '\'':
			n = quotedLen(s[i:])
		default:
			n = wordLen(s[i:])
		}
		out = append(out, s[i:i+n])
		i += n
	}
	return out
}

// quotedLen is the length of the quoted text that s begins with.
func quotedLen(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return len(s)
}

// wordLen is the length of the word that s begins with. What stands in brackets belongs to it.
func wordLen(s string) int {
	inside := false
	for i := range len(s) {
		switch s[i] {
		case '[':
			inside = true
		case ']':
			inside = false
		case ' ', '\t', '\n', '\r', '(', ')', ',', '=', '<', '>', '!', '"', '\'':
			if !inside && i > 0 {
				return i
			}
		}
	}
	return len(s)
}
