package redact

import "strings"

// maxKnown bounds how many different secrets and values of one report are remembered: more
// in one alert are not seen, and each is looked for in every string.
const maxKnown = 32

// known is what was taken out of a report so far.
type known struct {
	secrets []knownSecret
	values  []knownValue
}

// knownSecret is a secret and its kind.
type knownSecret struct {
	text string
	kind Kind
}

// knownValue is the whole of a string that had secrets in it.
type knownValue struct {
	before, after string
	found         []Kind
}

// secret remembers a secret that was taken out.
func (k *known) secret(text string, kind Kind) {
	if len(text) < minPart || len(k.secrets) >= maxKnown {
		return
	}
	for _, s := range k.secrets {
		if s.text == text {
			return
		}
	}
	k.secrets = append(k.secrets, knownSecret{text, kind})
}

// value remembers a whole string that was changed.
func (k *known) value(before, after string, found []Kind) {
	if len(found) > 0 && len(before) >= minPart && len(k.values) < maxKnown {
		k.values = append(k.values, knownValue{before, after, found})
	}
}

// takeValues replaces the remembered strings in an output line, which is made of them. There
// they may have lost what told how to read them: the arguments their program, the variables
// of an environment where they end.
func (k *known) takeValues(line string) (out string, found []Kind) {
	for _, v := range k.values {
		for strings.Contains(line, v.before) && v.before != v.after {
			line = strings.Replace(line, v.before, v.after, 1)
			found = append(found, v.found...)
			if strings.Contains(v.after, v.before) {
				break
			}
		}
	}
	return line, found
}

// takeOut takes the remembered secrets out of a text: those that are distinctive wherever
// they stand as a word, and the halves of those that a sentence shows the beginning and the
// end of.
func (k *known) takeOut(s string) (out string, found []Kind) {
	for _, secret := range k.secrets {
		if isDistinctive(secret.text) {
			var n int
			s, n = replaceWord(s, secret.text, placeholder(secret.kind))
			for range n {
				found = append(found, secret.kind)
			}
		}
		var cut bool
		if s, cut = takeHalves(s, secret); cut {
			found = append(found, secret.kind)
		}
	}
	return s, found
}

// isDistinctive reports whether a secret cannot be taken for a name, an address or a path
// that somebody wants to see.
func isDistinctive(secret string) bool {
	return len(secret) >= 8 && strings.ContainsAny(secret, "0123456789") && strings.Trim(secret, "0123456789") != "" &&
		!strings.ContainsAny(secret, "/:. []")
}

// replaceWord replaces a word that does not stand within a longer one.
func replaceWord(s, word, with string) (out string, n int) {
	if !strings.Contains(s, word) {
		return s, 0
	}
	var b strings.Builder
	for {
		i := strings.Index(s, word)
		if i < 0 {
			b.WriteString(s)
			return b.String(), n
		}
		end := i + len(word)
		b.WriteString(s[:i])
		if i > 0 && isAlnum(s[i-1]) && isAlnum(word[0]) || end < len(s) && isAlnum(s[end]) && isAlnum(word[len(word)-1]) {
			b.WriteString(word)
		} else {
			b.WriteString(with)
			n++
		}
		s = s[end:]
	}
}

// minPart is the least of a secret that is looked for beside the mark of what was left out:
// less is found by chance.
const minPart = 3

// ellipsis is what sentences have in the place of the middle of a long value.
const ellipsis = " … "

// takeHalves takes out what a sentence shows of a secret that it has cut: its end behind the
// ellipsis, its beginning before.
func takeHalves(s string, secret knownSecret) (out string, cut bool) {
	head, tail, found := strings.Cut(s, ellipsis)
	if !found {
		return s, false
	}
	for n := min(len(secret.text)-1, len(tail)); n >= minPart; n-- {
		if strings.HasPrefix(tail, secret.text[len(secret.text)-n:]) {
			tail, cut = placeholder(secret.kind)+tail[n:], true
			break
		}
	}
	for n := min(len(secret.text)-1, len(head)); n >= minPart; n-- {
		if strings.HasSuffix(head, secret.text[:n]) {
			head, cut = head[:len(head)-n]+placeholder(secret.kind), true
			break
		}
	}
	if !cut {
		return s, false
	}
	return head + ellipsis + tail, true
}
