package app

import (
	"context"
	"log/slog"
	"time"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/serve"
)

// lastLook bounds how long the ledger of the readers may take at the end.
const lastLook = time.Second

// readersAtEnd is what became of the report log with each reader. The journal must still be open.
func (a *App) readersAtEnd(ctx context.Context) []*pb.ReaderStatus {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
	defer cancel()
	st, err := a.server.Status(ctx)
	if err != nil {
		a.log.Warn("what became of the readers cannot be told", "error", err)
		return nil
	}
	return st.GetReaders()
}

// logEnd says in one line what became of every alert and every report.
func (a *App) logEnd(readers []*pb.ReaderStatus) {
	w := a.worker.Stats()
	a.log.Info("stopped", "alerts", w.Alerts, "reports", w.Revisions, "plain", w.Plain,
		"inputs", slog.GroupValue(a.inputsAtEnd()...), "readers", slog.GroupValue(sumReaders(readers)...))
}

// inputsAtEnd is the ledger of each input.
func (a *App) inputsAtEnd() []slog.Attr {
	var out []slog.Attr
	for _, in := range a.inputs {
		s := in.ledger.Status()
		attrs := []slog.Attr{
			slog.Uint64("received", s.Received), slog.Uint64("journaled", s.Journaled), slog.Uint64("repeated", s.Repeated),
			slog.Uint64("rejected", s.Rejected), slog.Uint64("at_risk", s.AtRisk()), slog.Uint64("lost", s.Lost),
			slog.Uint64("left_at_source", s.Left), slog.Uint64("answered_early", s.AnsweredEarly),
			slog.Uint64("disconnects", s.Disconnects), slog.Uint64("uncertain_disconnects", s.Uncertain),
			slog.Uint64("possible_losses", s.PossibleLosses),
			slog.Uint64("falco_dropped_events", s.FalcoDroppedEvents), slog.Uint64("falco_dropped_outputs", s.FalcoDroppedOutputs),
		}
		if s.PossibleLoss != "" {
			attrs = append(attrs, slog.String("last_possible_loss", s.PossibleLoss), slog.Time("possible_loss_time", s.LossTime))
		}
		if s.Relayed > 0 {
			attrs = append(attrs, slog.Uint64("relayed_by_falcosidekick", s.Relayed), slog.String("lost_by_falcosidekick", "unknown"))
		}
		out = append(out, slog.GroupAttrs(s.Name, attrs...))
	}
	return out
}

// sumReaders is the ledger of stdout, and that of the subscribers together.
func sumReaders(readers []*pb.ReaderStatus) []slog.Attr {
	sums := []*pb.ReaderStatus{{Name: serve.StdoutReader}, {Name: "subscribers"}}
	for _, r := range readers {
		s := sums[1]
		if r.GetName() == serve.StdoutReader {
			s = sums[0]
		}
		s.Delivered += r.GetDelivered()
		s.Missed += r.GetMissed()
		s.Behind = max(s.GetBehind(), r.GetBehind())
		s.PrunedUnread = max(s.GetPrunedUnread(), r.GetPrunedUnread())
	}
	out := make([]slog.Attr, 0, len(sums))
	for _, s := range sums {
		out = append(out, slog.GroupAttrs(s.GetName(), slog.Uint64("delivered", s.GetDelivered()), slog.Uint64("missed", s.GetMissed()),
			slog.Uint64("behind", s.GetBehind()), slog.Uint64("pruned_unread", s.GetPrunedUnread())))
	}
	return out
}
