package enrich

import (
	"cmp"
	"strings"

	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// sourceSummary tells an event that a plugin read: who, from where and with which error, where the
// fields say so, and what the rule's author printed.
func (s *scene) sourceSummary() string {
	var out strings.Builder
	out.WriteString("Falco's source " + phrase.Quote(cmp.Or(s.a.Source, "unknown")) + " reported")
	for _, part := range [...]struct {
		word   string
		fields []string
	}{
		{"for user ", []string{"ct.user", "okta.actor.name", "github.user", "gcp.user"}},
		{"from ", []string{"ct.srcip", "okta.client.ip", "gcp.callerIP"}},
		{"about ", []string{"s3.bucket", "github.repo.name", "okta.target.user.name"}},
		{"with error ", []string{"ct.error"}},
	} {
		for _, field := range part.fields {
			if v := s.a.String(field); v != "" {
				out.WriteString(" " + part.word + phrase.Quote(v))
				break
			}
		}
	}
	line := alert.PlainLine(s.a.Output)
	if text, fields, ok := strings.Cut(line, " | "); ok && fields != "" && text != "" {
		line = text // the values behind it stand in the details
	}
	return out.String() + ": " + phrase.Quote(strings.TrimSuffix(line, ".")) + "."
}
