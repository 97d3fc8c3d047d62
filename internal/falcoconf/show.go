package falcoconf

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxShown bounds a value in a message, in bytes.
const maxShown = 200

// Show is a text of the configuration as a message can have it: cut, and escaped where it has
// anything that is not printable.
func Show(s string) string {
	cut := ""
	if len(s) > maxShown {
		s, cut = strings.ToValidUTF8(s[:maxShown], ""), "..."
	}
	if !utf8.ValidString(s) || strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
		s = strings.Trim(strconv.Quote(s), `"`)
	}
	return s + cut
}

// ShowURL is where a URL leads, without what can be a secret in it: Falco's outputs are given
// addresses with tokens in the path.
func ShowURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return "an address that is no URL"
	}
	return Show(u.Scheme + "://" + u.Host)
}
