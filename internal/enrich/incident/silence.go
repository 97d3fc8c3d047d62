package incident

import (
	"cmp"
	"errors"
	"path"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// Silence lowers the urgency of the alerts that it describes to record. It drops nothing.
type Silence struct {
	// Patterns, of which all that are given must match: * stands for any text, slashes
	// included, and ? for one character. Container is its name or id, Image its name with or
	// without the tag, User the name or number, Path every file of the event: both names of one that is renamed.
	Rule, Container, Image, User, Path string
	// Until is when it ends: later alerts are as urgent as without it, and say that it has
	// expired. Required.
	Until time.Time
	// By is who set it, Why for what.
	By, Why string
}

// Validate says what is wrong with a silence.
func (s Silence) Validate() error {
	var errs []error
	if s.Rule == "" && s.Container == "" && s.Image == "" && s.User == "" && s.Path == "" {
		errs = append(errs, errors.New("a silence without any pattern would silence everything: give rule, container, image, user or path"))
	}
	if s.Until.IsZero() {
		errs = append(errs, errors.New("a silence without an end: give until"))
	}
	return errors.Join(errs...)
}

// silenced is the report with the urgency that the silences leave it.
func (e *Engine) silenced(a *alert.Alert, r *pb.Report) *pb.Report {
	return silencedBy(e.options.Silences, a, r)
}

// silencedBy is the report with the urgency that these silences leave it. Whether one has expired
// goes by when the alert was received.
func silencedBy(silences []Silence, a *alert.Alert, r *pb.Report) *pb.Report {
	var expired *Silence
	for i := range silences {
		s := &silences[i]
		if !s.matches(a, r) {
			continue
		}
		if received(a) < s.Until.UnixNano() {
			return s.lower(r)
		}
		expired = s
	}
	if expired == nil {
		return r
	}
	out := share(r)
	out.Silence = expired.message(true)
	return out
}

func (s *Silence) matches(a *alert.Alert, r *pb.Report) bool {
	if s.Validate() != nil {
		return false
	}
	c, f, u := r.GetContainer(), r.GetFile(), r.GetUser()
	image := c.GetImageRepository()
	tagged := image
	if c.GetImageTag() != "" {
		tagged += ":" + c.GetImageTag()
	}
	uid := ""
	if u != nil && u.Uid != nil {
		uid = strconv.FormatUint(uint64(u.GetUid()), 10)
	}
	return anyMatches(s.Rule, a.Rule) && anyMatches(s.Container, c.GetName(), c.GetId()) && anyMatches(s.Image, image, tagged) &&
		anyMatches(s.User, u.GetName(), uid, r.GetKubernetes().GetRequest().GetUser()) && allMatch(s.Path, f.GetPath(), f.GetNewPath(), f.GetTarget())
}

// allMatch reports whether the paths that are known all match, and there is one; cleaned, so that
// /allowed/../etc is not taken for what it begins with. It does where there is no pattern.
func allMatch(pattern string, paths ...string) bool {
	if pattern == "" {
		return true
	}
	known := false
	for _, p := range paths {
		if p == "" {
			continue
		}
		if !glob(pattern, path.Clean(p)) {
			return false
		}
		known = true
	}
	return known
}

// anyMatches reports whether one of the values that are known matches; every one does where
// there is no pattern.
func anyMatches(pattern string, values ...string) bool {
	if pattern == "" {
		return true
	}
	for _, v := range values {
		if v != "" && glob(pattern, v) {
			return true
		}
	}
	return false
}

// glob matches a text with a pattern, in time of at most the product of their lengths.
func glob(pattern, text string) bool {
	p, t := 0, 0
	star, from := -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// lower is the report with its urgency lowered.
func (s *Silence) lower(r *pb.Report) *pb.Report {
	out := share(r)
	out.Silence = s.message(false)
	without := strings.ToLower(strings.TrimPrefix(r.GetUrgency().GetLevel().String(), "URGENCY_LEVEL_"))
	out.Urgency = &pb.Urgency{
		Level: pb.UrgencyLevel_URGENCY_LEVEL_RECORD,
		Why: "Silenced until " + s.Until.UTC().Format(time.DateTime) + " UTC by " + phrase.Quote(cmp.Or(s.By, "somebody")) + ": " + phrase.Quote(cmp.Or(s.Why, "no reason given")) +
			". Without that " + without + ": " + r.GetUrgency().GetWhy(),
		Late: r.GetUrgency().GetLate(),
	}
	return out
}

func (s *Silence) message(expired bool) *pb.Silence {
	return &pb.Silence{Reason: s.Why, Author: s.By, Until: timestamppb.New(s.Until), Expired: expired}
}
