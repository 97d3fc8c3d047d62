package redact

import "strings"

// authorization finds the credentials in the value of an Authorization header that begins at
// i, and returns where they end. The scheme before them stays.
func (f *finder) authorization(i int) int {
	start, end := value(f.s, i)
	first := start
	for first < len(f.s) && (isAlnum(f.s[first]) || f.s[first] == '-') {
		first++
	}
	kind, isList := schemeKind(f.s[start:first])
	if strings.HasPrefix(f.s[first:], `\ `) {
		first++ // escaped for the shell
	}
	if kind == "" || first == len(f.s) || f.s[first] != ' ' {
		f.add(start, end, Token)
		return end
	}
	at := first
	for at < len(f.s) && f.s[at] == ' ' {
		at++
	}
	if start == i || end < at { // without quotes of its own
		_, end = value(f.s, at)
	}
	if f.at.isProse && isPlainWord(f.s[at:end]) {
		return end
	}
	for isList && end < len(f.s) && f.s[end] == ',' && strings.HasPrefix(f.s[end:], ", ") {
		end = bareEnd(f.s, end+len(", "))
	}
	f.add(at, end, kind)
	return end
}

// schemeKind is the kind of credentials that an authorization scheme has, and whether they
// are a list of parameters; empty for what is no scheme.
func schemeKind(scheme string) (kind Kind, isList bool) {
	switch strings.ToLower(scheme) {
	case "bearer", "token", "ssws", "bot", "splunk", "apikey", "api-key", "key", "genie-key", "jwt", "privatekey":
		return Token, false
	case "basic", "negotiate", "ntlm", "kerberos":
		return Credentials, false
	case "digest", "hawk", "oauth", "aws4-hmac-sha256", "aws", "hmac", "signature", "sharedkey", "sharedkeylite", "sharedaccesssignature", "vapid":
		return Credentials, true
	default:
		return "", false
	}
}

// cookies finds the values of a Cookie or Set-Cookie header that begin at i, and returns
// where they end. In a command line the header is not quoted: it goes on as long as its
// parts end with semicolons.
func (f *finder) cookies(i int) int {
	start, end := value(f.s, i)
	if start > i { // quoted
		f.add(start, end, Cookie)
		return end
	}
	for end < len(f.s) {
		rest := f.s[end:]
		if strings.HasPrefix(rest, "; ") || strings.HasPrefix(rest, ";") && len(rest) > 1 && !isSpace(rest[1]) {
			next := end + 1
			for next < len(f.s) && f.s[next] == ' ' {
				next++
			}
			if e := bareEnd(f.s, next); e > next {
				end = e
				continue
			}
		}
		break
	}
	f.add(start, end, Cookie)
	return end
}

// bearer finds the token behind the word Bearer that begins at i, wherever it stands.
func (f *finder) bearer(i int) {
	at := i + len("bearer")
	if at == len(f.s) || f.s[at] != ' ' && f.s[at] != ':' {
		return
	}
	for at < len(f.s) && (f.s[at] == ' ' || f.s[at] == ':') {
		at++
	}
	start, end := value(f.s, at)
	v := f.s[start:end]
	if len(v) >= 8 && strings.ContainsAny(v, "0123456789") || len(v) >= 20 && strings.Trim(v, "abcdefghijklmnopqrstuvwxyz-") != "" {
		f.add(start, end, Token)
	}
}
