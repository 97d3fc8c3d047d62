package playbook

import (
	"regexp"
	"strings"
)

// forCRI reports whether an action is for containers that containerd or CRI-O runs.
func forCRI(a Action) bool { return a.When == WhenCRIContainer }

// ForDocker reports whether the action's tool is that of the Docker engine.
func (a *Action) ForDocker() bool { return strings.HasPrefix(a.Tool, "Docker ") }

var (
	takesTheSame  = regexp.MustCompile(`^Docker [0-9.]+ \((podman [0-9.]+) takes the same [a-z]+\)`)
	dockerCommand = regexp.MustCompile(`\bdocker ([a-z]+\b)`)
)

// ForPodman is the action with the commands of podman, where its tool says that podman takes
// the same; false where it does not.
func (a *Action) ForPodman() (Action, bool) {
	if !takesTheSame.MatchString(a.Tool) {
		return Action{}, false
	}
	out := *a
	out.Tool = takesTheSame.ReplaceAllString(a.Tool, "$1")
	for _, text := range [...]*string{&out.Why, &out.Snippet, &out.General} {
		*text = dockerCommand.ReplaceAllString(*text, "podman $1")
	}
	return out, true
}
