package redact

import "strings"

// placeholderStart begins every placeholder.
const placeholderStart = "[redacted "

// maxPlaceholder is the length of the longest placeholder.
const maxPlaceholder = len(placeholderStart) + len(Uninspected) + len("]")

// placeholder is what stands in a redacted place.
func placeholder(k Kind) string { return placeholderStart + string(k) + "]" }

// placeholderAt is the length of the placeholder that s begins with, 0 if it begins with none.
func placeholderAt(s string) int {
	if s == "" || s[0] != placeholderStart[0] {
		return 0
	}
	return placeholderHere(s)
}

// placeholderHere is placeholderAt for what begins like one.
func placeholderHere(s string) int {
	rest, ok := strings.CutPrefix(s, placeholderStart)
	if !ok {
		return 0
	}
	kind, _, ok := strings.Cut(rest[:min(len(rest), maxPlaceholder)], "]")
	if !ok {
		return 0
	}
	switch Kind(kind) {
	case Password, PasswordHash, Token, Secret, APIKey, CloudKey, PrivateKey, Cookie, Signature, Credentials, Uninspected:
		return len(placeholderStart) + len(kind) + 1
	default:
		return 0
	}
}

// onlyPlaceholders reports whether nothing stands in s but placeholders.
func onlyPlaceholders(s string) bool {
	for s != "" {
		n := placeholderAt(s)
		if n == 0 {
			return false
		}
		s = s[n:]
	}
	return true
}
