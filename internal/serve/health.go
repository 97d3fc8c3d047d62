package serve

import (
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// InputsHealthService is the name under which the health service tells how the inputs are.
// It is apart from the server's own health, so that a stopped Falco does not make an
// orchestrator restart falco-reporter.
const InputsHealthService = "falcoreporter.inputs"

// JournalHealthService is the name under which the health service tells whether the journal
// takes alerts and reports in, and gives them out. It, too, is apart from the server's health: what is kept can
// still be read, and a restart does not make room on a disk.
const JournalHealthService = "falcoreporter.journal"

// EnrichmentHealthService is the name under which the health service tells whether reports are made
// of the alerts that come in. While they are not, a restart may help: unlike the others, this is a
// state that falco-reporter should not be in.
const EnrichmentHealthService = "falcoreporter.enrichment"

// newHealth returns the health service of a server that can serve, with inputs that do not.
func newHealth() *health.Server {
	h := health.NewServer() // "" is SERVING from the start
	h.SetServingStatus(pb.ReportService_ServiceDesc.ServiceName, grpc_health_v1.HealthCheckResponse_SERVING)
	h.SetServingStatus(InputsHealthService, grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	h.SetServingStatus(JournalHealthService, grpc_health_v1.HealthCheckResponse_SERVING)
	h.SetServingStatus(EnrichmentHealthService, grpc_health_v1.HealthCheckResponse_SERVING)
	return h
}

// SetInputsServing sets the health of [InputsHealthService]. It has no effect once the server
// stops.
func (s *Server) SetInputsServing(serving bool) { s.setServing(InputsHealthService, serving) }

// SetJournalServing does the same for [JournalHealthService].
func (s *Server) SetJournalServing(serving bool) { s.setServing(JournalHealthService, serving) }

// SetEnrichmentServing does the same for [EnrichmentHealthService].
func (s *Server) SetEnrichmentServing(serving bool) { s.setServing(EnrichmentHealthService, serving) }

func (s *Server) setServing(service string, serving bool) {
	state := grpc_health_v1.HealthCheckResponse_NOT_SERVING
	if serving {
		state = grpc_health_v1.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus(service, state)
}

// setReportsLost says that reports can no longer be served: the journal is closed.
func (s *Server) setReportsLost() {
	for _, service := range []string{"", pb.ReportService_ServiceDesc.ServiceName} {
		s.health.SetServingStatus(service, grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	}
}
