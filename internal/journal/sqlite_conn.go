package journal

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	"modernc.org/sqlite"
)

// conn is one connection to the database, for one goroutine at a time. It uses the driver
// without database/sql, whose pool starts goroutines and costs a quarter more processor time
// for a commit of 64 alerts (840 against 650 us).
type conn struct {
	c driverConn
	// prepared are the statements that were used, by their text: a fixed number.
	prepared map[string]driverStmt
	args     []driver.NamedValue
	// fault, if set, is asked before every statement; tests make it fail.
	fault func(statement string) error
}

// driverConn and driverStmt are what the driver's connections and statements can do.
type driverConn interface {
	driver.Conn
	driver.ExecerContext
	driver.ConnPrepareContext
}

type driverStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// openConn opens a connection to an existing database; mode is SQLite's: rw, rwc or ro.
func openConn(path, mode string) (*conn, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", path, err)
	}
	name := url.URL{Scheme: "file", Path: abs, RawQuery: "mode=" + mode}
	opened, err := (&sqlite.Driver{}).Open(name.String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	c, ok := opened.(driverConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("open %s: the SQLite driver lacks what is needed of it", path), opened.Close())
	}
	return &conn{c: c, prepared: make(map[string]driverStmt)}, nil
}

// stmt prepares a statement the first time it is used.
//
//nolint:contextcheck,nolintlint // for its callers: statements are short and not interrupted; see exec
func (c *conn) stmt(text string) (driverStmt, error) {
	if err := c.faulty(text); err != nil {
		return nil, err
	}
	if s, ok := c.prepared[text]; ok {
		return s, nil
	}
	made, err := c.c.PrepareContext(context.Background(), text)
	if err != nil {
		return nil, err
	}
	s, ok := made.(driverStmt)
	if !ok {
		return nil, errors.Join(errors.New("the SQLite driver lacks what is needed of its statements"), made.Close())
	}
	c.prepared[text] = s
	return s, nil
}

// faulty is the error that a test wants of a statement.
func (c *conn) faulty(text string) error {
	if c.fault == nil {
		return nil
	}
	return c.fault(text)
}

// bind makes args what the driver takes. It is valid until the next call.
func (c *conn) bind(args []any) []driver.NamedValue {
	c.args = c.args[:0]
	for i, a := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return c.args
}

// exec runs one statement. Arguments are int64, string or []byte. Statements are short: none
// is interrupted, for which the driver would start a goroutine each time.
//
//nolint:contextcheck,nolintlint // for its callers: see above
func (c *conn) exec(text string, args ...any) error {
	s, err := c.stmt(text)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(context.Background(), c.bind(args))
	return err
}

// script runs several statements.
//
//nolint:contextcheck,nolintlint // for its callers: see exec
func (c *conn) script(text string) error {
	_, err := c.c.ExecContext(context.Background(), text, nil)
	return err
}

// errStop ends a query before its last row.
var errStop = errors.New("enough rows")

// query calls each with every row. What each is given is its own, but for the slice.
//
//nolint:contextcheck,nolintlint // for its callers: see exec
func (c *conn) query(text string, args []any, each func(row []driver.Value) error) error {
	return c.queryUntil(context.Background(), text, args, each)
}

// queryUntil is query for what may take long: it is interrupted when ctx ends.
func (c *conn) queryUntil(ctx context.Context, text string, args []any, each func(row []driver.Value) error) (err error) {
	s, err := c.stmt(text)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, c.bind(args))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		switch err := each(row); {
		case errors.Is(err, errStop):
			return nil
		case err != nil:
			return err
		}
	}
}

// number asks for one number; there is none where ok is false.
func (c *conn) number(text string, args ...any) (n int64, ok bool, err error) {
	err = c.query(text, args, func(row []driver.Value) error {
		n, ok = row[0].(int64)
		return nil
	})
	return n, ok, err
}

// close closes the statements and the connection.
func (c *conn) close() error {
	var errs []error
	for _, s := range c.prepared {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.c.Close())...)
}

// integer, text and blob read a column; what is of another type is as if it were empty.
func integer(v driver.Value) int64 { n, _ := v.(int64); return n }
func text(v driver.Value) string   { s, _ := v.(string); return s }
func blob(v driver.Value) []byte   { b, _ := v.([]byte); return b }

// count and signed convert the numbers of entries, which SQLite keeps with a sign.
func count(v driver.Value) uint64 { return uint64(max(integer(v), 0)) }
func signed(n uint64) int64       { return int64(n) } //nolint:gosec // no journal lives to see 2^63 entries

// hasCode reports whether err is one of SQLite's, by its primary result code.
func hasCode(err error, codes ...int) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	for _, code := range codes {
		if e.Code()&0xff == code {
			return true
		}
	}
	return false
}
