package incident

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// newsUrgency is the news that an incident became more urgent.
const newsUrgency = "it became more urgent"

// news says what is new in kind about an alert that the group does not count yet; empty for
// nothing.
func (g *group) news(a *alert.Alert, r *pb.Report, x traits) string {
	i := g.ruleAt(a.Rule)
	switch {
	case r.GetUrgency().GetLevel() > g.asked:
		return newsUrgency
	case i < 0:
		return "another rule fired: " + phrase.Quote(a.Rule)
	case outcomeIsNews(g.rules[i].outcomes, r.GetEvent().GetOutcome()):
		return "the result changed: under " + phrase.Quote(a.Rule) + " a call " + outcomeText(r)
	case x.user != 0 && len(g.users) > 0 && len(g.users) < maxUsers && !slices.Contains(g.users, x.user):
		return "another user appeared: " + userName(r)
	case x.path != 0 && len(g.paths) < maxPaths && !slices.Contains(g.paths, x.path):
		return "a sensitive path appeared: " + phrase.Quote(r.GetFile().GetPath())
	default:
		return ""
	}
}

// isToldNow reports whether news are a revision at once. That it became more urgent always is,
// since a page must not wait; anything else only so often.
func (g *group) isToldNow(news string) bool {
	if news == newsUrgency {
		return true
	}
	if news == "" || g.immediate >= maxImmediate {
		return false
	}
	g.immediate++
	return true
}

// becomesMoreUrgent reports whether the last alert makes the account more urgent than it was, by
// itself or together with what was told before.
func (g *group) becomesMoreUrgent() bool {
	was := g.asked
	g.asked = g.asks()
	return g.asked > was
}

// asks is the urgency of the account as it is now.
func (g *group) asks() pb.UrgencyLevel {
	if g.level == pb.UrgencyLevel_URGENCY_LEVEL_PAGE {
		return g.level // there is nothing above
	}
	u, _ := g.urgency(g.ranked(), g.combine())
	return u.GetLevel()
}

// outcomeIsNews reports whether a call came out as none of its rule did before.
func outcomeIsNews(seen uint8, outcome pb.Outcome) bool {
	return outcome != pb.Outcome_OUTCOME_UNSPECIFIED && seen&(1<<outcome) == 0
}

func outcomeText(r *pb.Report) string {
	switch r.GetEvent().GetOutcome() {
	case pb.Outcome_OUTCOME_SUCCEEDED:
		return "succeeded"
	case pb.Outcome_OUTCOME_REFUSED:
		return "was refused (" + phrase.Visible(phrase.Shorten(r.GetEvent().GetResult())) + ")"
	case pb.Outcome_OUTCOME_FAILED:
		return "failed (" + phrase.Visible(phrase.Shorten(r.GetEvent().GetResult())) + ")"
	case pb.Outcome_OUTCOME_UNSPECIFIED:
	}
	return "ended in a way that is not known"
}

func userName(r *pb.Report) string {
	if name := cmp.Or(r.GetUser().GetName(), r.GetKubernetes().GetRequest().GetUser()); name != "" {
		return phrase.Quote(name)
	}
	return "uid " + strconv.FormatUint(uint64(r.GetUser().GetUid()), 10)
}

// hash64 tells texts apart that are counted. It is FNV-1a with its bits mixed, as estimates need
// it; 0 stands for the empty text.
func hash64(s string) uint64 {
	if s == "" {
		return 0
	}
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return max(h^h>>33, 1)
}

// traits are what may be new about an alert, as hashes; 0 stands for nothing.
type traits struct {
	user uint64
	path uint64 // of a file that matters by itself
}

func traitsOf(r *pb.Report) traits { return traits{hash64(userText(r)), sensitiveHash(r)} }

// sensitiveHash is the hash of the event's file if it matters by itself; 0 otherwise.
func sensitiveHash(r *pb.Report) uint64 {
	for _, file := range [...]string{r.GetFile().GetPath(), r.GetFile().GetNewPath()} {
		if !isSensitive(file) {
			continue
		}
		if strings.HasPrefix(file, "/proc/") {
			file = path.Base(file) // of every process the same
		}
		return hash64(path.Clean(file))
	}
	return 0
}

// target is what an alert's event was about: a file, a connection, a program, an object of
// Kubernetes; at least its line.
func target(a *alert.Alert, r *pb.Report) string {
	if r.GetFile() != nil {
		return cmp.Or(r.GetFile().GetPath(), r.GetFile().GetNewPath(), r.GetFile().GetTarget(), r.GetFile().GetRawPath())
	}
	if q := r.GetKubernetes().GetRequest(); q != nil {
		return cmp.Or(q.GetUri(), q.GetName())
	}
	if text := cmp.Or(r.GetNetwork().GetConnection(), r.GetProcess().GetCommandLine()); text != "" {
		return text
	}
	return alert.PlainLine(a.Output)
}

// shape is the hash of what makes a sample look like another: of the file only the folder, of
// a connection only the far end.
func shape(r *pb.Report) uint64 {
	far := r.GetNetwork().GetConnection()
	if _, to, ok := strings.Cut(far, "->"); ok {
		far = to
	}
	command, _, _ := strings.Cut(r.GetProcess().GetCommandLine(), " -")
	file := cmp.Or(r.GetFile().GetPath(), r.GetFile().GetNewPath())
	return hash64(strings.Join([]string{
		folder(file, 4), far, command, userText(r), r.GetEvent().GetType(), r.GetEvent().GetResult(),
		r.GetKubernetes().GetRequest().GetVerb(), r.GetKubernetes().GetRequest().GetNamespace(),
	}, "\x00"))
}
