package incident

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// maxReportBytes bounds an encoded account: 3 MiB, as for the report of one alert, since gRPC
// clients refuse messages of more than 4 MiB unless told otherwise.
const maxReportBytes = 3 << 20

// bounded is the account within its bound. What the alerts after the first added is cut where
// it is longest; the alert log has it whole.
func bounded(r *pb.Report) *pb.Report {
	if proto.Size(r) <= maxReportBytes {
		return r
	}
	out := proto.CloneOf(r)
	for _, limit := range [...]int{16 << 10, 1 << 10, 128} {
		clip(out, limit)
		if proto.Size(out) <= maxReportBytes {
			return out
		}
	}
	// The first alert alone is as large as a report may be: it stands in the alert log.
	if a := out.GetAlert(); a != nil {
		a.OutputFields, a.Extra = nil, nil
		a.Output = cut(a.GetOutput(), 128)
	}
	if e := out.GetEvent(); e != nil {
		e.Arguments = nil
	}
	if p := out.GetProcess(); p != nil {
		p.CommandLine, p.Environment = cut(p.GetCommandLine(), 128), cut(p.GetEnvironment(), 128)
	}
	for _, a := range out.GetAncestry() {
		clipAncestor(a, 128)
	}
	return out
}

// clip cuts what each alert adds to an account. A command that is too long goes: cut, it would
// not do what its text says.
func clip(r *pb.Report, limit int) {
	for _, n := range r.GetProcesses() {
		clipAncestor(n.GetProcess(), limit)
	}
	for _, g := range r.GetAlerts() {
		for _, s := range g.GetSamples() {
			for name, value := range s.GetFields() {
				s.Fields[name] = cut(value, limit)
			}
		}
	}
	for _, a := range r.GetActions() {
		if len(a.GetSnippet()) > limit {
			a.Snippet, a.Language = "", ""
		}
	}
	for _, f := range r.GetShown() {
		f.Statement = cut(f.GetStatement(), max(limit, 1<<10))
	}
}

func clipAncestor(a *pb.Ancestor, limit int) {
	if a != nil {
		a.Name, a.ExePath, a.CommandLine = cut(a.GetName(), limit), cut(a.GetExePath(), limit), cut(a.GetCommandLine(), limit)
	}
}

// cut is the beginning of a text, with a note of its length.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "… (cut: " + strconv.Itoa(len(s)) + " bytes in all)"
}
