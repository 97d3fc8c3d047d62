package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	pb "github.com/falco-reporter/falco-reporter/gen/go/falcoreporter/v1"
)

// Status is what GetStatus answers: the daemon, the journal and the readers. It may be called
// concurrently.
func (s *Server) Status(ctx context.Context) (*pb.GetStatusResponse, error) {
	return s.reports.GetStatus(ctx, &pb.GetStatusRequest{})
}

// metricsTimeout bounds a request for metrics.
const metricsTimeout = 10 * time.Second

// ServeMetrics serves the numbers of GetStatus to Prometheus at /metrics until ctx ends, and
// closes the listener. Everything is read from one status, so that a scrape is of one instant
// and its sums hold. The labels are bounded: inputs as configured, kinds of readers, states.
func (s *Server) ServeMetrics(ctx context.Context, lis net.Listener) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		statusCollector{status: s.Status, enrichment: s.opts.Enrichment, log: s.opts.Logger},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: metricsTimeout}))
	server := &http.Server{
		Handler: mux, ReadTimeout: metricsTimeout, WriteTimeout: 2 * metricsTimeout, IdleTimeout: time.Minute, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
	s.opts.Logger.InfoContext(ctx, "serving metrics", "address", lis.Addr().String())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(lis) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve metrics on %s: %w", lis.Addr(), err)
	case <-ctx.Done():
	}
	err := server.Close() // a scrape that is cut off is made again
	if end := <-ended; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

// statusCollector makes metrics of a status.
type statusCollector struct {
	status     func(context.Context) (*pb.GetStatusResponse, error)
	enrichment func() Enrichment
	log        *slog.Logger
}

// Describe implements prometheus.Collector. It describes nothing, which tells the registry not
// to check what Collect sends against a list made beforehand.
func (statusCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c statusCollector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), metricsTimeout)
	defer cancel()
	st, err := c.status(ctx)
	if err != nil {
		c.log.Error("metrics are not to be had", "error", err)
		to <- prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(err), err)
		return
	}
	m := metrics{to: to, sent: make(map[string]bool), log: c.log}
	m.gauge("build_info", "The version of falco-reporter.", 1, "version", st.GetVersion(), "attack_version", st.GetAttackVersion())
	m.gauge("start_time_seconds", "When the daemon started.", seconds(st.GetStartTime().AsTime()))
	for _, in := range st.GetInputs() {
		m.input(in)
	}
	m.journal(st.GetJournal())
	m.counter("enriched_alerts_total", "Alerts accounted for in a report.", st.GetEnrichment().GetAlerts())
	m.counter("report_revisions_total", "Report revisions written.", st.GetEnrichment().GetRevisions())
	m.counter("plain_reports_total", "Alerts that enrichment failed on, reported from their raw fields.", st.GetEnrichment().GetPlain())
	if c.enrichment != nil {
		m.enrichment(c.enrichment())
	}
	m.gauge("subscribers", "Subscribers of the report stream.", float64(st.GetSubscribers()))
	m.readers(st.GetReaders())
	m.ancestry(st.GetAncestry())
}

// seconds is a time as Prometheus has it.
func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

// metrics sends metrics. One that cannot be sent costs itself only: the registry would answer a
// scrape with an error for all.
type metrics struct {
	to   chan<- prometheus.Metric
	sent map[string]bool // names with their labels
	log  *slog.Logger
}

// counter and gauge send one metric; labels are names and values in turn.
func (m metrics) counter(name, help string, v uint64, labels ...string) {
	m.send(name, help, prometheus.CounterValue, float64(v), labels)
}

func (m metrics) gauge(name, help string, v float64, labels ...string) {
	m.send(name, help, prometheus.GaugeValue, v, labels)
}

func (m metrics) send(name, help string, kind prometheus.ValueType, v float64, labels []string) {
	var names, values []string
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, strings.ToValidUTF8(labels[i+1], "\uFFFD"))
	}
	series := fmt.Sprintf("%s%q", name, values)
	if m.sent[series] {
		m.log.Warn("a metric is left out because there is another with the same labels", "metric", series)
		return
	}
	m.sent[series] = true
	metric, err := prometheus.NewConstMetric(prometheus.NewDesc("falco_reporter_"+name, help, names, nil), kind, v, values...)
	if err != nil {
		m.log.Warn("a metric is left out", "metric", series, "error", err)
		return
	}
	m.to <- metric
}

func (m metrics) input(in *pb.InputStatus) {
	label := []string{"input", in.GetName(), "kind", in.GetKind()}
	m.counter("input_received_total", "Messages received.", in.GetReceived(), label...)
	m.counter("input_journaled_total", "Alerts accepted: written to the alert log.", in.GetJournaled(), label...)
	m.counter("input_repeated_total", "Alerts that the alert log already had.", in.GetRepeated(), label...)
	m.counter("input_rejected_total", "Messages that are no alerts.", in.GetRejected(), label...)
	m.counter("input_lost_total", "Alerts received that could not be journaled.", in.GetLost(), label...)
	m.gauge("input_at_risk", "Alerts received and not in the journal yet.", float64(in.GetAtRisk()), label...)
	m.counter("input_answered_early_total", "Alerts whose sender was answered before they were in the journal.", in.GetAnsweredEarly(), label...)
	m.counter("input_disconnects_total", "Ends of a connection.", in.GetDisconnects(), label...)
	m.counter("input_uncertain_disconnects_total", "Ends of a connection that can have lost alerts.", in.GetUncertainDisconnects(), label...)
	m.counter("input_possible_losses_total", "What else can have lost alerts before they reached us.", in.GetPossibleLosses(), label...)
	m.counter("input_relayed_by_falcosidekick_total", "Alerts that came by way of falcosidekick; how many it lost is not known.", in.GetRelayedByFalcosidekick(), label...)
	m.counter("falco_dropped_events_total", "System calls that Falco says it dropped.", in.GetFalcoDroppedEvents(), label...)
	m.counter("falco_dropped_outputs_total", "Outputs that Falco says it dropped.", in.GetFalcoDroppedOutputs(), label...)
	if in.LagBytes != nil {
		m.gauge("input_lag_bytes", "Bytes of the source that are not read yet.", float64(in.GetLagBytes()), label...)
	}
	m.gauge("input_delay_seconds", "How long after its event the last alert arrived.", float64(in.GetLagNanos())/1e9, label...)
	if in.GetLastReceivedTime() != nil {
		m.gauge("input_last_received_timestamp_seconds", "When the last message came.", seconds(in.GetLastReceivedTime().AsTime()), label...)
	}
	for n, name := range pb.InputState_name {
		if n == 0 {
			continue
		}
		is := 0.0
		if pb.InputState(n) == in.GetState() {
			is = 1
		}
		state := strings.ToLower(strings.TrimPrefix(name, "INPUT_STATE_"))
		m.gauge("input_state", "1 for the state that the input is in.", is, append(label[:4:4], "state", state)...)
	}
}

func (m metrics) journal(j *pb.JournalStatus) {
	for name, l := range map[string]*pb.LogStatus{"alerts": j.GetAlerts(), "reports": j.GetReports()} {
		m.gauge("journal_entries", "Entries kept.", float64(l.GetEntries()), "log", name)
		m.gauge("journal_bytes", "Bytes of the entries kept.", float64(l.GetBytes()), "log", name)
	}
	m.gauge("journal_disk_bytes", "Bytes that the journal takes on disk.", float64(j.GetDiskBytes()), "kind", j.GetKind())
	m.gauge("journal_failing", "1 while the journal cannot be written, brought to disk for good, or read; GetStatus says why.", truth(j.GetFailure() != ""))
}

func (m metrics) enrichment(e Enrichment) {
	m.gauge("enrichment_waiting_alerts", "Alerts in the journal that have no report yet.", float64(e.Waiting))
	m.gauge("enrichment_stalled", "1 while no reports are made although alerts wait for them.", truth(e.Stalled))
}

// truth is 1 for true.
func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// readers adds the subscribers up: there is no bound on their names.
func (m metrics) readers(rs []*pb.ReaderStatus) {
	sums := map[string]*pb.ReaderStatus{"subscribers": {}}
	for _, r := range rs {
		kind := "subscribers"
		if r.GetName() == StdoutReader {
			kind = StdoutReader
		}
		if sums[kind] == nil {
			sums[kind] = &pb.ReaderStatus{}
		}
		s := sums[kind]
		s.Delivered += r.GetDelivered()
		s.Missed += r.GetMissed()
		s.Behind = max(s.Behind, r.GetBehind())
		s.PrunedUnread = max(s.PrunedUnread, r.GetPrunedUnread())
	}
	for kind, s := range sums {
		m.counter("reader_delivered_total", "Report revisions delivered.", s.GetDelivered(), "reader", kind)
		m.counter("reader_missed_total", "Report revisions that a reader fell behind of and did not get.", s.GetMissed(), "reader", kind)
		m.gauge("reader_behind", "Report revisions that wait for the slowest reader.", float64(s.GetBehind()), "reader", kind)
		m.gauge("reader_pruned_unread", "Of these, those that are not kept any more, at least.", float64(s.GetPrunedUnread()), "reader", kind)
	}
}

func (m metrics) ancestry(a *pb.AncestryStatus) {
	if a == nil {
		return
	}
	for _, l := range a.GetLayers() {
		live := 0.0
		if l.GetLive() {
			live = 1
		}
		m.gauge("ancestry_layer", "1 where the source of ancestry is in use.", live, "layer", l.GetName())
	}
	m.gauge("ancestry_processes", "Processes in the process table.", float64(a.GetProcesses()))
	m.gauge("ancestry_bytes", "Memory of the process table, estimated.", float64(a.GetBytes()))
	m.counter("ancestry_events_total", "Process events read from the kernel.", a.GetEvents())
	m.counter("ancestry_resyncs_total", "Times that events were lost and /proc was read again.", a.GetResyncs())
	m.counter("ancestry_evicted_total", "Ended processes that left for lack of room.", a.GetEvicted())
	m.counter("ancestry_lookups_total", "Alerts that were looked up.", a.GetLookups())
	m.counter("ancestry_found_total", "Alerts whose process was found.", a.GetFound())
	m.counter("ancestry_complete_total", "Alerts whose chain goes up to pid 1.", a.GetComplete())
}
