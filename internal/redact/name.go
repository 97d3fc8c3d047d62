package redact

import "strings"

// maxName bounds the names that are looked at. A longer one is no name.
const maxName = 96

// nameKind is the kind of secret that the value of a name such as DB_PASSWORD, --api-key or
// clientSecret is; empty if the name promises none. What the last word says counts: a
// PASSWORD_FILE is a file and a --token-ttl a time.
func nameKind(name string) Kind {
	if len(name) > maxName {
		return ""
	}
	var w words
	w.split(name)
	w.isPAT = hasWordAtEnd(strings.TrimSuffix(name, "]"), "_pat") // GITHUB_PAT; alone it is a pattern
	if w.n == 0 || isAbout(w.word(w.n-1)) || w.n > 1 && w.word(w.n-1) == "hash" && w.word(w.n-2) == "cert" {
		return ""
	}
	for i := w.n - 1; i >= 0; i-- {
		if k := w.kind(i); k != "" {
			return k
		}
	}
	return ""
}

// words are the words of a name in lower case, without digits.
type words struct {
	text       [maxName]byte
	start, end [16]uint8
	n          int
	length     int // of the name
	// isPAT says that the name ends like that of a personal access token.
	isPAT bool
}

// split takes a name apart at what is no letter and before humps: "dbPassword_2" is db and
// password. Beyond the room for them, the last word is replaced.
func (w *words) split(name string) {
	inWord := false
	w.length = len(name)
	for i := range len(name) {
		b := name[i]
		if !isLetter(b) {
			inWord = false
			continue
		}
		hump := i > 0 && isUpper(b) && (isLower(name[i-1]) || i+1 < len(name) && isUpper(name[i-1]) && isLower(name[i+1]))
		if !inWord || hump {
			w.n = min(w.n+1, len(w.start))
			w.start[w.n-1] = uint8(i)
			inWord = true
		}
		w.text[i] = lower(b)
		w.end[w.n-1] = uint8(i + 1)
	}
}

func (w *words) word(i int) string { return string(w.text[w.start[i]:w.end[i]]) }

// kind is the kind that word i makes the name one of.
func (w *words) kind(i int) Kind {
	text := w.text[w.start[i]:w.end[i]]
	last := i == w.n-1
	if strings.HasSuffix(string(text), "pw") && int(w.end[i]) != w.length {
		return "" // triggers name it at the end alone: pw8 is none
	}
	switch string(text) {
	case "pass", "pw":
		if last && !w.isCounted(i) {
			return Password
		}
	case "auth", "authorization":
		if last {
			return Credentials
		}
	case "pat":
		if last && w.isPAT {
			return Token
		}
	case "pwd", "psk":
		return Password
	case "cred", "creds", "credential", "credentials":
		return Credentials
	case "signature":
		if last {
			return Signature
		}
	case "cookie":
		if last {
			return Cookie
		}
	case "key":
		return w.keyKind(i)
	default:
		return suffixKind(text, last)
	}
	return ""
}

// isCounted reports whether the word before says that a "pass" is a turn: two-pass.
func (w *words) isCounted(i int) bool {
	if i == 0 {
		return false
	}
	switch w.word(i - 1) {
	case "one", "two", "three", "single", "multi", "first", "second", "last", "by", "high", "low", "band":
		return true
	default:
		return false
	}
}

// keyKind is the kind of a key by the word before: there are public keys, sort keys and
// keys of a map.
func (w *words) keyKind(i int) Kind {
	if i == 0 {
		return ""
	}
	switch w.word(i - 1) {
	case "private", "priv":
		return PrivateKey
	case "access":
		if i > 1 && (w.word(i-2) == "secret" || w.word(i-2) == "shared") {
			return CloudKey
		}
		return APIKey
	case "account", "storage", "shared", "subscription":
		return CloudKey
	case "api", "app", "application", "auth", "consumer", "deploy", "license", "service", "session", "stripe", "webhook":
		return APIKey
	case "secret", "encryption", "encrypt", "decryption", "crypt", "signing", "sign", "master", "hmac", "jwt", "cipher", "aes", "rsa", "gpg", "pgp", "vault", "unseal", "wg":
		return Secret
	default:
		return ""
	}
}

// suffixKind is the kind of a word that is written together, such as pgpassword.
func suffixKind(word []byte, last bool) Kind {
	for _, s := range [...]struct {
		suffix string
		kind   Kind
	}{
		{"password", Password},
		{"passwd", Password},
		{"passwort", Password},
		{"passphrase", Password},
		{"passcode", Password},
		{"token", Token},
		{"secretkey", Secret},
		{"accesskey", APIKey},
		{"apikey", APIKey},
		{"authkey", APIKey},
		{"accountkey", CloudKey},
		{"sharedkey", CloudKey},
		{"privatekey", PrivateKey},
		{"privkey", PrivateKey},
		{"masterkey", Secret},
		{"secret", Secret},
	} {
		if len(word) >= len(s.suffix) && string(word[len(word)-len(s.suffix):]) == s.suffix {
			return s.kind
		}
	}
	if !last {
		return ""
	}
	switch string(word) {
	case "bindpw", "rootpw", "userpw", "dbpw", "dbpass", "rootpass", "userpass", "adminpass", "sshpass", "mysqlpass",
		"pgpass", "smtppass", "mailpass", "ftppass", "httppass", "proxypass", "keypass", "storepass", "requirepass", "masterpass":
		return Password
	case "masterauth", "npmauth", "redisauth":
		return Credentials
	default:
		return ""
	}
}

// isAbout reports whether the last word of a name says that the value is something about a
// secret: where it lies, what it is called, how long it lasts.
func isAbout(word string) bool {
	switch word {
	case "file", "files", "filename", "path", "paths", "dir", "dirs", "directory", "folder", "sock", "socket", "mount", "volume", "store", "storage",
		"url", "uri", "endpoint", "host", "hosts", "port", "domain", "realm", "server", "address",
		"name", "names", "id", "ids", "arn", "type", "kind", "class", "format", "version", "algorithm", "alg", "method", "mechanism", "mode",
		"length", "len", "size", "min", "max", "count", "limit", "quota", "ttl", "age", "expiry", "expires", "expire", "expiration", "lifetime", "timeout", "interval", "period", "date", "time", "seconds", "minutes", "hours", "days",
		"enabled", "enable", "disabled", "disable", "required", "require", "policy", "policies", "strength", "rotation", "reset", "history", "prompt", "hint", "stdin", "fd", "env", "var", "through",
		"provider", "issuer", "audience", "scope", "scopes", "command", "cmd", "helper", "plugin", "agent", "manager", "service", "backend", "source", "engine",
		"user", "username", "login", "group", "role", "binding", "owner", "field", "header", "column", "label", "selector", "param", "parameter", "attribute", "ref", "refs", "reference",
		"authentication", "namespace", "template", "review", "reviews", "access", "state", "status", "error", "reason", "decision", "event", "action", "check", "checker":
		return true
	default:
		return false
	}
}

// queryKind is nameKind for a parameter of a URL, where shorter names are secrets too.
func queryKind(name string) Kind {
	switch {
	case strings.EqualFold(name, "sig"):
		return Signature
	case strings.EqualFold(name, "key"):
		return APIKey
	default:
		return nameKind(name)
	}
}

// isQuestion reports whether a flag such as --ask-pass or --no-password asks for a secret,
// or is about one, and takes no value.
func isQuestion(flag string) bool {
	first, _, more := strings.Cut(strings.TrimLeft(flag, "-"), "-")
	if !more {
		return false
	}
	switch first {
	case "no", "ask", "prompt", "show", "print", "with", "without", "has", "need", "require", "disable", "enable", "allow", "skip", "use", "list", "create",
		"rotate", "revoke", "delete", "remove", "force", "generate", "check", "verify", "validate", "read", "store", "save", "hide", "mask":
		return true
	default:
		return false
	}
}

func isLetter(b byte) bool { return 'a' <= lower(b) && lower(b) <= 'z' }
func isLower(b byte) bool  { return 'a' <= b && b <= 'z' }
func isUpper(b byte) bool  { return 'A' <= b && b <= 'Z' }
func isDigit(b byte) bool  { return '0' <= b && b <= '9' }
func isAlnum(b byte) bool  { return isLetter(b) || isDigit(b) }
func isSpace(b byte) bool {
	return b == ' ' || b == '\t' || b == '\n' || b == '\r' || b == '\v' || b == '\f'
}
