package falcosim

import (
	"context"
	"strconv"
	"strings"

	"github.com/falcosecurity/client-go/pkg/api/version"
)

// versionService is falco.version.service. It leaves the version of the rule engine and the
// checksum of its fields out.
type versionService struct {
	version.UnimplementedServiceServer
	version string
}

// Version answers with the version, whole and in its parts.
func (v versionService) Version(context.Context, *version.Request) (*version.Response, error) {
	rest, build, _ := strings.Cut(v.version, "+")
	core, prerelease, _ := strings.Cut(rest, "-")
	r := &version.Response{Version: v.version, Prerelease: prerelease, Build: build}
	for i, part := range strings.SplitN(core, ".", 3) {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			break // Falco's development builds have other names; their numbers stay 0
		}
		*[...]*uint32{&r.Major, &r.Minor, &r.Patch}[i] = uint32(n)
	}
	return r, nil
}
