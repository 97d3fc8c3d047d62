package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/pflag"

	"github.com/falco-reporter/falco-reporter/internal/journal"
)

// journalFlags are the flags that say where the journal is and what it keeps.
type journalFlags struct {
	kind       string
	dir        string
	durability string
	age        time.Duration
	count      int
	size       string
}

// Values of --journal and --durability.
const (
	journalSQLite    = "sqlite"
	journalMemory    = "memory"
	durabilityNormal = "normal"
	durabilityPower  = "power"
)

// add adds the flags.
func (f *journalFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.kind, "journal", journalSQLite, "where alerts and reports are kept: sqlite (on disk), memory (gone with the process)")
	addStateDir(flags, &f.dir)
	flags.StringVar(&f.durability, "durability", durabilityNormal, "what a power cut may take: normal (the last 100 ms), power (nothing; slower)")
	flags.DurationVar(&f.age, "retain-age", 7*24*time.Hour, "for how long alerts and reports are kept")
	flags.IntVar(&f.count, "retain-count", 0, "how many alerts, and how many report revisions, are kept; 0 for as many as fit")
	flags.StringVar(&f.size, "retain-bytes", "512MiB", "how much disk the journal may take")
}

// addStateDir adds the flag that says where the journal on disk is.
func addStateDir(flags *pflag.FlagSet, dir *string) {
	flags.StringVar(dir, "state-dir", defaultStateDir(), "directory of the journal on disk")
}

// defaultStateDir is the one that systemd gives us, the system's for root, and the user's own
// otherwise.
func defaultStateDir() string {
	const name = "falco-reporter"
	if dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); dir != "" {
		return dir
	}
	if os.Geteuid() == 0 {
		return filepath.Join("/var/lib", name)
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, name)
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "state", name)
	}
	return ""
}

// options checks the flags; the result is nil for a journal in memory.
func (f *journalFlags) options(log *slog.Logger) (*journal.SQLiteOptions, error) {
	o := &journal.SQLiteOptions{Dir: f.dir, Retention: journal.Retention{Age: f.age, Count: f.count}, Log: log}
	var errs []error
	switch f.durability {
	case durabilityNormal:
		o.Durability = journal.DurabilityNormal
	case durabilityPower:
		o.Durability = journal.DurabilityPower
	default:
		errs = append(errs, fmt.Errorf("--durability %q: choose one of %s, %s", f.durability, durabilityNormal, durabilityPower))
	}
	size, err := humanize.ParseBytes(f.size)
	if err != nil || size > 1<<50 {
		errs = append(errs, fmt.Errorf("--retain-bytes %q: want a size such as 512MiB", f.size))
	}
	o.Retention.Bytes = int64(min(size, 1<<50))
	if f.age <= 0 || f.count < 0 {
		errs = append(errs, errors.New("--retain-age must be positive, --retain-count must not be negative"))
	}
	switch f.kind {
	case journalMemory:
		return nil, errors.Join(errs...)
	case journalSQLite:
		if f.dir == "" {
			errs = append(errs, errors.New("--state-dir: there is no home directory to take it from; give one, or --journal memory"))
		}
	default:
		errs = append(errs, fmt.Errorf("--journal %q: choose one of %s, %s", f.kind, journalSQLite, journalMemory))
	}
	return o, errors.Join(errs...)
}
