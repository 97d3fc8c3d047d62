package enrich

import (
	"iter"
	"strings"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"

	"github.com/falco-reporter/falco-reporter/internal/phrase"
	"github.com/falco-reporter/falco-reporter/internal/program"
)

// maxCommand bounds how much of a command line is read for what it asks for: 16 KiB.
const maxCommand = 16 << 10

// command is a command line that tells what was asked for: the process's own, and that of a
// parent that is a shell or interpreter with its code in the arguments.
type command struct {
	whose string // "the command line"
	text  string
	name  string // of the process
	field string
}

// commands are the command lines to be read, the process's own first.
func (s *scene) commands() []command {
	p := s.r.GetProcess()
	var out []command
	if text := p.GetCommandLine(); text != "" {
		out = append(out, command{"the command line", text[:min(len(text), maxCommand)], p.GetName(), "proc.cmdline"})
	}
	if chain := s.r.GetAncestry(); len(chain) > 0 && chain[0].GetLevel() == 1 {
		text := chain[0].GetCommandLine()
		if text = text[:min(len(text), maxCommand)]; hasCode(chain[0].GetName(), text) {
			out = append(out, command{"the parent's command line", text, chain[0].GetName(), "proc.pcmdline"})
		}
	}
	return out
}

// findEncoded: a text hidden in base64 or hex, and one that a here-document brings.
func (s *scene) findEncoded() {
	for _, c := range s.commands() {
		if text, how := decoded(c.text); text != "" && !strings.Contains(c.text, "Basic ") && !strings.Contains(c.text, "Bearer ") { // those are credentials
			s.show(certain, "A word of "+c.whose+" is "+how+" of "+phrase.Quote(text)+".", c.field)
			if hasCode(c.name, c.text) || decoder(c.text) {
				s.raise(today, "A command hidden in "+how+".", "a known installer decodes its own script")
				s.raiseIntent(readAsCode(text), " hidden in "+how)
			}
		}
		if text, reader := hereDocument(c.text); text != "" {
			s.show(certain, "A here-document in "+c.whose+" holds "+phrase.Quote(text)+".", c.field)
			if program.IsShell(reader) || interpreter(reader) != "" {
				s.raise(today, "Code handed to "+phrase.Quote(reader)+" in a here-document.", "a known job hands over its own code")
				s.raiseIntent(readAsCode(text), " in a here-document")
			}
		}
	}
}

// readAsCode reads a text of which it is not known who runs it.
func readAsCode(text string) intent {
	out := shellIntent(text, 0)
	out.joinsShell = out.joinsShell || joinsByCode(text)
	return out
}

// raiseIntent asks for a page where code that is hidden or handed over asks for what an intruder
// does. What did not happen raises nothing.
func (s *scene) raiseIntent(i intent, where string) {
	switch {
	case s.didNotHappen():
	case i.joinsShell:
		s.raise(page, "A command"+where+" asks to join a shell to a connection.", "an authorised test opened this connection")
	case i.runsFetched:
		s.raise(page, "A command"+where+" asks to fetch code and run it.", "a known installer fetches its own code")
	}
}

// findCode: what an interpreter was told to do in its arguments. Of a shell it is said only where
// it opens a connection itself; the summary has the rest.
func (s *scene) findCode() {
	p := s.r.GetProcess()
	code := inlineCode(p.GetName(), p.GetCommandLine())
	switch {
	case code == "":
	case interpreter(p.GetName()) != "":
		s.show(certain, "The interpreter's code stands in its arguments: "+phrase.Quote(code)+".", "proc.name", "proc.cmdline")
	case strings.Contains(code, "/dev/tcp/"), strings.Contains(code, "/dev/udp/"):
		s.show(certain, "The shell's code opens a network connection by itself (/dev/tcp).", "proc.name", "proc.cmdline")
	}
}

// deed is something that a command line asks for and that by itself tells of an intent.
type deed uint8

const (
	hidesHistory deed = 1 << iota
	hidesLogs
	runsDecoded
	opensSocket
	joinsAShell
	fetchesCode
)

// deeds are what the command line of a process asks for. What a tool that prints or searches text
// has in its arguments is text.
func deeds(name, text string) deed {
	if isTextTool(name) {
		return 0
	}
	var all deed
	i := intentOf(name, text)
	if i.joinsShell && !isNetworkTool(name) { // what such a tool hands out is told as its own
		all |= joinsAShell
	}
	if i.runsFetched {
		all |= fetchesCode
	}
	for segment := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(";|&\n", r) }) {
		all |= segmentDeed(shellCode(strings.TrimSpace(segment)))
	}
	if runsDecodedCode(text) {
		all |= runsDecoded
	}
	if hasCode(name, text) && (strings.Contains(text, "/dev/tcp/") || strings.Contains(text, "/dev/udp/")) {
		all |= opensSocket
	}
	return all
}

// shellCode is a command without the shell that it was given to.
func shellCode(segment string) string {
	first, rest, _ := strings.Cut(segment, " ")
	if code, ok := strings.CutPrefix(rest, "-c "); ok && program.IsShell(baseName(first)) {
		return strings.Trim(code, `"' `)
	}
	return segment
}

// segmentDeed reads one simple command.
func segmentDeed(segment string) deed {
	first, args, _ := strings.Cut(segment, " ")
	switch baseName(first) {
	case "rm", "unlink", "shred", "truncate", ":>", ":", ">":
		switch {
		case strings.Contains(args, "_history"):
			return hidesHistory
		case strings.Contains(args, "/var/log/"):
			return hidesLogs
		}
	case "history":
		if strings.HasPrefix(args, "-c") {
			return hidesHistory
		}
	case "unset", "export":
		if args == "HISTFILE" || strings.HasPrefix(args, "HISTFILE=/dev/null") || strings.HasPrefix(args, "HISTSIZE=0") {
			return hidesHistory
		}
	case "HISTFILE=/dev/null", "HISTSIZE=0":
		return hidesHistory
	}
	return 0
}

// runsDecodedCode reports whether the output of a decoder goes to a shell or interpreter.
func runsDecodedCode(text string) bool {
	parts := strings.Split(text, "|")
	for i, part := range parts[:len(parts)-1] {
		if !decoder(part) {
			continue
		}
		next, _, _ := strings.Cut(strings.TrimSpace(parts[i+1]), " ")
		next = baseName(strings.Trim(next, `;"'`))
		if program.IsShell(next) || interpreter(next) != "" {
			return true
		}
	}
	return false
}

// decoder reports whether a command decodes base64 or hex.
func decoder(text string) bool {
	for _, d := range [...]string{"base64 -d", "base64 --d", "base64 -D", "xxd -r", "xxd -p -r", "openssl base64 -d", "openssl enc -d"} {
		if strings.Contains(text, d) {
			return true
		}
	}
	return false
}

// deedWords are what deeds ask for, for a sentence.
func deedWords(all deed) []string {
	if all&joinsAShell != 0 {
		all &^= opensSocket
	}
	var out []string
	for _, d := range [...]struct {
		deed deed
		word string
	}{
		{joinsAShell, "join a shell to a connection"},
		{fetchesCode, "fetch code and run it"},
		{hidesHistory, "wipe history"},
		{hidesLogs, "wipe logs"},
		{runsDecoded, "run decoded code"},
		{opensSocket, "open a connection"},
	} {
		if all&d.deed != 0 {
			out = append(out, d.word)
		}
	}
	return out
}

// findDeeds: what else was asked for in the same command line.
func (s *scene) findDeeds() {
	for _, c := range s.commands() {
		got := deeds(c.name, c.text)
		asks := deedWords(got)
		if len(asks) == 0 {
			continue
		}
		if got == opensSocket && c.field == "proc.cmdline" && program.IsShell(c.name) {
			continue // it is told of the shell's code
		}
		s.show(likely, strings.ToUpper(c.whose[:1])+c.whose[1:]+" asks to "+strings.Join(asks, ", ")+".", c.field)
		if c.field == "proc.pcmdline" {
			s.notShown("That all of the parent's command line was done.")
		}
		if !s.didNotHappen() {
			s.raiseDeeds(got)
		}
		return
	}
}

// raiseDeeds asks for the urgency of what a command line asks for.
func (s *scene) raiseDeeds(got deed) {
	server, _, below := s.server()
	switch hides := got & (hidesHistory | hidesLogs); {
	case got&joinsAShell != 0:
		s.raise(page, "A command line asks to join a shell to a connection.", "an authorised test opened this connection")
	case got&fetchesCode != 0 && below:
		s.raise(page, "Under a "+server.kind+", a command line asks to fetch code and run it.", "that server is meant to fetch this code")
	case hides != 0 && got&runsDecoded != 0:
		s.raise(page, "A command line asks to hide traces and to run decoded code.", "somebody here ran this as a test")
	case hides != 0 && got&opensSocket != 0:
		s.raise(page, "A command line asks to hide traces and to open a connection.", "somebody here ran this as a test")
	case got&fetchesCode != 0:
		s.raise(today, "A command line asks to fetch code and run it.", "a known installer is fetched and run like this")
	case hides != 0:
		s.raise(today, "A command line asks to hide traces.", "somebody here ran this as a test")
	case got&runsDecoded != 0:
		s.raise(today, "A command line asks to run code decoded from base64 or hex.", "a known installer decodes its own script")
	}
}

// maxNamed bounds how many paths out of a command line are told.
const maxNamed = 2

// findNamed: paths in the arguments that hold what an attacker wants. The path that the event is
// about is told elsewhere.
func (s *scene) findNamed() {
	p, told := s.r.GetProcess(), 0
	for word := range words(p.GetCommandLine()) {
		pl, ok := namedPlace(word)
		if !ok || !pl.grave && !pl.secret || word == s.r.GetFile().GetPath() {
			continue
		}
		if strings.HasPrefix(word, "/") && !strings.ContainsAny(word, "*?[") {
			s.show(likely, "The command line names "+phrase.Quote(word)+": it holds "+pl.holds+".", "proc.cmdline")
		} else {
			s.show(likely, "The command line names "+phrase.Quote(word)+": files of such names hold "+pl.holds+".", "proc.cmdline")
		}
		s.raiseNamed(pl)
		if told++; told == maxNamed {
			return
		}
	}
}

// raiseNamed asks for the urgency of a program in a container that was started to use a disk.
func (s *scene) raiseNamed(pl place) {
	name := s.r.GetProcess().GetName()
	if !pl.disk || !s.startsProgram() || isTextTool(name) || s.r.GetWorkload() != pb.Workload_WORKLOAD_CONTAINER {
		return
	}
	if name == "debugfs" {
		s.raise(page, "A file system editor in a container is told to use a disk, perhaps the node's.", "an administrator repairs a disk from this container")
		return
	}
	s.raise(today, "A program in a container is told to use a disk, perhaps the node's.", "the container's work is to manage disks")
}

// words are the words of a command line in which paths are looked for.
func words(text string) iter.Seq[string] {
	return strings.FieldsFuncSeq(text[:min(len(text), maxCommand)], func(r rune) bool { return strings.ContainsRune(" \t\n;|&<>\"'`()\\", r) })
}

// namedSecret is the first path in a command line that gives away credentials.
func namedSecret(text string) (path string, ok bool) {
	for word := range words(text) {
		if pl, ok := namedPlace(word); ok && pl.secret && !pl.disk {
			return word, true
		}
	}
	return "", false
}

// namedPlace is placeOf for a word that may be a part of a path or a pattern.
func namedPlace(word string) (place, bool) {
	word = strings.TrimLeft(word, "*.~")
	switch {
	case word == "id_rsa", word == "id_ed25519", word == "id_ecdsa":
		return placeOf("/.ssh/" + word)
	case strings.HasPrefix(word, "aws/"), strings.HasPrefix(word, "ssh/"), strings.HasPrefix(word, "kube/"):
		return placeOf("/." + word)
	case len(word) > 1 && strings.HasPrefix(word, "/"):
		return placeOf(word)
	default:
		return place{}, false
	}
}

// findDownload: the program's work is to fetch or send files.
func (s *scene) findDownload() {
	p := s.r.GetProcess()
	if !s.startsProgram() || !program.IsDownloader(p.GetName()) {
		return
	}
	if url := firstURL(p.GetCommandLine()); url != "" {
		s.show(certain, phrase.Quote(p.GetName())+" fetches or sends data; its arguments name "+phrase.Quote(url)+".", "proc.name", "proc.cmdline")
	} else {
		s.show(certain, "The program "+phrase.Quote(p.GetName())+" is made to fetch or send data over the network.", "proc.name")
	}
	s.notShown("What was fetched or sent, or whether anything was.")
}

// firstURL is the first word of a command line that is a URL.
func firstURL(text string) string {
	for word := range strings.FieldsSeq(text) {
		if scheme, _, ok := strings.Cut(strings.Trim(word, `"'`), "://"); ok && scheme != "" && strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz") == "" {
			return strings.Trim(word, `"'`)
		}
	}
	return ""
}

// startsProgram reports whether the event is the start of a program that was not refused.
func (s *scene) startsProgram() bool {
	return isExec(s.r.GetEvent().GetType()) && !s.didNotHappen()
}

// didNotHappen reports whether the result says that the call had no effect.
func (s *scene) didNotHappen() bool {
	return s.outcome() == pb.Outcome_OUTCOME_REFUSED || s.outcome() == pb.Outcome_OUTCOME_FAILED
}
