package redact

import "strings"

// triggers are what a text has if there can be a secret in it, in lower case; letters match
// in any case. Each has at least three bytes, see suspicion. What finds secrets (names, tools,
// shapes) must be announced here; a test holds the two together.
const triggers = "pass pwd secret token key auth cred cookie sig= signature psk bearer pw= pw: pw; pw\" pw' " +
	"akia asia ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- glsa_ xox sk- k_live_ k_test_ aiza ya29. eyj npm_ " +
	"dckr_pat_ dop_v1_ hvs. sg. pypi- shpat_ ls0tls1 " +
	"$1$ $5$ $6$ $7$ $y$ $2a$ $2b$ $2y$ $gy$ $apr1$ $argon2 " +
	"_pat= _pat: _pat; _pat\" _pat' _pat] _pat\\ hooks.slack.com /api/webhooks/ webhook.office.com/ api.telegram.org/bot " +
	"assword _pw; -opw -xp; alias obscure radtest snmp hdparm cloudflared sqlplus sqlldr expdp impdp rman " +
	"kinit |su |;su /su; su;- su;root cargo;login samba-tool -hashes put-par ftp;- encrypt_string " +
	"identified net;user net;use rabbitmqctl vault; redis-cli /p: /gp: /pth: -user -hmac curl ldap usermod useradd zip;- sudo;- <<< cryptsetup keygen"

// flagTriggers are the letters of the short flags that carry secrets in some tool, behind
// white space or a quote. Tools whose flags can stand together have a trigger of their own.
const flagTriggers = "abkpsuw"

// suspicion finds triggers with one look at every second byte. A trigger of three or more
// bytes covers a whole pair that begins at an even place, wherever it stands: so there is a
// probe for each of two neighbouring pairs of every trigger, the rarest ones, and a text that
// has none of those pairs at an even place has no trigger.
type suspicion struct {
	// list is the number of the probes of a pair, in lists: noList for none, anyList for a
	// pair that is enough by itself.
	list  [1 << 16]uint8
	lists [][]probe
}

// The first lists.
const (
	noList = iota
	anyList
	listsInUse
)

// probe is a trigger to be compared at a distance before the pair that was found.
type probe struct {
	trigger string
	offset  int
}

//nolint:gochecknoglobals // immutable; a table of 64 KiB has no constant form
var suspicions = newSuspicion()

func newSuspicion() *suspicion {
	s := &suspicion{lists: make([][]probe, listsInUse)}
	for _, t := range splitFields(triggers) {
		s.watch(t)
	}
	for _, before := range []byte(" \"'") {
		for _, flag := range []byte(flagTriggers) {
			s.watch(string([]byte{before, '-', flag}))
		}
	}
	// User info in URLs and connection strings: any pair with an @.
	for i := range 1 << 8 {
		b := byte(i)
		s.list[pair(b, '@')], s.list[pair('@', b)] = anyList, anyList
	}
	return s
}

// splitFields cuts a list at its spaces. A semicolon stands for a space within an entry.
func splitFields(list string) []string {
	var out []string
	var entry []byte
	for i := range len(list) + 1 {
		switch {
		case i == len(list) || list[i] == ' ':
			out = append(out, string(entry))
			entry = entry[:0]
		case list[i] == ';':
			entry = append(entry, ' ')
		default:
			entry = append(entry, list[i])
		}
	}
	return out
}

// watch adds the probes of a trigger: for its rarest pair at an even and at an odd offset.
func (s *suspicion) watch(trigger string) {
	for parity := range 2 {
		best := parity
		for o := parity; o+1 < len(trigger); o += 2 {
			if rarity(trigger[o])+rarity(trigger[o+1]) > rarity(trigger[best])+rarity(trigger[best+1]) {
				best = o
			}
		}
		s.probe(trigger[best], trigger[best+1], probe{trigger, best})
	}
}

// probe adds a probe for a pair, in lower case, and for its other spellings.
func (s *suspicion) probe(a, b byte, p probe) {
	n := s.list[pair(a, b)]
	if n == noList {
		s.lists = append(s.lists, nil)
		n = uint8(min(len(s.lists)-1, 0xff))
		for _, a := range cases(a) {
			for _, b := range cases(b) {
				s.list[pair(a, b)] = n
			}
		}
	}
	s.lists[n] = append(s.lists[n], p)
}

func pair(a, b byte) uint16 { return uint16(a) | uint16(b)<<8 }

// cases are the spellings of a letter, and of a space.
func cases(b byte) []byte {
	switch {
	case 'a' <= b && b <= 'z':
		return []byte{b, b - 'a' + 'A'}
	case b == ' ':
		return []byte(" \t\n\r\v\f") // as isSpace
	default:
		return []byte{b}
	}
}

// rarity grows with how rarely a byte stands in English and in command lines.
func rarity(b byte) int {
	const common = " etaoinsrhldcumf/-pgwybvkx" // the most common first
	for i := range len(common) {
		if common[i] == b {
			return i
		}
	}
	return len(common)
}

// suspect reports whether a text can hold a secret.
func suspect(s string) bool {
	if len(s) > 1 && s[0] == '-' && strings.IndexByte(flagTriggers, lower(s[1])) >= 0 {
		return true // arguments without their program
	}
	if len(s) > 0 && s[len(s)-1] == '@' {
		return true // without a pair of its own where the length is odd
	}
	t := suspicions
	for i := 0; i+1 < len(s); i += 2 {
		// Most of a text has nothing: four pairs at once.
		for ; i+8 <= len(s); i += 8 {
			p := s[i : i+8]
			x := uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 |
				uint64(p[4])<<32 | uint64(p[5])<<40 | uint64(p[6])<<48 | uint64(p[7])<<56 // one load
			if t.list[uint16(x)]|t.list[uint16(x>>16)]|t.list[uint16(x>>32)]|t.list[uint16(x>>48)] != noList { //nolint:gosec // cut on purpose
				break
			}
		}
		for end := min(len(s)-1, i+8); i < end; i += 2 {
			if n := t.list[pair(s[i], s[i+1])]; n != noList && (n == anyList || confirm(s, i, t.lists[n])) {
				return true
			}
		}
		i -= 2
	}
	return false
}

// confirm reports whether one of the triggers stands around the pair at i.
func confirm(s string, i int, probes []probe) bool {
	for _, p := range probes {
		if start := i - p.offset; start >= 0 && len(s)-start >= len(p.trigger) && equalFold(s[start:start+len(p.trigger)], p.trigger) {
			return true
		}
	}
	return false
}

// equalFold reports whether a is b, which is in lower case and as long, in any case of ASCII and
// with any white space for a space.
func equalFold(a, b string) bool {
	for i := range len(b) {
		if lower(a[i]) != b[i] && (b[i] != ' ' || !isSpace(a[i])) {
			return false
		}
	}
	return true
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}
