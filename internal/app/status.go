package app

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
	"github.com/falco-reporter/falco-reporter/internal/consumer"
	"github.com/falco-reporter/falco-reporter/internal/serve"
)

// status describes the daemon; the server adds the journal and its subscribers.
func (a *App) status(ctx context.Context) (*pb.GetStatusResponse, error) {
	w, now := a.worker.Stats(), a.progress.state()
	out := &pb.GetStatusResponse{
		Version:       a.opts.Version,
		StartTime:     timestamppb.New(a.start),
		AttackVersion: a.enricher.AttackVersion(),
		Enrichment:    &pb.EnrichStatus{Alerts: w.Alerts, Revisions: w.Revisions, Plain: w.Plain, Waiting: now.Waiting, Stalled: now.Stalled},
	}
	for _, in := range a.inputs {
		out.Inputs = append(out.Inputs, inputStatus(in.ledger.Status(), in.ledger.Losses()))
	}
	out.Ancestry = &pb.AncestryStatus{Layers: []*pb.AncestryLayer{{Name: "alert", Live: true}}}
	if a.tracker != nil {
		out.Ancestry = a.tracker.Status()
	}
	if a.printer != nil {
		stats, err := a.journal.Stats(ctx)
		if err != nil {
			return nil, err
		}
		behind, pruned := serve.Unread(a.printer.at.Load(), stats.Reports)
		out.Readers = append(out.Readers, &pb.ReaderStatus{
			Name: serve.StdoutReader, Delivered: a.printer.printed(), Missed: a.printer.missed(), Since: timestamppb.New(a.start),
			Behind: behind, PrunedUnread: pruned,
		})
	}
	return out, nil
}

func inputStatus(s consumer.Status, losses []consumer.Loss) *pb.InputStatus {
	out := &pb.InputStatus{
		Name:                 s.Name,
		Kind:                 s.Kind,
		Address:              s.Address,
		State:                inputState(s.State),
		StateSince:           timestamppb.New(s.Since),
		Reason:               s.Reason,
		FalcoVersion:         s.FalcoVersion,
		Received:             s.Received,
		Journaled:            s.Journaled,
		Repeated:             s.Repeated,
		Rejected:             s.Rejected,
		AtRisk:               s.AtRisk(),
		Lost:                 s.Lost,
		Disconnects:          s.Disconnects,
		UncertainDisconnects: s.Uncertain,
		LastRejected:         s.LastRejected,
		PossibleLosses:       s.PossibleLosses,
		PossibleLoss:         s.PossibleLoss,
		Position:             s.Position,
		LagNanos:             s.Delay.Nanoseconds(),
		FalcoDroppedEvents:   s.FalcoDroppedEvents,
		FalcoDroppedOutputs:  s.FalcoDroppedOutputs,
		AnsweredEarly:        s.AnsweredEarly,

		RelayedByFalcosidekick: s.Relayed,
		LeftAtSource:           s.Left,
	}
	for _, l := range losses {
		out.RecentLosses = append(out.RecentLosses, &pb.PossibleLoss{
			What: l.What, Count: l.Count, FirstTime: timestamppb.New(l.First), LastTime: timestamppb.New(l.Last),
		})
	}
	if !s.LossTime.IsZero() {
		out.PossibleLossTime = timestamppb.New(s.LossTime)
	}
	if s.Lag >= 0 {
		out.LagBytes = new(uint64(s.Lag))
	}
	if !s.LastReceived.IsZero() {
		out.LastReceivedTime = timestamppb.New(s.LastReceived)
	}
	return out
}

func inputState(s consumer.State) pb.InputState {
	switch s {
	case consumer.StateConnecting:
		return pb.InputState_INPUT_STATE_CONNECTING
	case consumer.StateConnected:
		return pb.InputState_INPUT_STATE_CONNECTED
	case consumer.StateStopped:
		return pb.InputState_INPUT_STATE_STOPPED
	case consumer.StateSilent:
		return pb.InputState_INPUT_STATE_SILENT
	case consumer.StateDropping:
		return pb.InputState_INPUT_STATE_DROPPING
	default:
		return pb.InputState_INPUT_STATE_UNSPECIFIED
	}
}
