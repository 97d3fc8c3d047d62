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
		f.webhook(from)
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
	if colon >= 0 && rest[0] != '[' && end < len(f.s) && strings.IndexByte("/?#", f.s[end]) >= 0 {
		// A password with such a character in it, not escaped.
		isPort := strings.Trim(rest[colon+1:], "0123456789") == "" && f.s[end] != '#'
		for end < len(f.s) && end-i < maxUserInfo && !isSpace(f.s[end]) && strings.IndexByte("\"'`<>", f.s[end]) < 0 {
			end++
		}
		long := f.s[i:end]
		switch last := strings.LastIndexByte(long, '@'); {
		case at < 0 && !isPort, at > colon && last > at && !isHost(rest[at+1:]) && isHost(authority(long[last+1:])):
			rest, at = long, last
		}
	}
	switch {
	case at < 0:
	case colon >= 0 && colon < at:
		f.userColonSecret(i, i+colon, i+at)
	case isUserToken(rest[:at]):
		f.addValue(i, i+at, Token)
	}
}

// userColonSecret looks at user info with a colon in it.
func (f *finder) userColonSecret(start, colon, end int) {
	user, rest := f.s[start:colon], f.s[colon+1:end]
	switch {
	case (rest == "" || rest == "x-oauth-basic" || rest == "x") && isUserToken(user):
		f.addValue(start, colon, Token)
	case hasWordAtEnd(user, "token") || user == "oauth2":
		f.addValue(colon+1, end, Token)
	default:
		f.addValue(colon+1, end, Password)
	}
}

// isUserToken reports whether a token stands in the place of a user. Names are short, or have
// no digits, or no upper case among them.
func isUserToken(user string) bool {
	if user == "" || strings.ContainsAny(user, "$<{/") || strings.Trim(user, "0123456789") == "" || !strings.ContainsAny(user, "0123456789") {
		return false
	}
	if len(user) >= 20 || len(user) >= 12 && isRandom(user) {
		return true
	}
	k := nameKind(user)
	return k == Token || k == Secret || k == APIKey || k == Password
}

// isHost reports whether the authority of a URL looks like a host with a domain or a port.
func isHost(s string) bool {
	return strings.ContainsAny(s, ".:") && strings.Trim(s, ".:[]-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,") == ""
}

// authority is the host and port that the rest of a URL begins with.
func authority(s string) string {
	if n := strings.IndexAny(s, "/?#"); n >= 0 {
		return s[:n]
	}
	return s
}

// maxWebhook bounds the URL of a webhook.
const maxWebhook = 512

// webhook looks at the URL whose authority begins at i: whoever knows the end of a webhook's
// path can write there. The service and the room stay.
func (f *finder) webhook(i int) {
	near := f.s[i:min(len(f.s), i+maxWebhook)]
	for _, mark := range [...]string{"hooks.slack.com/", "/api/webhooks/", "webhook.office.com/"} {
		n := strings.Index(near, mark)
		if n < 0 {
			continue
		}
		path := near[:urlEnd(near)]
		path = strings.TrimSuffix(path, "/")
		if slash := strings.LastIndexByte(path, '/'); slash >= n+len(mark) {
			f.add(i+slash+1, i+len(path), Token)
		}
		return
	}
	if bot, ok := strings.CutPrefix(near, "api.telegram.org/bot"); ok {
		bot = bot[:urlEnd(bot)]
		if colon := strings.IndexByte(bot, ':'); colon >= 0 {
			start := i + len("api.telegram.org/bot") + colon + 1
			f.add(start, start+len(authority(bot[colon+1:])), Token)
		}
	}
}

// urlEnd is where a URL without its query ends.
func urlEnd(s string) int {
	n := 0
	for n < len(s) && s[n] < 0x80 && !isSpace(s[n]) && strings.IndexByte("\"'`<>|;)\\?#", s[n]) < 0 {
		n++
	}
	return n
}

// dataSource looks at a data source name of Go's drivers: user:password@tcp(host)/database.
func (f *finder) dataSource(at int) {
	start := at
	for start > 0 && at-start < maxUserInfo && !isSpace(f.s[start-1]) && strings.IndexByte("\"'`", f.s[start-1]) < 0 {
		start--
	}
	if colon := strings.IndexByte(f.s[start:at], ':'); colon >= 0 { // of dsn=user:password, the = is before
		f.addValue(start+colon+1, at, Password)
	}
}
