package redact

import "strings"

// statements finds passwords that stand behind a word in statements: SQL's IDENTIFIED BY
// 'x' and PASSWORD 'x', netrc's login x password y, and what expect sends to a question.
func (f *finder) statements() {
	for i := range len(f.s) {
		switch f.s[i] {
		case 'i', 'I':
			if n := f.wordAt(i, "identified by"); n > 0 {
				f.quotedSecret(i + n)
			}
		case 'p', 'P':
			if n := f.wordAt(i, "password"); n > 0 {
				f.quotedSecret(i + n)
				f.netrc(i, i+n)
			}
		case 'u':
			if n := f.wordAt(i, "user"); n > 0 {
				f.login(i, i+n)
			}
		case 's':
			if n := f.wordAt(i, "send"); n > 0 {
				f.sent(i, i+n)
			}
		}
	}
}

// wordAt is the length of a word, in lower case here, if it stands at i by itself.
func (f *finder) wordAt(i int, word string) int {
	end := i + len(word)
	if end >= len(f.s) || i > 0 && isNameByte(f.s[i-1]) || !equalFold(f.s[i:end], word) || isNameByte(f.s[end]) {
		return 0
	}
	return len(word)
}

// quotedSecret adds what stands in quotes at i, behind spaces and a parenthesis.
func (f *finder) quotedSecret(i int) {
	at := i
	for at < len(f.s) && (f.s[at] == ' ' || f.s[at] == '(') {
		at++
	}
	if at == i || at == len(f.s) {
		return
	}
	if start, end := value(f.s, at); start > at && start < end {
		f.add(start, end, Password)
	}
}

// netrc adds the word behind a "password" at start, with its end, that comes after a login.
func (f *finder) netrc(start, end int) {
	before := strings.TrimRight(f.s[max(0, start-2*maxName):start], " \t\n")
	user := strings.LastIndexAny(before, " \t\n")
	if user < 0 {
		return
	}
	before = strings.TrimRight(before[:user], " \t\n")
	if before != "login" && !strings.HasSuffix(before, " login") && !strings.HasSuffix(before, "\nlogin") {
		return
	}
	for end < len(f.s) && isSpace(f.s[end]) {
		end++
	}
	s, e := value(f.s, end)
	f.add(s, e, Password)
}

// login adds the password of ftp's "user bob x", at the beginning of a line that ftp reads.
func (f *finder) login(start, end int) {
	before := f.s[max(0, start-maxPiped):start]
	if !strings.Contains(before, "ftp -") || !strings.HasSuffix(before, "\n") && !strings.HasSuffix(before, `\n`) {
		return
	}
	line := f.s[end:min(len(f.s), end+maxPiped)]
	if n := strings.IndexByte(line, '\n'); n >= 0 {
		line = line[:n]
	}
	if fields := strings.Fields(line); len(fields) > 1 {
		s, e := value(f.s, end+strings.LastIndex(line, fields[1]))
		f.addValue(s, e, Password)
	}
}

// sent adds what expect's send at start, with its end, sends where a password was waited for.
func (f *finder) sent(start, end int) {
	before := f.s[max(0, start-maxName):start]
	if i := strings.LastIndex(before, "expect"); i < 0 || !strings.Contains(before[i:], "assword") && !strings.Contains(before[i:], "assphrase") {
		return
	}
	for end < len(f.s) && (f.s[end] == ' ' || f.s[end] == '-') {
		end++
	}
	s, e := value(f.s, end)
	v := f.s[s:e]
	for _, lineEnd := range [...]string{`\n`, `\r`, `\`} {
		v = strings.TrimSuffix(v, lineEnd)
	}
	f.add(s, s+len(v), Password)
}
