package journal

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// What Export can write.
const (
	ExportAlerts   = "alerts"
	ExportReports  = "reports"
	ExportRejected = "rejected"
)

// exportRows is how many rows are read in one transaction: a long one would keep the WAL of the
// process that writes from being shortened.
const exportRows = 64

// Export writes what a journal keeps as JSON, an object a line, oldest first, while another
// process may write to it. What that prunes meanwhile may be missing.
//
// An alert that came as JSON is written as it came, one that came over gRPC in the same shape.
// A report is what render makes of it, which must be one line without its end. A rejected
// message has time, input, reason and raw, or raw_base64 where it is no text.
func Export(ctx context.Context, dir string, w io.Writer, what string, render func(ReportEntry) ([]byte, error)) (err error) {
	c, err := openToRead(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	x := &exporter{c: c, s: &SQLite{content: newContents()}, w: w, render: render}
	switch what {
	case ExportAlerts:
		err = x.pages(ctx, x.alerts)
	case ExportReports:
		err = x.pages(ctx, x.reports)
	case ExportRejected:
		err = x.rejected()
	default:
		return fmt.Errorf("export %q: there are %s, %s and %s", what, ExportAlerts, ExportReports, ExportRejected)
	}
	if err != nil {
		return fmt.Errorf("export %s: %w", what, err)
	}
	return nil
}

// exporter writes entries.
type exporter struct {
	c      *conn
	s      *SQLite // puts reports together
	w      io.Writer
	render func(ReportEntry) ([]byte, error)
}

// pages calls page, which writes what comes after a number and returns the last it wrote, until
// there is no more.
func (x *exporter) pages(ctx context.Context, page func(after int64) (int64, error)) error {
	err := x.c.query("SELECT id FROM journal", nil, func(r []driver.Value) error { x.s.id = text(r[0]); return nil })
	for after := int64(0); err == nil; {
		if err = ctx.Err(); err != nil {
			break
		}
		last := after
		err = inSnapshot(x.c, func() (err error) { last, err = page(after); return err })
		if last == after {
			break
		}
		after = last
	}
	return err
}

func (x *exporter) line(b []byte) error {
	_, err := x.w.Write(append(b, '\n'))
	return err
}

// alerts writes rows of alerts that begin after a number. The first may begin with alerts that
// are pruned.
func (x *exporter) alerts(after int64) (int64, error) {
	state, err := loadCounters(x.c)
	if err != nil {
		return after, err
	}
	err = x.c.query("SELECT seq, entries, data FROM alerts WHERE seq > ? ORDER BY seq LIMIT ?", []any{after, int64(exportRows)}, func(r []driver.Value) error {
		after = integer(r[0])
		var failed error
		err := unpackRow(count(r[0]), blob(r[1]), blob(r[2]), state.alertFirst, func(_ uint64, a *alert.Alert) bool {
			var line []byte
			if line, failed = alertJSON(a); failed == nil {
				failed = x.line(line)
			}
			return failed == nil
		})
		return errors.Join(err, failed)
	})
	return after, err
}

func (x *exporter) reports(after int64) (int64, error) {
	err := x.c.query(selectReports+"seq > ? ORDER BY seq LIMIT ?", []any{after, int64(exportRows)}, func(r []driver.Value) error {
		after = integer(r[0])
		e, err := x.s.report(x.c, r)
		if err != nil {
			return err
		}
		line, err := x.render(e)
		if err != nil {
			return fmt.Errorf("report %s: %w", e.ID, err)
		}
		return x.line(line)
	})
	return after, err
}

func (x *exporter) rejected() error {
	list, err := readRejected(x.c)
	if err != nil {
		return err
	}
	for _, r := range list {
		out := struct {
			Time   time.Time `json:"time"`
			Input  string    `json:"input"`
			Reason string    `json:"reason"`
			Raw    string    `json:"raw,omitempty"`
			Base64 []byte    `json:"raw_base64,omitempty"`
		}{Time: time.Unix(0, r.Time).UTC(), Input: r.Input, Reason: r.Reason}
		if out.Raw = string(r.Raw); !utf8.Valid(r.Raw) {
			out.Raw, out.Base64 = "", r.Raw
		}
		line, err := encode(out)
		if err == nil {
			err = x.line(line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// encode is JSON on one line that leaves < and > as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// alertJSON is an alert as Falco writes it.
func alertJSON(a *alert.Alert) ([]byte, error) {
	if a.Encoding == alert.EncodingJSON {
		if bytes.IndexByte(a.Raw, '\n') < 0 {
			return bytes.Clone(a.Raw), nil
		}
		var b bytes.Buffer
		err := json.Compact(&b, a.Raw)
		return b.Bytes(), err
	}
	fields := make(map[string]string, len(a.Fields()))
	for _, f := range a.Fields() {
		if !alert.Absent(f.Name, f.Value) {
			fields[f.Name] = f.Value.Text()
		}
	}
	return encode(struct {
		Time     time.Time         `json:"time"`
		Rule     string            `json:"rule"`
		Priority string            `json:"priority"`
		Source   string            `json:"source"`
		Hostname string            `json:"hostname,omitempty"`
		Output   string            `json:"output"`
		Tags     []string          `json:"tags,omitempty"`
		Fields   map[string]string `json:"output_fields"`
	}{a.Time(), a.Rule, a.Priority.String(), a.Source, a.Hostname, a.Output, a.Tags, fields})
}
