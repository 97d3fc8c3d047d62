package enrich

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/enrich/playbook"
	"github.com/falco-reporter/falco-reporter/internal/enrich/rules"
	"github.com/falco-reporter/falco-reporter/internal/phrase"
	"github.com/falco-reporter/falco-reporter/internal/program"
)

// scene is one alert being told: its fields, the report so far, and what is known of its kind.
type scene struct {
	a    *alert.Alert
	r    *pb.Report
	book *playbook.Playbook
	// general is the playbook of the source, whose text is true of every alert of it.
	general *playbook.Playbook
	// rule is the rule as the rule files have it; empty where they are not known.
	rule rules.Rule
	// proof is what the rule's condition proves of the call, where the fields do not say it.
	proof rules.Proof
	// raised is the highest urgency that a finding asks for; state the same of the findings on the
	// process itself, which hold whatever came of the call.
	raised, state asked
	// routine is what of the ordinary work of container engines this is; empty for nothing of it.
	routine string
	// routineFinding and peerFinding are the findings that say that, and how far the connection goes.
	routineFinding, peerFinding *pb.Finding
	// drillHinted is whether a name of a test tool was found, mentionOnly whether what the rule
	// is about is only text in the arguments of a tool that prints or searches text.
	drillHinted, mentionOnly bool
}

// tell writes the narrative into the report.
func (s *scene) tell() {
	s.r.Summary = s.summary()
	s.find()
	for _, sentence := range s.book.NotShown {
		if s.outcome() != pb.Outcome_OUTCOME_UNSPECIFIED {
			sentence = strings.Replace(sentence, ", or that the call succeeded.", ".", 1)
		}
		if !s.settled(sentence) {
			s.notShown(sentence)
		}
	}
	s.findLoginUser()
	s.leaveOpen()
	if s.isMetrics() {
		s.r.HarmlessIf = []string{"Falco is configured to print its figures (metrics)"} // no sign of anything else
	} else {
		s.r.HarmlessIf = append(s.r.HarmlessIf, slices.DeleteFunc(slices.Clone(s.book.HarmlessIf), s.ruledOut)...)
	}
	told := s.book
	if s.contradicts(told) {
		told = s.general
	}
	s.r.PossibleImpact = append(s.r.PossibleImpact, told.Impact...)
	s.r.Meaning = told.Means
	s.tellTimeline()
}

// settled reports whether the alert answers what a playbook leaves open for all alerts of a rule:
// its result does with "That it worked: refused calls match too", the place of the program with "That
// a file in /tmp ran", and what is said of containers is no question on the host.
func (s *scene) settled(sentence string) bool {
	if dir := openPlace(s.r.GetProcess().GetExePath()); dir != "" && strings.HasPrefix(sentence, "That a file in "+dir+" ran") {
		return true
	}
	if s.r.GetWorkload() == pb.Workload_WORKLOAD_HOST && strings.Contains(sentence, "container has its own") {
		return true
	}
	if s.outcome() == pb.Outcome_OUTCOME_UNSPECIFIED && s.r.GetKubernetes().GetRequest().GetResponseCode() == 0 {
		return false
	}
	_, reason, _ := strings.Cut(sentence, ": ")
	for _, word := range [...]string{"refused ", "a refused ", "failed "} {
		if strings.HasPrefix(reason, word) && strings.Contains(reason, " match") {
			return true
		}
	}
	return false
}

// ruledOut reports whether a condition supposes another result than the alert has: "..., and evt.res
// is EEXIST".
func (s *scene) ruledOut(condition string) bool {
	_, result, ok := strings.Cut(condition, "evt.res is ")
	result, _, _ = strings.Cut(result, " ")
	return ok && s.outcome() != pb.Outcome_OUTCOME_UNSPECIFIED && strings.Trim(result, ",.;") != cmp.Or(s.r.GetEvent().GetResult(), "SUCCESS")
}

// leaveOpen says what the event of a file leaves open, whatever the rule.
func (s *scene) leaveOpen() {
	path := s.r.GetFile().GetPath()
	if !s.isSyscall() || path == "" {
		return
	}
	call := s.r.GetEvent().GetType()
	told := slices.ContainsFunc(s.r.NotShown, func(n string) bool { return strings.Contains(n, "open") })
	if strings.HasPrefix(call, "open") && s.outcome() == pb.Outcome_OUTCOME_SUCCEEDED && !told {
		s.notShown("What was read or written: only the open is seen.")
	}
	kernel := strings.HasPrefix(path, "/proc/") || strings.HasPrefix(path, "/sys/") || strings.HasPrefix(path, "/dev/")
	hostTold := slices.ContainsFunc(s.r.NotShown, func(n string) bool { return strings.Contains(n, "host") })
	if s.r.GetWorkload() == pb.Workload_WORKLOAD_CONTAINER && strings.HasPrefix(path, "/") && !kernel && !hostTold && !s.isRuntimePart() && !s.didNotHappen() {
		s.notShown("That a file of the host was touched: the path is the container's.")
	}
}

// contradicts reports whether a rule's playbook may say more than this alert bears out. It is
// written for the rule as Falco ships it; a rule of that name can be another here. What was
// refused or failed did not have the playbook's effect, and what is said of a container is not
// true of the host.
func (s *scene) contradicts(book *playbook.Playbook) bool {
	if book.Rule == "" {
		return false
	}
	return s.didNotHappen() || s.r.GetWorkload() == pb.Workload_WORKLOAD_HOST && strings.Contains(strings.ToLower(book.Means+strings.Join(book.Impact, " ")), "container")
}

// show adds a finding.
func (s *scene) show(c pb.Confidence, statement string, evidence ...string) {
	s.r.Shown = append(s.r.Shown, &pb.Finding{Statement: statement, Evidence: s.present(evidence), Confidence: c})
}

// lastShown is the finding that was shown last, nil before the first.
func (s *scene) lastShown() *pb.Finding {
	if n := len(s.r.Shown); n > 0 {
		return s.r.Shown[n-1]
	}
	return nil
}

// present keeps of some fields those that the alert has, so that no finding names evidence
// that is not there.
func (s *scene) present(fields []string) []string {
	return slices.DeleteFunc(slices.Clone(fields), func(f string) bool {
		if f == "time" || f == "tags" {
			return false
		}
		_, ok := s.a.Lookup(f)
		return !ok
	})
}

// notShown adds a conclusion that the alert does not allow.
func (s *scene) notShown(sentence string) { s.r.NotShown = append(s.r.NotShown, sentence) }

// harmlessIf adds a condition under which this is harmless.
func (s *scene) harmlessIf(condition string) {
	drillTold := func(h string) bool { return strings.Contains(condition, "drill") && strings.Contains(h, "drill") }
	if slices.ContainsFunc(s.book.HarmlessIf, drillTold) {
		return
	}
	if !slices.Contains(s.r.HarmlessIf, condition) && !slices.Contains(s.book.HarmlessIf, condition) {
		s.r.HarmlessIf = append(s.r.HarmlessIf, condition)
	}
}

// summary says in a sentence or two who did what, where, and what came of it.
func (s *scene) summary() string {
	switch {
	case s.a.Kind == alert.KindFalcoInternal:
		return s.internalSummary()
	case s.a.Kind == alert.KindReporterInternal:
		return s.silenceSummary()
	case s.r.GetKubernetes().GetRequest() != nil:
		return s.requestSummary()
	case s.a.String("evt.type") == "container":
		return s.containerSummary()
	case s.r.GetProcess() != nil || s.r.GetEvent().GetType() != "" && s.isSyscall():
		return s.syscallSummary()
	default:
		return s.sourceSummary()
	}
}

func (s *scene) isSyscall() bool { return s.a.Source == "" || s.a.Source == "syscall" }

// syscallSummary tells a system call of a process.
func (s *scene) syscallSummary() string {
	call := s.a.String("evt.type")
	if isExec(call) {
		return s.execSummary()
	}
	did, do := describe(call)
	purpose := s.openPurpose()
	switch s.outcome() {
	case pb.Outcome_OUTCOME_SUCCEEDED:
		return s.subject() + " " + did + s.object(" ") + purpose + s.place() + "."
	case pb.Outcome_OUTCOME_REFUSED:
		return s.subject() + " tried to " + do + s.object(" ") + purpose + s.place() + " and was refused (" + s.resultName() + ")."
	case pb.Outcome_OUTCOME_FAILED:
		return s.subject() + " tried to " + do + s.object(" ") + purpose + s.place() + ", which failed (" + s.resultName() + ")."
	default:
		return s.subject() + " called " + phrase.Visible(cmp.Or(call, "the kernel")) + s.object(" on ") + purpose + s.place() + ", " + s.unknownResult() + "."
	}
}

// unknownResult says why nothing is said of the result.
func (s *scene) unknownResult() string {
	if res := s.r.GetEvent().GetResult(); res != "" {
		return "result " + phrase.Quote(res)
	}
	return "result unknown"
}

// execSummary tells the start of a program. Falco reports the call when it returns: with the
// new program if it succeeded and with the old one if it did not, so that without a result
// the words must not decide.
func (s *scene) execSummary() string {
	from := ""
	if s.fromMemory() {
		from = " from an anonymous memory file"
	}
	switch s.outcome() {
	case pb.Outcome_OUTCOME_SUCCEEDED:
		return s.userSubject() + " ran " + s.program() + from + s.parent() + s.place() + "."
	case pb.Outcome_OUTCOME_REFUSED, pb.Outcome_OUTCOME_FAILED:
		return s.subject() + " tried to start a program" + s.place() + ", which failed (" + s.resultName() + ")."
	default:
		return "Program start" + s.byUser() + ": " + s.program() + from + s.parent() + s.place() + ", " + s.unknownResult() + "."
	}
}

// parent names the parent of a program that was started.
func (s *scene) parent() string {
	if chain := s.r.GetAncestry(); len(chain) > 0 && chain[0].GetLevel() == 1 && chain[0].GetName() != "" {
		return " (parent " + phrase.Quote(chain[0].GetName()) + ")"
	}
	return ""
}

// containerSummary tells the start of a container.
func (s *scene) containerSummary() string {
	c := s.r.GetContainer()
	out := "Container " + phrase.Quote(cmp.Or(c.GetName(), cmp.Or(c.GetId(), "without a name")))
	if img := image(c); img != "" {
		out += " of image " + phrase.Quote(img)
	}
	return out + " was started" + s.onHost() + "."
}

// requestSummary tells a request to the Kubernetes API.
func (s *scene) requestSummary() string {
	q := s.r.GetKubernetes().GetRequest()
	var b strings.Builder
	b.WriteString("Kubernetes user " + phrase.Quote(cmp.Or(q.GetUser(), "unknown")) + " " + s.asked(q))
	if image := s.a.String("ka.req.pod.containers.image"); image != "" {
		b.WriteString(" with image " + phrase.Quote(image))
	}
	if q.GetNamespace() != "" {
		b.WriteString(" in namespace " + phrase.Quote(q.GetNamespace()))
	}
	switch code := q.GetResponseCode(); {
	case q.GetAuthorizationDecision() == "forbid" || code == 401 || code == 403:
		b.WriteString(" and was refused.")
	case code >= 400:
		b.WriteString(", which failed (HTTP " + strconv.FormatUint(uint64(code), 10) + ").")
	case granted(code):
		b.WriteString(", which was granted (HTTP " + strconv.FormatUint(uint64(code), 10) + ").")
	case code != 0:
		b.WriteString(", which was answered with HTTP " + strconv.FormatUint(uint64(code), 10) + ".")
	default:
		b.WriteString(", result unknown.")
	}
	return b.String()
}

// internalSummary tells what Falco says of itself.
func (s *scene) internalSummary() string {
	if n, ok := s.a.Int("n_drops"); ok && n > 0 {
		return "Falco" + s.onHost() + " lost " + phrase.Count(n, "system call") + " within about a second; no rule could match what was lost."
	}
	if s.isMetrics() {
		return "Falco" + s.onHost() + " reports its own figures."
	}
	return "Falco" + s.onHost() + " says of itself: " + phrase.Quote(alert.PlainLine(s.a.Output)) + "."
}

// silenceSummary tells of a host or input from which nothing comes.
func (s *scene) silenceSummary() string {
	from := "an input of falco-reporter"
	if s.a.Hostname != "" {
		from = "host " + phrase.Quote(s.a.Hostname)
	} else if name, ok := strings.CutPrefix(s.a.String("falcoreporter.silent"), "input "); ok {
		from = "the input " + phrase.Quote(name)
	}
	n, ok := s.a.Int("falcoreporter.silent_seconds")
	if !ok {
		return "falco-reporter says of itself: " + phrase.Quote(s.a.Output) + "."
	}
	return "Nothing came from " + from + " for " + phrase.Span(time.Duration(n)*time.Second) + ", neither alerts nor Falco's own notices."
}

// isMetrics reports whether Falco prints its figures, which it does at an interval.
func (s *scene) isMetrics() bool {
	return s.a.Kind == alert.KindFalcoInternal && strings.Contains(s.a.Rule, "metrics snapshot")
}

// subject is the process with its user: “cat /etc/shadow” as “root”.
func (s *scene) subject() string {
	switch {
	case s.processLost():
		return "A process that Falco could not name"
	case s.processUnnamed():
		return "A process that the alert does not name"
	default:
	}
	if u := s.userName(); u != "" {
		return s.program() + " as " + u
	}
	return s.program()
}

// userSubject begins a sentence with the user.
func (s *scene) userSubject() string {
	if u := s.userName(); u != "" {
		return "User " + u
	}
	return "A user that the alert does not name"
}

// byUser is the user within a sentence, nothing where Falco could not name one.
func (s *scene) byUser() string {
	if u := s.userName(); u != "" {
		return " by user " + u
	}
	return ""
}

// userName is the user's name, or the number where there is none.
func (s *scene) userName() string {
	u := s.r.GetUser()
	switch {
	case u.GetName() != "":
		return phrase.Quote(u.GetName())
	case u.GetUid() == 0 && u != nil && u.Uid != nil:
		return "root"
	case u != nil && u.Uid != nil:
		return "uid " + strconv.FormatUint(uint64(u.GetUid()), 10)
	default:
		return ""
	}
}

// program is the command line; with the name before it where that says something else.
func (s *scene) program() string {
	p := s.r.GetProcess()
	name, cmd := p.GetName(), p.GetCommandLine()
	switch {
	case cmd == "" && name == "":
		return "a program that the alert does not name"
	case cmd == "":
		return phrase.Quote(name)
	case name == "" || strings.HasPrefix(cmd, name):
		return phrase.Quote(brief(cmd))
	default:
		return phrase.Quote(name) + " (" + phrase.Quote(brief(cmd)) + ")"
	}
}

// maxBriefWords bounds the words of a command line in the summary, and phrase.MaxQuoted its characters:
// the first screen has few, and the whole command line stands in the details.
const maxBriefWords = 7

// minBrief is how many characters a cut between words must leave.
const minBrief = 16

// brief is the beginning of a command line, cut between words where it has any; of shells that
// only start each other the innermost one's code.
func brief(cmd string) string {
	if utf8.RuneCountInString(cmd) <= phrase.MaxQuoted && len(strings.Fields(cmd)) <= maxBriefWords {
		return cmd
	}
	cmd = innermost(cmd)
	words, in, last, runes := 0, false, 0, 0
	for i, r := range cmd {
		blank := r == ' ' || r == '\n' || r == '\t'
		if blank && in {
			last = i
		}
		if !blank && !in {
			words++
		}
		in = !blank
		if runes++; words > maxBriefWords || runes > phrase.MaxQuoted-len(" …") {
			if utf8.RuneCountInString(cmd[:last]) < minBrief {
				return cmd // a long word, whose end may tell more than what is before it
			}
			if peer := peerIn(cmd[last:]); peer != "" {
				return beginning(cmd, phrase.MaxQuoted-utf8.RuneCountInString(peer)-len(" …  …")) + " … " + peer + " …"
			}
			return phrase.Shorten(cmd[:last]) + " …"
		}
	}
	return cmd
}

// maxPeer bounds the characters of a peer, so that the command's beginning stands before it.
const maxPeer = 28

// peerIn is the first address or URL in the rest of a command line, with a port behind it: whom it is to
// talk to says more than the words before.
func peerIn(rest string) string {
	words := strings.Fields(rest)
	for i, word := range words {
		word = strings.Trim(word, "\"'<>&;|()`\\")
		if !isPeer(word) {
			continue
		}
		if i+1 < len(words) {
			if port := number(strings.Trim(words[i+1], "\"';|")); port != "" {
				word += " " + port
			}
		}
		if utf8.RuneCountInString(word) > maxPeer {
			return ""
		}
		return word
	}
	return ""
}

// isPeer reports whether a word is an address, one with a port, or a URL.
func isPeer(word string) bool {
	_, err := netip.ParseAddr(word)
	_, errPort := netip.ParseAddrPort(word)
	return err == nil || errPort == nil || firstURL(word) != ""
}

// beginning is as many whole words of a command line as fit into some characters, at most four.
func beginning(cmd string, most int) string {
	const maxWords = 4
	out := ""
	for i, word := range strings.Fields(cmd) {
		if i == maxWords || utf8.RuneCountInString(out)+1+utf8.RuneCountInString(word) > most {
			break
		}
		out = strings.TrimPrefix(out+" "+word, " ")
	}
	return out
}

// maxShells bounds how many shells in shells are looked into.
const maxShells = 8

// innermost leaves out the shells between the first and the innermost of a command line such as
// bash -c bash -c 'sh -c "id"'.
func innermost(cmd string) string {
	inner := func(s string) (string, bool) {
		shell, rest, _ := strings.Cut(s, " ")
		code, ok := strings.CutPrefix(rest, "-c ")
		return strings.TrimLeft(code, `"'\ `), ok && program.IsShell(shell)
	}
	code, ok := inner(cmd)
	depth := 0
	for next := code; ok && depth < maxShells; depth++ {
		code = next
		next, ok = inner(code)
	}
	if depth < 2 {
		return cmd
	}
	shell, _, _ := strings.Cut(cmd, " ")
	return shell + " -c … " + code
}

// object is what the call was about, with what joins it to the verb: a file after before, a
// connection, nothing.
func (s *scene) object(before string) string {
	f, n := s.r.GetFile(), s.r.GetNetwork()
	switch {
	case f.GetPath() != "" && f.GetNewPath() != "":
		return before + phrase.Quote(f.GetPath()) + " as " + phrase.Quote(f.GetNewPath())
	case f.GetTarget() != "" && f.GetNewPath() != "":
		return before + phrase.Quote(f.GetTarget()) + " as " + phrase.Quote(f.GetNewPath())
	case f.GetPath() != "":
		return before + phrase.Quote(f.GetPath())
	case f.GetNewPath() != "":
		return before + phrase.Quote(f.GetNewPath())
	case n.GetConnection() != "":
		if before == " " {
			before = joiner(s.r.GetEvent().GetType())
		}
		return before + phrase.Quote(n.GetConnection())
	case needsObject(s.r.GetEvent().GetType()):
		return before + "a path that the alert does not name"
	default:
		return ""
	}
}

// place is where it happened.
func (s *scene) place() string {
	k, c := s.r.GetKubernetes(), s.r.GetContainer()
	switch {
	case k.GetPodName() != "":
		return " in pod " + phrase.Quote(strings.TrimPrefix(k.GetNamespace()+"/"+k.GetPodName(), "/"))
	case c.GetName() != "":
		return " in container " + phrase.Quote(c.GetName())
	case c.GetId() != "":
		return " in container " + phrase.Quote(c.GetId())
	case s.r.GetWorkload() == pb.Workload_WORKLOAD_HOST:
		return " on the host"
	default:
		return s.onHost()
	}
}

func (s *scene) hostName() string {
	if s.a.Hostname == "" {
		return ""
	}
	return " " + phrase.Quote(s.a.Hostname)
}

func (s *scene) onHost() string {
	if s.a.Hostname == "" {
		return ""
	}
	return " on" + s.hostName()
}

// outcome is what came of the call: what the fields say, and otherwise what the rule's condition
// proves.
func (s *scene) outcome() pb.Outcome {
	if s.succeededByRule() {
		return pb.Outcome_OUTCOME_SUCCEEDED
	}
	return s.r.GetEvent().GetOutcome()
}

// resultName is the error's name with what it means.
func (s *scene) resultName() string { return phrase.Visible(s.r.GetEvent().GetResult()) }

// processUnnamed reports whether the alert names no process at all.
func (s *scene) processUnnamed() bool {
	p := s.r.GetProcess()
	return s.isSyscall() && p.GetName() == "" && p.GetCommandLine() == "" && p.GetExePath() == ""
}

// processLost reports whether Falco had lost sight of the process: the rule prints its fields,
// and they came without a value.
func (s *scene) processLost() bool {
	_, name := s.a.Lookup("proc.name")
	_, cmd := s.a.Lookup("proc.cmdline")
	return s.processUnnamed() && (name || cmd)
}

// fromMemory reports whether the process's executable is an anonymous memory file.
func (s *scene) fromMemory() bool {
	p := s.r.GetProcess()
	return p.GetExeFromMemfd() || strings.HasPrefix(p.GetExePath(), "memfd:") || slices.Contains(p.GetExeFlags(), "EXE_FROM_MEMFD")
}

// image is the container's image with its tag.
func image(c *pb.Container) string {
	if c.GetImageTag() == "" {
		return c.GetImageRepository()
	}
	return c.GetImageRepository() + ":" + c.GetImageTag()
}
