package journal

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// applicationID marks a database as ours: "flcj".
const applicationID = 0x666c636a

// pageBytes is the size of a page. With 8 KiB an alert costs 2 us less in a commit of 64, but
// every commit writes twice as much, and reports of 4 to 8 KiB, which many are, take a whole page
// each (measured: 7.9 KB on disk instead of 5.1).
const pageBytes = 4096

// baseSchema is version 1. What can be told from others is not kept: no counters of entries
// that a row's neighbours already bound.
//
// The row of alerts with number seq holds n alerts, seq and those after it; entries and data
// are as packing.go says. A report's data refers to content as content.go says.
const baseSchema = `
CREATE TABLE journal (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, created INTEGER NOT NULL) STRICT;
CREATE TABLE counters (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	alert_first INTEGER NOT NULL, alert_next INTEGER NOT NULL, done INTEGER NOT NULL,
	alert_bytes INTEGER NOT NULL, alert_cost INTEGER NOT NULL,
	report_floor INTEGER NOT NULL, report_next INTEGER NOT NULL,
	report_entries INTEGER NOT NULL, report_bytes INTEGER NOT NULL, report_cost INTEGER NOT NULL,
	urgent_entries INTEGER NOT NULL, urgent_bytes INTEGER NOT NULL, urgent_cost INTEGER NOT NULL,
	held INTEGER NOT NULL, content_next INTEGER NOT NULL
) STRICT;
CREATE TABLE alerts (seq INTEGER PRIMARY KEY, n INTEGER NOT NULL, written INTEGER NOT NULL, entries BLOB NOT NULL, data BLOB NOT NULL) STRICT;
CREATE TABLE alert_ids (id BLOB PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE reports (
	seq INTEGER PRIMARY KEY, id BLOB NOT NULL, revision INTEGER NOT NULL, urgent INTEGER NOT NULL,
	written INTEGER NOT NULL, size INTEGER NOT NULL, cost INTEGER NOT NULL, data BLOB NOT NULL
) STRICT;
CREATE INDEX reports_by_id ON reports (id);
CREATE INDEX reports_urgent ON reports (urgent) WHERE urgent = 1;
CREATE TABLE content (id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, pins INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
CREATE INDEX content_by_epoch ON content (epoch) WHERE pins = 0;
CREATE TABLE positions (input TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE states (key TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE rejected (seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, input TEXT NOT NULL, reason TEXT NOT NULL, raw BLOB NOT NULL) STRICT;
INSERT INTO counters VALUES (1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1);
`

// migration brings a database from the version before to version to.
type migration struct {
	to  int64
	run func(c *conn) error
}

// migrations are the versions after the first, in their order.
func migrations() []migration { return nil }

// latest is the version that the migrations lead to.
func latest(list []migration) int64 {
	if len(list) == 0 {
		return 1
	}
	return list[len(list)-1].to
}

// prepareDatabase makes the database of the directory, or checks the one that is there and brings
// it to the latest version. The caller holds the lock.
func (s *SQLite) prepareDatabase(ctx context.Context, o SQLiteOptions) error {
	dir, list := s.dir, o.migrations
	path := filepath.Join(dir, databaseFile)
	_, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := createDatabase(dir, o.Now(), list); err != nil {
			return fmt.Errorf("make the journal: %w", err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("look at the journal: %w", err)
	}
	version, err := examine(path, latest(list))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := s.checkFile(ctx, path, o.checkFor); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if version == latest(list) {
		return nil
	}
	return migrate(dir, version, list)
}

// Places in the header of a SQLite file, which is 100 bytes long; numbers are big-endian.
const (
	headerBytes     = 100
	headerMagic     = "SQLite format 3\x00"
	headerPageSize  = 16
	headerVersion   = 60
	headerAppID     = 68
	headerPageCount = 28
)

// examine reads the version from the header of the file, which must be a whole database of
// ours. It reads the file by itself: SQLite would already change a foreign one.
func examine(path string, newest int64) (version int64, err error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the directory
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%w: not a regular file", ErrUnusable)
	}
	header := make([]byte, headerBytes)
	if _, err := f.ReadAt(header, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if string(header[:len(headerMagic)]) != headerMagic {
		return 0, fmt.Errorf("%w: damaged, or no SQLite database; it is left as it is. Move it away to begin anew", ErrUnusable)
	}
	if id := binary.BigEndian.Uint32(header[headerAppID:]); id != applicationID {
		return 0, fmt.Errorf("%w: a database of another program (application id %#x); it is left as it is", ErrUnusable, id)
	}
	version = int64(binary.BigEndian.Uint32(header[headerVersion:]))
	if version > newest || version < 1 {
		return 0, fmt.Errorf("%w: its schema has version %d, and this program knows up to %d; it is left as it is. Use the newer program, or go back to the copy beside it",
			ErrUnusable, version, newest)
	}
	size := int64(binary.BigEndian.Uint16(header[headerPageSize:])) * int64(binary.BigEndian.Uint32(header[headerPageCount:]))
	if _, err := os.Stat(path + "-wal"); info.Size() < size && errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%w: damaged: it should have %d bytes and has %d; it is left as it is", ErrUnusable, size, info.Size())
	}
	return version, nil
}

// createDatabase makes a database under another name and gives it its own when it is complete,
// so that a crash leaves none that is half made.
func createDatabase(dir string, now time.Time, list []migration) error {
	path, final := filepath.Join(dir, newFile), filepath.Join(dir, databaseFile)
	for _, stray := range []string{final + "-wal", final + "-shm"} {
		if _, err := os.Lstat(stray); err == nil {
			return fmt.Errorf("%s: %w: it is without its database; bring that back, or move it away, too", stray, ErrUnusable)
		}
	}
	for _, half := range []string{path, path + "-journal", path + "-wal", path + "-shm"} {
		if err := os.Remove(half); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := writeSchema(path, now, list); err != nil {
		return err
	}
	if err := os.Rename(path, final); err != nil {
		return err
	}
	return syncDir(dir)
}

// writeSchema makes a complete database without entries.
func writeSchema(path string, now time.Time, list []migration) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // the operator names the directory
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	c, err := openConn(path, "rw")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	// Auto-vacuum must be chosen before the first table.
	err = c.script(fmt.Sprintf(`PRAGMA page_size = %d; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = FULL; BEGIN;
		PRAGMA application_id = %d; PRAGMA user_version = 1; %s`, pageBytes, applicationID, baseSchema))
	if err != nil {
		return err
	}
	if err := c.exec("INSERT INTO journal VALUES (1, ?, ?)", randomID(), now.UnixNano()); err != nil {
		return err
	}
	if err := runMigrations(c, 1, list); err != nil {
		return err
	}
	return c.script("COMMIT; PRAGMA journal_mode = WAL;")
}

// migrate keeps a copy of the database as it is, then brings it to the latest version, in one
// transaction. The way back: stop the program, remove journal.db-wal and -shm, and give the
// copy the name journal.db.
func migrate(dir string, from int64, list []migration) (err error) {
	path := filepath.Join(dir, databaseFile)
	c, err := openConn(path, "rw")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := copyDatabase(c, fmt.Sprintf("%s.v%d.bak", path, from)); err != nil {
		return fmt.Errorf("keep a copy of the journal before its migration: %w", err)
	}
	if err := c.script("PRAGMA synchronous = FULL; BEGIN IMMEDIATE;"); err != nil {
		return fmt.Errorf("migrate the journal: %w", err)
	}
	if err := runMigrations(c, from, list); err != nil {
		return errors.Join(fmt.Errorf("migrate the journal, which is left as it was: %w", err), c.script("ROLLBACK"))
	}
	// The header must say the new version before anyone reads it without the WAL.
	if err := c.script("COMMIT; PRAGMA wal_checkpoint(TRUNCATE);"); err != nil {
		return fmt.Errorf("migrate the journal: %w", err)
	}
	return nil
}

// runMigrations runs those that lead beyond the version, within the caller's transaction.
func runMigrations(c *conn, from int64, list []migration) error {
	for _, m := range list {
		if m.to <= from {
			continue
		}
		if err := m.run(c); err != nil {
			return fmt.Errorf("to version %d: %w", m.to, err)
		}
		if err := c.script(fmt.Sprintf("PRAGMA user_version = %d", m.to)); err != nil {
			return fmt.Errorf("to version %d: %w", m.to, err)
		}
	}
	return nil
}

// copyDatabase writes a copy of the database, as it is at one moment, to a file that is either
// complete or not there. An older file of that name is replaced.
func copyDatabase(c *conn, to string) error {
	half := to + ".part"
	if err := os.Remove(half); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// SQLite fills an empty file that is there, which keeps the mode that it was made with.
	f, err := os.OpenFile(half, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	err = c.query("VACUUM INTO ?", []any{half}, func([]driver.Value) error { return nil })
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(half, to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(half))
	}
	return syncDir(filepath.Dir(to))
}
