package falcofile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// kindError says that something is no regular file.
type kindError struct{ mode fs.FileMode }

// Error implements error.
func (e *kindError) Error() string {
	switch {
	case e.mode.IsDir():
		return "it is a directory: give the file in it that is Falco's file_output.filename"
	case e.mode&fs.ModeNamedPipe != 0:
		return "it is a named pipe, which keeps nothing while nobody reads: read it as standard input, or let Falco write to a file"
	default:
		return "it is not a regular file but " + e.mode.Type().String() + ": let Falco write to a file"
	}
}

// reason says in words why a file cannot be read and what to do. The same trouble always has
// the same words.
func reason(name string, err error) string {
	var kind *kindError
	switch {
	case errors.As(err, &kind):
		return name + " cannot be followed: " + kind.Error()
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(name)); errors.Is(err, fs.ErrNotExist) {
			return name + " is not there, nor is its directory: make the directory; Falco does not"
		}
		return name + " is not there: Falco makes it for its first alert, if falco.yaml has file_output with enabled: true and this filename"
	case errors.Is(err, fs.ErrPermission):
		return name + " may not be read: " + permission(name)
	default:
		return name + " cannot be read: " + err.Error()
	}
}

// permission says whose a file is and how to be let in.
func permission(name string) string {
	fi, err := os.Stat(name)
	if err != nil {
		return "its directory lets only others in: check " + filepath.Dir(name) + " and those above with namei -l"
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return "check its owner and mode"
	}
	group := strconv.FormatUint(uint64(st.Gid), 10)
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	const groupMayRead = 0o040
	if fi.Mode()&groupMayRead == 0 {
		return fmt.Sprintf("it has mode %#o, with which not even its group, %s, may: let the group read it (chmod g+r, and create 0640 in logrotate)", fi.Mode().Perm(), group)
	}
	return fmt.Sprintf("it is for the group %s: add the user that falco-reporter runs as to that group (usermod -aG %s USER, or SupplementaryGroups= in its unit) and restart it", group, group)
}
