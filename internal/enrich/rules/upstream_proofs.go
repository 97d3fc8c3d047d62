package rules

import (
	_ "embed"
	"strings"
)

// upstreamProofs are what the conditions of Falco's own rules prove: a line for each rule and
// system call, "RULE<tab>CALL<tab>: WHAT ...". TestUpstreamProofs makes it of falcosecurity/rules
// and checks that it is up to date.
//
//go:generate go test -run TestUpstreamProofs -update .
//go:embed upstream_proofs.tsv
var upstreamProofs string

// UpstreamProof is what the condition of Falco's own rule of this name proves of a matching call,
// for alerts whose rule file is not at hand.
func UpstreamProof(rule, call string) Proof {
	if strings.ContainsAny(rule+call, "\t\n") || call == "" {
		return Proof{}
	}
	_, rest, ok := strings.Cut(upstreamProofs, "\n"+rule+"\t"+call+"\t")
	if !ok {
		return Proof{}
	}
	what, _, _ := strings.Cut(rest, "\n")
	return Proof{
		Succeeded: strings.Contains(what, "succeeded"),
		Reads:     strings.Contains(what, "reads"),
		Writes:    strings.Contains(what, "writes"),
	}
}
