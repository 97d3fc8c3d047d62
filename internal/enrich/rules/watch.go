package rules

import (
	"log/slog"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/userfile"
)

// NewWatcher loads the paths at once, and again when they change. The Watcher is never nil: with
// an error, that of Load, it has what could be loaded and goes on from there; the caller decides
// whether that is enough.
func NewWatcher(paths []string, interval time.Duration, log *slog.Logger) (*userfile.Watcher[Set], error) {
	return userfile.Watch(userfile.Subject[Set]{
		Name: "rule files",
		Locate: func() ([]string, []error) {
			files, problems := locate(paths)
			names := make([]string, len(files))
			for i, f := range files {
				names[i] = f.path
			}
			return names, problems
		},
		Load:  func() (*Set, error) { return Load(paths, log) },
		Count: (*Set).Len,
	}, interval, log)
}
