package journal

import (
	"errors"
	"math"
	"path/filepath"
	"time"
)

// Limited is the options with bounds that are exact in entries and encoded bytes, for alerts
// and reports; zero is no bound.
func (o SQLiteOptions) Limited(alerts int, alertBytes int64, reports int, reportBytes int64) SQLiteOptions {
	o.PendingAlerts, o.PendingBytes = orDefault(alerts, math.MaxInt32), orDefault(alertBytes, math.MaxInt64)
	o.bounds = &bounds{
		alertEntries: uint64(orDefault(alerts, math.MaxInt)), alertBytes: orDefault(alertBytes, math.MaxInt64),
		reportEntries: uint64(orDefault(reports, math.MaxInt)), reportBytes: orDefault(reportBytes, math.MaxInt64),
		disk: math.MaxInt64, wal: walBytes, age: 1000 * time.Hour,
	}
	return o
}

// Faulty is the options with what is asked before every statement of the writer.
func (o SQLiteOptions) Faulty(fault func(statement string) error) SQLiteOptions {
	o.fault = fault
	return o
}

// FaultyReaders and FaultySyncer are Faulty for the other connections. The function is called
// concurrently.
func (o SQLiteOptions) FaultyReaders(fault func(statement string) error) SQLiteOptions {
	o.readFault = fault
	return o
}

func (o SQLiteOptions) FaultySyncer(fault func(statement string) error) SQLiteOptions {
	o.syncFault = fault
	return o
}

// CheckedFor is the options with another time for the check of a start.
func (o SQLiteOptions) CheckedFor(d time.Duration) SQLiteOptions {
	o.checkFor = d
	return o
}

// Dir is where the journal lies.
func (s *SQLite) Dir() string { return s.dir }

// Migrating is the options with a migration for each statement, to versions 2, 3 and so on.
func (o SQLiteOptions) Migrating(statements ...string) SQLiteOptions {
	for i, statement := range statements {
		o.migrations = append(o.migrations, migration{to: int64(i) + 2, run: func(c *conn) error { return c.script(statement) }})
	}
	return o
}

// Execute changes a journal behind its back.
func Execute(dir, statement string) error {
	c, err := openConn(filepath.Join(dir, databaseFile), "rw")
	if err != nil {
		return err
	}
	return errors.Join(c.script(statement), c.close())
}
