package redact

import "strings"

// shapes finds what is a secret by its looks: tokens with the marks of their makers, JSON web
// tokens, private keys, password hashes.
func (f *finder) shapes() {
	for i := 0; i < len(f.s); i++ {
		if i > 0 && isWordByte(f.s[i-1]) && f.s[i] != '$' && f.s[i] != '-' {
			continue
		}
		if n, kind := shapeAt(f.s[i:]); n > 0 {
			f.add(i, i+n, kind)
			i += n - 1
			continue
		}
		switch f.s[i] {
		case 'b', 'B':
			if len(f.s)-i > len("bearer") && equalFold(f.s[i:i+len("bearer")], "bearer") {
				f.bearer(i)
			}
		case '-':
			if strings.HasPrefix(f.s[i:], pemBegin) {
				i += f.pem(i) - 1
			}
		}
	}
}

// shapeAt is the length and kind of the secret that s begins with, 0 if it begins with none.
func shapeAt(s string) (n int, kind Kind) {
	switch s[0] {
	case 'A':
		return cloudShape(s)
	case 'g':
		for _, p := range [...]string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "glsa_"} {
			if n := run(s, p, 8); n > 0 {
				return n, Token
			}
		}
	case 'x':
		if len(s) > 4 && strings.HasPrefix(s, "xox") && strings.IndexByte("abeprs", s[3]) >= 0 {
			return run(s, s[:4]+"-", 8), Token
		}
	case 's', 'r':
		for _, p := range [...]string{"sk_live_", "sk_test_", "rk_live_", "rk_test_", "shpat_"} {
			if n := run(s, p, 8); n > 0 {
				return n, APIKey
			}
		}
		if n := run(s, "sk-", 16); n > 0 && strings.Trim(s[:n], "abcdefghijklmnopqrstuvwxyz-_.") != "" {
			return n, APIKey
		}
	case 'y':
		return run(s, "ya29.", 8), Token
	case 'n':
		if n := alnumRun(s, "npm_", 20); n > 0 && (n == len(s) || s[n] != '_') {
			return n, Token
		}
	case 'd':
		return max(run(s, "dckr_pat_", 8), run(s, "dop_v1_", 20)), Token
	case 'h':
		return run(s, "hvs.", 8), Token
	case 'S':
		return run(s, "SG.", 30), APIKey
	case 'p':
		return run(s, "pypi-", 20), Token
	case 'e':
		return webToken(s), Token
	case 'L':
		// base64 of "-----BEGIN ", but not of a certificate's.
		if n := run(s, "LS0tLS1CRUdJTi", 16); n > 0 && !strings.HasPrefix(s, "LS0tLS1CRUdJTiBDRVJU") && !strings.HasPrefix(s, "LS0tLS1CRUdJTiBQVUJM") {
			return n, PrivateKey
		}
	case '$':
		return hash(s), PasswordHash
	}
	return 0, ""
}

// cloudShape finds the keys that begin with an A: AWS's, Google's, and those of age.
func cloudShape(s string) (n int, kind Kind) {
	for _, p := range [...]string{"AKIA", "ASIA"} {
		if n := alnumRun(s, p, 16); n == 20 && strings.Trim(s[:n], "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == "" {
			return n, CloudKey
		}
	}
	if n := run(s, "AIza", 30); n > 0 {
		return n, CloudKey
	}
	return run(s, "AGE-SECRET-KEY-1", 30), PrivateKey
}

// run is the length of a prefix and at least least bytes of a token behind it, 0 if s has
// not both.
func run(s, prefix string, least int) int {
	if !strings.HasPrefix(s, prefix) {
		return 0
	}
	n := len(prefix)
	for n < len(s) && (isWordByte(s[n]) || s[n] == '=' || strings.IndexByte("-.+/", s[n]) >= 0 && n+1 < len(s) && isAlnum(s[n+1])) {
		n++
	}
	if n-len(prefix) < least {
		return 0
	}
	return n
}

// alnumRun is run for tokens of letters and digits.
func alnumRun(s, prefix string, least int) int {
	if !strings.HasPrefix(s, prefix) {
		return 0
	}
	n := len(prefix)
	for n < len(s) && isAlnum(s[n]) {
		n++
	}
	if n-len(prefix) < least {
		return 0
	}
	return n
}

// webToken is the length of the JSON web token that s begins with: parts of base64url with
// dots between them, the first an object.
func webToken(s string) int {
	if !strings.HasPrefix(s, "eyJ") {
		return 0
	}
	n, dots, part := 0, 0, 0
	for ; n < len(s); n++ {
		switch {
		case isWordByte(s[n]) || s[n] == '-':
			part++
		case s[n] == '.' && part >= 6 && n+1 < len(s) && (isWordByte(s[n+1]) || s[n+1] == '-'):
			dots++
			part = 0
		default:
			if dots == 0 {
				return 0
			}
			return n
		}
	}
	if dots == 0 {
		return 0
	}
	return n
}

// hash is the length of the password hash of crypt(3) or argon2 that s begins with.
func hash(s string) int {
	for _, p := range [...]string{"$1$", "$5$", "$6$", "$7$", "$y$", "$gy$", "$2a$", "$2b$", "$2y$", "$apr1$", "$argon2"} {
		if !strings.HasPrefix(s, p) {
			continue
		}
		n := len(p)
		for n < len(s) && (isAlnum(s[n]) || strings.IndexByte("$./=,+-_", s[n]) >= 0) {
			n++
		}
		if n >= 20 {
			return n
		}
	}
	return 0
}

// pemBegin begins a PEM block.
const pemBegin = "-----BEGIN "

// pem looks at the PEM block that begins at i, and returns how many bytes it has looked
// through. What stands between the lines of a private key goes; a search for such lines does
// not have anything there.
func (f *finder) pem(i int) int {
	label, _, ok := strings.Cut(f.s[i+len(pemBegin):min(len(f.s), i+len(pemBegin)+64)], "-----")
	if !ok || !strings.Contains(label, "PRIVATE KEY") {
		return len(pemBegin)
	}
	body := i + len(pemBegin) + len(label) + len("-----")
	if n := strings.Index(f.s[body:], "-----"); n >= 0 && strings.HasPrefix(f.s[body+n:], "-----END ") {
		start, end := trimBreaks(f.s, body, body+n)
		if end-start >= 8 || placeholderAt(f.s[start:end]) > 0 {
			f.add(start, end, PrivateKey)
		}
		return body + n - i
	}
	start, end := keyBody(f.s, body)
	f.add(start, end, PrivateKey)
	return max(end, body) - i
}

// trimBreaks narrows a range by white space and line ends at both ends, also spelt ones.
func trimBreaks(s string, start, end int) (int, int) {
	for start < end {
		if isSpace(s[start]) {
			start++
		} else if n := spelt(s[start:end]); n > 0 {
			start += n
		} else {
			break
		}
	}
	for end > start && isSpace(s[end-1]) {
		end--
	}
	if end-start >= 2 && s[end-2] == '\\' && (s[end-1] == 'n' || s[end-1] == 'r') {
		end -= 2
		for end > start && s[end-1] == '\\' {
			end--
		}
	}
	return start, end
}

// spelt is the length of a spelt line end such as \n or \\n that s begins with.
func spelt(s string) int {
	n := 0
	for n < len(s) && s[n] == '\\' {
		n++
	}
	if n > 0 && n < len(s) && (s[n] == 'n' || s[n] == 'r') {
		return n + 1
	}
	return 0
}

// keyBody finds the lines of a key whose end is missing: base64, the first one long or the
// text's last.
func keyBody(s string, i int) (start, end int) {
	start, _ = trimBreaks(s, i, len(s))
	end = start
	for at := start; at < len(s); {
		n := at
		for n < len(s) && (isAlnum(s[n]) || strings.IndexByte("+/=", s[n]) >= 0) {
			n++
		}
		if n == at || s[at] == '/' && end == start || n-at < 32 && end == start && !isRandom(s[at:n]) {
			break
		}
		end = n
		if n-at < 32 {
			break // the last line
		}
		at, _ = trimBreaks(s, n, len(s))
	}
	return start, end
}

func isWordByte(b byte) bool { return isAlnum(b) || b == '_' }
