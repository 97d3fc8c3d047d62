package enrich

import (
	"strings"

	"github.com/go-json-experiment/json"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"

	"github.com/falco-reporter/falco-reporter/internal/phrase"
)

// asked says what a request to the Kubernetes API asked for, as far as the alert says.
func (s *scene) asked(q *pb.KubernetesRequest) string {
	if binding := s.askedBinding(); binding != "" {
		return binding
	}
	name := ""
	if q.GetName() != "" {
		name = " " + phrase.Quote(q.GetName())
	}
	if q.GetResource() == "pods" {
		what := ""
		switch q.GetSubresource() {
		case "exec":
			what = "asked to exec into pod"
		case "attach":
			what = "asked to attach to pod"
		case "portforward":
			what = "asked to forward ports of pod"
		}
		if what != "" {
			if command := s.a.String("ka.uri.param[command]"); command != "" {
				name += " (" + phrase.Quote(command) + ")"
			}
			return what + name
		}
	}
	object := ""
	if kind := strings.Trim(q.GetResource()+"/"+q.GetSubresource(), "/"); kind != "" {
		object = " " + phrase.Quote(kind) + name
	} else if q.GetUri() != "" {
		object = " " + phrase.Quote(q.GetUri())
	} else {
		object = name
	}
	switch {
	case q.GetVerb() != "":
		return "asked to " + phrase.Quote(q.GetVerb()) + object
	case object != "":
		return "made a request about" + object
	default:
		return "made a request"
	}
}

// askedBinding says which role was to be bound to whom; empty where the alert names neither.
func (s *scene) askedBinding() string {
	role := s.a.String("ka.req.binding.role")
	subjects := bindingSubjects(s.a.String("ka.req.binding.subjects"))
	switch s.r.GetKubernetes().GetRequest().GetVerb() {
	case "", "create", "update", "patch":
	default:
		return "" // the binding is read or removed
	}
	byRule := role == "" && s.a.Rule == adminRule && (s.rule.Name == "" || strings.Contains(s.rule.Condition, "ka.req.binding.role=cluster-admin"))
	out := "asked to bind "
	switch {
	case role != "":
		out += phrase.Quote(role)
	case byRule:
		out += "cluster-admin (as the rule asks)"
	case subjects != "":
		out += "a role"
	default:
		return ""
	}
	if subjects != "" {
		out += " to " + subjects
	}
	return out
}

// maxSubjects bounds the subjects of a binding that are named.
const maxSubjects = 2

// bindingSubjects names the subjects of a role binding, which Falco prints as Kubernetes has them: an
// array of objects with a kind and a name; users are named without their kind. Anything else is quoted as it is.
func bindingSubjects(text string) string {
	var subjects []struct{ Kind, Name, Namespace string }
	if text == "" {
		return ""
	}
	if err := json.Unmarshal([]byte(text), &subjects, json.MatchCaseInsensitiveNames(true)); err != nil || len(subjects) == 0 {
		return phrase.Quote(text)
	}
	var named []string
	for _, x := range subjects[:min(len(subjects), maxSubjects)] {
		kind := ""
		switch x.Kind {
		case "Group":
			kind = "group "
		case "ServiceAccount":
			kind = "service account "
		}
		named = append(named, kind+phrase.Quote(strings.TrimPrefix(x.Namespace+"/"+x.Name, "/")))
	}
	out := strings.Join(named, " and ")
	if more := len(subjects) - len(named); more > 0 {
		out += " and " + phrase.Count(more, "other")
	}
	return out
}
