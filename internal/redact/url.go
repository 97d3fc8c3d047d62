package redact

import "strings"

// maxUserInfo bounds the user info that is looked at: the time would grow with its square.
const maxUserInfo = 256

// urls finds the passwords in the user info of URLs and in connection strings.
func (f *finder) urls() {
	for from := 0; ; {
		i := strings.Index(f.s[from:], "://")
		if i < 0 {
			break
		}
		from += i + len("://")
		f.userInfo(from)
	}
	for from := 0; ; {
		i := strings.Index(f.s[from:], "@")
		if i < 0 {
			return
		}
		from += i + 1
		if strings.HasPrefix(f.s[from:], "tcp(") || strings.HasPrefix(f.s[from:], "unix(") {
			f.dataSource(from - 1)
		}
	}
}

// userInfo looks at the user info of the URL whose authority begins at i.
func (f *finder) userInfo(i int) {
	end := i
	for end < len(f.s) && end-i < maxUserInfo && !isSpace(f.s[end]) && strings.IndexByte("\"'`<>/?#", f.s[end]) < 0 {
		end++
	}
	rest := f.s[i:end]
	at := strings.LastIndexByte(rest, '@')
	colon := strings.IndexByte(rest, ':')
	if at < 0 && colon >= 0 && strings.Trim(rest[colon+1:], "0123456789") != "" && rest[0] != '[' {
		// A password with a slash in it, not escaped.
		for end < len(f.s) && end-i < maxUserInfo && !isSpace(f.s[end]) && strings.IndexByte("\"'`<>", f.s[end]) < 0 {
			end++
		}
		rest = f.s[i:end]
		at = strings.LastIndexByte(rest, '@')
	}
	switch {
	case at < 0:
	case colon >= 0 && colon < at:
		kind := Password
		if user := rest[:colon]; hasWordAtEnd(user, "token") || user == "oauth2" {
			kind = Token
		}
		f.add(i+colon+1, i+at, kind)
	case at >= 20 && strings.ContainsAny(rest[:at], "0123456789") && strings.Trim(rest[:at], "0123456789") != "":
		f.add(i, i+at, Token) // a token in the place of the user
	}
}

// dataSource looks at a data source name of Go's drivers: user:password@tcp(host)/database.
func (f *finder) dataSource(at int) {
	start := at
	for start > 0 && at-start < maxUserInfo && !isSpace(f.s[start-1]) && strings.IndexByte("\"'`=", f.s[start-1]) < 0 {
		start--
	}
	if colon := strings.IndexByte(f.s[start:at], ':'); colon >= 0 {
		f.add(start+colon+1, at, Password)
	}
}
