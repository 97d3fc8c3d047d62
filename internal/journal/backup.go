package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// openToRead opens a journal's database beside the process that writes to it.
func openToRead(ctx context.Context, dir string) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, databaseFile)
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no journal in %s: %w", dir, err)
		}
		return nil, fmt.Errorf("look at the journal: %w", err)
	}
	c, err := openConn(path, "ro")
	if err != nil {
		return nil, err
	}
	if err := identify(c); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), c.close())
	}
	return c, nil
}

// identify makes sure that a database is ours, and of a version that this program reads.
func identify(c *conn) error {
	err := c.script("PRAGMA busy_timeout = 5000; PRAGMA query_only = ON; PRAGMA cache_size = -2048;")
	if err != nil {
		return damaged(err)
	}
	id, _, err := c.number("PRAGMA application_id")
	if err != nil {
		return damaged(err)
	}
	if id != applicationID {
		return fmt.Errorf("%w: a database of another program (application id %#x)", ErrUnusable, id)
	}
	version, _, err := c.number("PRAGMA user_version")
	if err != nil {
		return damaged(err)
	}
	if newest := latest(migrations()); version != newest {
		return fmt.Errorf("%w: its schema has version %d, and this program reads %d", ErrUnusable, version, newest)
	}
	return nil
}

// Backup copies the journal in a directory to a file, as it is at one moment, while another
// process may write to it. The file is complete or not there; one that is there is not
// replaced. To use it, stop the program and put it in an empty directory as journal.db.
//
// While it runs, the WAL of the process that writes grows by what that writes.
func Backup(ctx context.Context, dir, file string) (err error) {
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("back up the journal to %s: %w", file, fs.ErrExist)
	}
	c, err := openToRead(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.script("PRAGMA query_only = OFF"); err != nil { // VACUUM INTO counts as writing
		return fmt.Errorf("back up the journal: %w", err)
	}
	if err := copyDatabase(c, file); err != nil {
		return fmt.Errorf("back up the journal to %s: %w", file, err)
	}
	return nil
}
