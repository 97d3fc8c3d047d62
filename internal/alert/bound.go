package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// MaxNameBytes bounds the names by which alerts are told apart: of the host and of the rule. Linux
// allows a host 64 bytes and DNS 253; the names of rules are shorter yet.
const MaxNameBytes = 256

// nameHash is how many bytes of a hash stand in a cut name: nobody can find two names for one.
const nameHash = 16

// BoundName is the name itself if it has at most MaxNameBytes bytes. Of a longer one it is the
// beginning with a note of its length and a hash of the whole behind it: different names stay
// different, and equal ones equal. What BoundName returned it returns as it is.
func BoundName(s string) string {
	if len(s) <= MaxNameBytes {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	note := "… (cut: " + strconv.Itoa(len(s)) + " bytes in all, SHA-256 " + hex.EncodeToString(sum[:nameHash]) + "…)"
	return strings.ToValidUTF8(s[:MaxNameBytes-len(note)], "") + note
}
