package journal

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// checkFor is how much of a start the check of the file may take: a start must not take longer
// for a journal that is larger. What is left of the check is done beside the writer.
const checkFor = 100 * time.Millisecond

// quickCheck has SQLite look at every page of the database: whether they belong together, not
// whether each byte is as it was. It reports whether it came to the end before ctx did. 447 MiB
// take 0.8 s where the system has them in memory.
func quickCheck(ctx context.Context, path string) (whole bool, err error) {
	c, err := openConn(path, "ro")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	found := ""
	err = c.queryUntil(ctx, "PRAGMA quick_check(1)", nil, func(r []driver.Value) error {
		found = text(r[0])
		return nil
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return false, nil
	case err != nil:
		return true, err
	case found != "ok":
		// SQLite puts a line with the database's name first.
		_, what, _ := strings.Cut(found, "***\n")
		return true, fmt.Errorf("%w: %s", ErrDamaged, cmp.Or(what, found))
	default:
		return true, nil
	}
}

// checkFile checks the file before anything is written to it, as far as that gets in the time of
// a start.
func (s *SQLite) checkFile(ctx context.Context, path string, within time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	whole, err := quickCheck(limited, path)
	if err == nil {
		err = ctx.Err()
	}
	s.unchecked = !whole
	return damaged(err)
}

// checkRest checks the file while it is in use, until ctx ends. It is a long read transaction:
// meanwhile the WAL grows by what is written.
func (s *SQLite) checkRest(ctx context.Context) {
	_, err := quickCheck(ctx, filepath.Join(s.dir, databaseFile))
	switch {
	case err == nil:
	case isDamage(err):
		s.found.Store(&err)
		s.w.poke()
	default:
		s.log.Warn("journal could not be checked", "dir", s.dir, "why", explain(s.dir, err))
	}
}
