// Package journal keeps the two logs that everything between the inputs and the readers
// works from: the alert log (what was accepted, raw, in the order of acceptance) and the
// report log (the report revisions that enrichment made of it).
//
// An alert is accepted when [Journal.AppendAlerts] has returned. Readers have no state here:
// they ask for what comes after a [Cursor], at their own speed, and wait at the end of the
// log for more. No reader can hold up a writer. Whoever falls behind what is kept gets a
// [PrunedError] that says how much is gone and where the log now begins.
//
// The alert log never gives up an alert that enrichment has not accounted for: it lets
// AppendAlerts wait instead, so that pressure goes back to the input.
//
// [Memory] is the implementation without a disk, [SQLite] the one that survives its process.
// Every implementation passes the suite in package journaltest.
package journal

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/alert"
)

// Journal is the two logs. All methods may be called concurrently. A call whose ctx has ended
// before it does nothing but return ctx's error.
//
// Cursors of one log have nothing to do with those of the other. The zero Cursor stands
// before the first entry of either.
type Journal interface {
	// AppendAlerts accepts alerts, all or none of them, in their order. Until ctx ends, it waits
	// while there is no room for them beside the alerts that are not accounted for, and for
	// calls that wait since before it. When every alert is accounted for there is room for any
	// number. The result says for each alert whether it was new; one whose id is kept already
	// (or stands twice in the call) is a repeat, which is not written again and takes no room.
	// A call without alerts never waits. The journal keeps the alerts, which must not be
	// changed afterwards. The positions are noted in the same step as the alerts, or not at all:
	// what an input has read and where it stands are never apart.
	AppendAlerts(ctx context.Context, alerts []*alert.Alert, positions ...Position) (isNew []bool, err error)

	// Position returns what was last noted for an input, or ErrNotFound.
	Position(ctx context.Context, input string) ([]byte, error)

	// KeepRejected keeps messages that are no alerts, for inspection: the newest MaxRejected,
	// each cut to MaxRejectedBytes.
	KeepRejected(ctx context.Context, rejected ...Rejected) error

	// Rejected returns what KeepRejected has kept, oldest first.
	Rejected(ctx context.Context) ([]Rejected, error)

	// AppendReports appends report revisions and, in the same step, notes that the alert log
	// is accounted for up to and including the cursor done. Reports may be empty. A done
	// that is before Done changes nothing there; one of another journal or beyond the end of
	// the alert log is ErrForeignCursor, and nothing is appended. The revisions of a report
	// must be appended in their order. A state that is too large is a *StateSizeError, and nothing
	// is appended. The journal keeps the reports' Data, which must not be
	// changed afterwards. Old reports make way for new ones: there is always room. States are
	// kept in the same step: who makes reports out of alerts finds, after a crash, what it knew
	// at Done.
	AppendReports(ctx context.Context, done Cursor, reports []Report, states ...State) error

	// States returns all that AppendReports has kept, sorted by key.
	States(ctx context.Context) ([]State, error)

	// Done is the place in the alert log up to which AppendReports has accounted for it; its
	// Seq is 0 while it has for none. Reading after it is never a *PrunedError. Closing does
	// not change it.
	Done() Cursor

	// ReadAlerts returns at least one and at most limit alerts after the cursor, and waits for
	// the first until ctx ends. After the zero Cursor come the oldest that are kept, whatever
	// is gone before them. A limit below 1 counts as 1. Alerts are shared by all readers.
	// Errors: a *PrunedError, ErrForeignCursor, ErrClosed, ErrDamaged, and ctx's.
	ReadAlerts(ctx context.Context, after Cursor, limit int) ([]AlertEntry, error)

	// ReadReports does the same for the report log. Data is shared by all readers.
	ReadReports(ctx context.Context, after Cursor, limit int) ([]ReportEntry, error)

	// Alert returns the alert with the id, or ErrNotFound.
	Alert(ctx context.Context, id alert.ID) (AlertEntry, error)

	// Report returns the newest kept revision of the report with the id, or ErrNotFound.
	Report(ctx context.Context, id alert.ID) (ReportEntry, error)

	// Stats describes both logs.
	Stats(ctx context.Context) (Stats, error)

	// Close ends the journal: waiting and later calls return ErrClosed, but for Close itself,
	// which does nothing the second time.
	Close() error
}

// Position is how far an input has read its source.
type Position struct {
	// Input is the input's name: the same after a restart.
	Input string
	// Data is what the input makes of it; at most MaxPositionBytes.
	Data []byte
}

// State is something that the maker of reports wants to find again after a crash.
type State struct {
	// Key names it.
	Key string
	// Data is its value, at most MaxStateBytes; nil deletes the key.
	Data []byte
}

// Rejected is a message that is no alert.
type Rejected struct {
	// Time is when it came, in nanoseconds since 1970; Input is who received it.
	Time  int64
	Input string
	// Reason is why it is no alert, Raw the message or its beginning.
	Reason string
	Raw    []byte
}

// Bounds of positions, states and rejected messages.
const (
	MaxPositionBytes = 4 << 10
	MaxStateBytes    = 64 << 10
	MaxRejected      = 256
	MaxRejectedBytes = 16 << 10
)

// AlertEntry is an alert and its place in the alert log.
type AlertEntry struct {
	Cursor Cursor
	Alert  *alert.Alert
}

// Report is a report revision to be kept.
type Report struct {
	// ID is the report's: the id of its first alert.
	ID alert.ID
	// Revision counts up from 1.
	Revision uint32
	// Data is the encoded falcoreporter.v1.Report.
	Data []byte
	// Urgent is whether its urgency is page or today. A journal with bounds keeps a quarter of
	// its room for urgent reports, so that a flood of others cannot push them out.
	Urgent bool
}

// ReportEntry is a report revision and its place in the report log.
type ReportEntry struct {
	Cursor Cursor
	Report
}

// Stats describes a journal.
type Stats struct {
	// ID is the journal's identity, as in its cursors.
	ID string
	// Kind names the implementation.
	Kind string
	// Alerts and Reports describe the logs.
	Alerts, Reports LogStats
	// Path is where the journal lies, DiskBytes what it takes there; both are zero for one that
	// is not on disk.
	Path      string
	DiskBytes int64
	// Failure is why something cannot be written, brought to the disk for good, or read at the
	// moment, and empty while all that works; Since is when that began. Damage lasts.
	Failure string
	Since   time.Time
}

// LogStats describes one log.
type LogStats struct {
	// Oldest and Newest are the cursors of the first and last kept entry; both are zero while
	// nothing is kept. Tail is the cursor of the newest entry ever written, kept or
	// not: reading after it waits for what comes. Its Seq is 0 while nothing was ever written,
	// so that who reads on from there is told of what it misses, unlike after the zero Cursor.
	Oldest, Newest, Tail Cursor
	// Entries and Bytes are what is kept. Bytes counts the encoded alerts or reports.
	Entries, Bytes int64
}

// Errors that callers branch on.
var (
	// ErrNotFound says that no such entry is kept.
	ErrNotFound = errors.New("not found in the journal")
	// ErrForeignCursor says that a cursor is of another journal, or beyond this one's end.
	ErrForeignCursor = errors.New("the cursor is of another journal, or beyond the end of this one")
	// ErrClosed says that the journal is closed.
	ErrClosed = errors.New("the journal is closed")
	// ErrBadCursor says that a text is no cursor.
	ErrBadCursor = errors.New("not a cursor")
)

// StateSizeError says that a state has more than MaxStateBytes. Trying again is of no use.
type StateSizeError struct {
	Key   string
	Bytes int
}

// Error implements error.
func (e *StateSizeError) Error() string {
	return fmt.Sprintf("keep the state %q: it has %d bytes, more than %d", e.Key, e.Bytes, MaxStateBytes)
}

// PrunedError says that entries right after a cursor are no longer kept. It is told of every
// gap once: of the one before the oldest kept entry, and, among reports, of those between
// urgent ones that were kept while others around them went. What a reader read and what it
// missed add up. One that begins at the zero Cursor is not told of what was before the oldest
// kept entry, but of the gaps behind that.
type PrunedError struct {
	// Missed is how many entries after the cursor are gone.
	Missed uint64
	// Resume is the cursor after which the next kept entry stands, or will: reading goes on
	// there.
	Resume Cursor
}

// Error implements error.
func (e *PrunedError) Error() string {
	return fmt.Sprintf("%d entries after the cursor are no longer kept; the next that is kept stands after %s", e.Missed, e.Resume)
}

// Cursor is a place in one log of one journal: right behind the entry with this sequence
// number. The zero Cursor is the place before everything, in every journal. Cursors are
// comparable and, within a journal, ordered by Seq.
type Cursor struct {
	// Journal is the identity of the journal; empty only in the zero Cursor.
	Journal string
	// Seq is the entry's number, from 1. With 0, the cursor stands before the first entry.
	Seq uint64
}

// String is the form for clients: opaque to them, read back by ParseCursor. It is empty for
// the zero Cursor.
func (c Cursor) String() string {
	if c == (Cursor{}) {
		return ""
	}
	return c.Journal + "-" + strconv.FormatUint(c.Seq, 10)
}

// maxJournalID bounds the identity in a cursor from a client.
const maxJournalID = 32

// ParseCursor reads what String wrote, or returns ErrBadCursor. The empty text is the zero
// Cursor.
func ParseCursor(s string) (Cursor, error) {
	if s == "" {
		return Cursor{}, nil
	}
	id, num, ok := strings.Cut(s, "-")
	n, err := strconv.ParseUint(num, 10, 64)
	if !ok || err != nil || id == "" || len(id) > maxJournalID || strings.Trim(id, "0123456789abcdef") != "" {
		return Cursor{}, ErrBadCursor
	}
	c := Cursor{Journal: id, Seq: n}
	if c.String() != s {
		return Cursor{}, ErrBadCursor // zeros before the number: one place has one text
	}
	return c, nil
}
