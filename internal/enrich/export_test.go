package enrich

import (
	"log/slog"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/alert"
	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// NewWorkerFunc makes a Worker with another way to make reports: for injected faults.
func NewWorkerFunc(j journal.Journal, report func(*alert.Alert) *pb.Report, log *slog.Logger) *Worker {
	w := NewWorker(j, nil, nil, log)
	w.report = report
	return w
}

// NewJoiningWorkerFunc makes such a Worker that joins.
func NewJoiningWorkerFunc(j journal.Journal, report func(*alert.Alert) *pb.Report, joiner func() Joiner, log *slog.Logger) *Worker {
	w := NewWorkerFunc(j, report, log)
	w.joiner = joiner
	return w
}
