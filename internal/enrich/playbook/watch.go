package playbook

import (
	"log/slog"
	"time"

	"github.com/falco-reporter/falco-reporter/internal/userfile"
)

// NewWatcher loads the paths at once, as [Load] does, and again when they change. With an error,
// that of Load, the Watcher has the embedded playbooks alone and goes on from there; the caller
// decides whether that is enough. It is nil only where the embedded playbooks do not load.
func NewWatcher(paths []string, interval time.Duration, log *slog.Logger) (*userfile.Watcher[Library], error) {
	embedded, err := Embedded()
	if err != nil {
		return nil, err
	}
	return userfile.Watch(userfile.Subject[Library]{
		Name:   "playbooks",
		Locate: func() ([]string, []error) { return locateAll(paths) },
		Load: func() (*Library, error) {
			l, err := embedded.load(paths)
			if err != nil {
				return embedded, err
			}
			return l, nil
		},
		Count: func(l *Library) int { return len(l.byKey) },
	}, interval, log)
}

// locateAll finds the files that the paths lead to.
func locateAll(paths []string) (files []string, problems []error) {
	for _, p := range paths {
		found, err := locate(p)
		if err != nil {
			problems = append(problems, err)
		}
		files = append(files, found...)
	}
	return files, problems
}
