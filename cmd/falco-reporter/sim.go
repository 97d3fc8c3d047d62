package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/falco-reporter/falco-reporter/internal/falcosim"
	"github.com/falco-reporter/falco-reporter/internal/serve"
)

func newSimCommand() *cobra.Command {
	var listen, file string
	var jsonOutput bool
	var play falcosim.PlayOptions
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Stand in for Falco's gRPC output: hand out recorded alerts to subscribers",
		Long: `Stand in for the gRPC outputs service of Falco 0.43, for trials and load: hand out recorded
alerts to subscribers as Falco does, with one queue for all of them, until a signal ends it.`,
		Example: `  falco-reporter sim --listen unix:///tmp/falco.sock --alerts alerts.jsonl --rate 100 --loop`,
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if listen == "" {
				return usageError{errors.New("--listen is missing: where to stand in for Falco, unix:///PATH")}
			}
			alerts, err := loadAlerts(file)
			if err != nil {
				return err
			}
			play.Alerts = alerts
			return simulate(cmd, listen, falcosim.Options{JSONOutput: jsonOutput}, play)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", "", "where to listen: unix:///PATH")
	flags.StringVar(&file, "alerts", "", "file with recorded alerts, one a line; without it the bundled ones")
	flags.Float64Var(&play.Rate, "rate", 0, "alerts a second; 0 is as fast as possible")
	flags.IntVar(&play.Count, "count", 0, "how many alerts in all; 0 is each once")
	flags.BoolVar(&play.Loop, "loop", false, "play them again and again")
	flags.BoolVar(&jsonOutput, "json-output", false, "put the whole alert in JSON into the output line, as Falco does with json_output")
	return cmd
}

// loadAlerts reads a recording, or the bundled alerts without one.
func loadAlerts(file string) ([]falcosim.Alert, error) {
	if file == "" {
		return falcosim.Load(bytes.NewReader(falcosim.DemoAlerts()))
	}
	f, err := os.Open(file) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	alerts, err := falcosim.Load(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return alerts, nil
}

// simulate plays alerts and serves them until a signal.
func simulate(cmd *cobra.Command, listen string, opts falcosim.Options, play falcosim.PlayOptions) error {
	ctx := cmd.Context()
	l, err := serve.Listen(ctx, listen)
	if err != nil {
		return err
	}
	sim := falcosim.New(opts)
	served := make(chan error, 1)
	go func() { served <- sim.Serve(l) }()
	// A loop without a rate is as fast as subscribers fetch, not as memory fills.
	if play.Loop || play.Count > 0 {
		play.Ahead = 10_000
	}
	err = sim.Play(ctx, play)
	if err == nil {
		<-ctx.Done()
	}
	sim.Terminate()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, <-served)
}
