package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/falco-reporter/falco-reporter/internal/falcoconf"
)

// Permissions on a file, as in its mode.
const (
	maySearch fs.FileMode = 1
	mayWrite  fs.FileMode = 2
	mayRead   fs.FileMode = 4
)

// account is a user as the kernel sees it.
type account struct {
	name string
	uid  uint32
	gids []uint32
}

func (a account) String() string { return a.name }

// group is the name of its first group, or the number.
func (a account) group() string {
	if len(a.gids) == 0 {
		return a.name
	}
	id := strconv.FormatUint(uint64(a.gids[0]), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}

// lookUp finds an account by name.
func lookUp(name string) (account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return account{}, err
	}
	return newAccount(u)
}

// newAccount turns numbers written out into numbers.
func newAccount(u *user.User) (account, error) {
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("user %s: %w", u.Username, err)
	}
	a := account{name: u.Username, uid: uint32(uid)}
	groups, err := u.GroupIds()
	if err != nil {
		groups = []string{u.Gid}
	}
	if i := slices.Index(groups, u.Gid); i > 0 {
		groups[0], groups[i] = groups[i], groups[0]
	}
	for _, g := range groups {
		gid, err := strconv.ParseUint(g, 10, 32)
		if err != nil {
			return account{}, fmt.Errorf("groups of user %s: %w", u.Username, err)
		}
		a.gids = append(a.gids, uint32(gid))
	}
	return a, nil
}

// whoRuns is the account that permissions are computed for.
func (d *examination) whoRuns() account {
	const check = "user"
	if d.User == "" && d.daemon.running {
		a, err := accountOf(d.daemon.uid)
		if err == nil {
			d.add(check, OK, "", "our daemon runs as %s", a)
			return a
		}
	}
	name := d.User
	if name == "" {
		name = falcoconf.User
	}
	a, err := lookUp(name)
	if err == nil {
		d.add(check, OK, "", "permissions are checked for %s", a)
		return a
	}
	d.missing = name
	me, meErr := accountOf(uint32(os.Geteuid())) //nolint:gosec // a user id is not negative on Linux
	status, remedy := Warn, "systemd-sysusers (with our package's file in /usr/lib/sysusers.d)"
	if d.User != "" {
		status, remedy = Fail, "say with --user whom the daemon runs as"
	}
	if meErr != nil {
		me = account{name: "uid " + strconv.Itoa(os.Geteuid()), uid: uint32(os.Geteuid())} //nolint:gosec // as above
	}
	d.add(check, status, remedy, "there is no user %s: permissions are checked for %s, who runs this", strconv.Quote(name), me)
	return me
}

// owner is the user and the group that what is ours should belong to, also where they are not
// there yet.
func (d *examination) owner() (name, group string) {
	if d.missing != "" {
		return d.missing, d.missing
	}
	return d.account.name, d.account.group()
}

// onceThere puts the remedy for a missing user first.
func (d *examination) onceThere(remedy string) string {
	if d.missing != "" {
		return "first that of the user, then: " + remedy
	}
	return remedy
}

// accountOf finds an account by its number.
func accountOf(uid uint32) (account, error) {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return account{}, err
	}
	return newAccount(u)
}

// may reports why the account has not got the permission: on the file itself, or to search
// the folders above it. Root may everything.
func (a account) may(path string, need fs.FileMode) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	if a.uid == 0 {
		return nil
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if err := a.has(dir, maySearch); err != nil {
			return err
		}
		if dir == filepath.Dir(dir) {
			return a.has(path, need)
		}
	}
}

// has checks one file.
func (a account) has(path string, need fs.FileMode) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("owner unknown")
	}
	bits := info.Mode().Perm()
	switch {
	case owner.Uid == a.uid:
		bits >>= 6
	case slices.Contains(a.gids, owner.Gid):
		bits >>= 3
	default:
	}
	if bits&need != need {
		return fmt.Errorf("%s has mode %04o, owner %d and group %d", path, info.Mode().Perm(), owner.Uid, owner.Gid)
	}
	return nil
}
