package falcoconf

import (
	"slices"

	"go.yaml.in/yaml/v4"
)

// OutputKind names an output of Falco.
type OutputKind string

// The outputs.
const (
	StdoutOutput  OutputKind = "stdout_output"
	SyslogOutput  OutputKind = "syslog_output"
	FileOutput    OutputKind = "file_output"
	HTTPOutput    OutputKind = "http_output"
	ProgramOutput OutputKind = "program_output"
	GRPCOutput    OutputKind = "grpc_output"
)

// grpcServer is the section of the server behind GRPCOutput.
const grpcServer = "grpc"

// Output is one output.
type Output struct {
	// Kind is its name, as in the configuration.
	Kind OutputKind
	// Enabled is whether it is on. Depends is the text that it depends on where that cannot be
	// known from here: it names an environment variable of Falco's.
	Enabled bool
	Depends string
	// Set is whether somebody has set it: it is on, may be on, or differs from what Falco comes
	// with.
	Set bool
	// Target is where it writes to: a file, a URL, the address of the gRPC server. It may hold
	// secrets: see ShowURL.
	Target string
	// KeepAlive is whether it keeps its file or connection open.
	KeepAlive bool
	// Place is where it was set; zero where it was not.
	Place Place
}

// stock is the members that Falco's own falco.yaml has had since 0.35; the first value is what
// an absent member stands for.
func stock(kind OutputKind) map[string][]string {
	switch kind {
	case FileOutput:
		return map[string][]string{"keep_alive": {"false"}, "filename": {"", "./events.txt"}}
	case HTTPOutput:
		return map[string][]string{
			"url": {"", "http://some.url"}, "user_agent": {"falcosecurity/falco"}, "insecure": {"false"},
			"ca_cert": {""}, "ca_bundle": {""}, "ca_path": {"/etc/ssl/certs"}, "mtls": {"false"},
			"client_cert": {"/etc/ssl/certs/client.crt"}, "client_key": {"/etc/ssl/certs/client.key"}, "echo": {"false"},
			"compress_uploads": {"false"}, "keep_alive": {"false"}, "max_consecutive_timeouts": {"5"},
		}
	case grpcServer:
		return map[string][]string{
			"bind_address": {"unix:///run/falco/falco.sock", "0.0.0.0:5060", ""}, "threadiness": {"0"},
			"private_key": {"/etc/falco/certs/server.key"}, "cert_chain": {"/etc/falco/certs/server.crt"}, "root_certs": {"/etc/falco/certs/ca.crt"},
		}
	default: // whose members besides enabled are nobody's business here
		return nil
	}
}

// Output describes one output.
func (c *Config) Output(kind OutputKind) Output {
	o := Output{Kind: kind}
	s := c.sections[string(kind)]
	if s == nil {
		return o
	}
	o.Place = s.place
	if s.list {
		o.Set = true // Falco takes it for nothing, but somebody wrote it
		return o
	}
	o.Enabled, o.Depends = truth(member(s.value, "enabled"), false)
	o.KeepAlive, _ = truth(member(s.value, "keep_alive"), false)
	switch kind {
	case FileOutput:
		o.Target = c.member(string(kind), "filename")
	case HTTPOutput:
		o.Target = c.member(string(kind), "url")
	case grpcServer:
		o.Target = c.member(string(kind), "bind_address")
		if o.Target == "" {
			o.Target = "0.0.0.0:5060" // what Falco takes instead
		}
	case GRPCOutput:
		o.Target = c.Output(grpcServer).Target
	default:
	}
	o.Set = o.Enabled || o.Depends != "" || differs(s.value, stock(kind))
	return o
}

// differs reports whether a section has what Falco's own does not have.
func differs(n *yaml.Node, stock map[string][]string) bool {
	if stock == nil || n.Kind != yaml.MappingNode {
		return n.Kind == yaml.SequenceNode
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := follow(n.Content[i]), follow(n.Content[i+1])
		if key.Value == "enabled" || isNull(value) {
			continue
		}
		if value.Kind != yaml.ScalarNode || !slices.Contains(stock[key.Value], value.Value) {
			return true
		}
	}
	return false
}

// GRPCServer describes the gRPC server, which the gRPC output needs. Kind is "grpc".
func (c *Config) GRPCServer() Output { return c.Output(grpcServer) }

// Enabled are the outputs that are on or may be.
func (c *Config) Enabled() []Output {
	var out []Output
	for _, kind := range []OutputKind{StdoutOutput, SyslogOutput, FileOutput, ProgramOutput, HTTPOutput, GRPCOutput} {
		if kind == GRPCOutput && !c.opts.Version.HasGRPC() {
			continue
		}
		if o := c.Output(kind); o.Enabled || o.Depends != "" {
			out = append(out, o)
		}
	}
	return out
}
