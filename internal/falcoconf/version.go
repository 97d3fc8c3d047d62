package falcoconf

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is a version of Falco, as far as its configuration depends on it. The zero Version
// is older than any.
type Version struct{ Major, Minor int }

// What came and went with Falco's minor versions, all of them of major version 0.
const (
	sinceOverride        = 36 // a rule's output can be appended to from another file
	sinceEngineKind      = 37 // Falco's units name the engine with -o engine.kind
	sinceConfigFiles     = 38 // config_files; before, there is falco.yaml alone
	sinceAppendOutput    = 39 // append_output
	sinceSuggestedOutput = 40 // suggested_output in append_output
	sinceStrategies      = 41 // config_files with a strategy, append by default; before, keys are replaced
	sinceContainerPlugin = 41 // container.* and k8s.* come from a plugin that must be loaded
	sinceUTF8            = 44 // invalid UTF-8 does not end a Falco with json_output, as it does in 0.43
	withoutGRPC          = 44 // grpc and grpc_output are gone
)

// DefaultVersion is what is assumed where nothing tells the version: the last Falco with gRPC.
func DefaultVersion() Version { return Version{0, withoutGRPC - 1} }

// ParseVersion reads 0.43, 0.43.1, v0.43.0-rc1 and the like.
func ParseVersion(s string) (Version, error) {
	major, rest, _ := strings.Cut(strings.TrimPrefix(s, "v"), ".")
	end := strings.IndexAny(rest, ".+-")
	if end < 0 {
		end = len(rest)
	}
	v, ok := Version{}, true
	for _, part := range []struct {
		text string
		to   *int
	}{{major, &v.Major}, {rest[:end], &v.Minor}} {
		n, err := strconv.ParseUint(part.text, 10, 16)
		ok = ok && err == nil
		*part.to = int(n)
	}
	const plain = ".+-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	if !ok || strings.ContainsFunc(rest, func(r rune) bool { return !strings.ContainsRune(plain, r) }) {
		return Version{}, fmt.Errorf("%q is no version of Falco: want one like 0.43", s)
	}
	return v, nil
}

// AtLeast reports whether v is 0.minor or newer.
func (v Version) AtLeast(minor int) bool { return v.Major > 0 || v.Minor >= minor }

// HasGRPC reports whether Falco of this version can serve alerts over gRPC.
func (v Version) HasGRPC() bool { return !v.AtLeast(withoutGRPC) }

// HasAppendOutput reports whether fields can be added to every alert in the configuration.
func (v Version) HasAppendOutput() bool { return v.AtLeast(sinceAppendOutput) }

// String writes it as Falco's releases are called.
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }
