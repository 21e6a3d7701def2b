package embedded

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// serverUser is whom PostgreSQL runs as: ourselves (the zero value), or the user
// postgres if we are root, since it refuses to run as root.
type serverUser struct {
	name     string
	uid, gid int
	groups   []uint32
}

func postgresUser() (serverUser, error) {
	if os.Geteuid() != 0 {
		return serverUser{}, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return serverUser{}, &Problem{
			Kind: ErrNotAllowed, What: startPostgresFailed, Err: err,
			Why:  "it refuses to run as root and there is no user postgres",
			Next: "Run this as another user than root, or create that user (adduser --system --group postgres)",
		}
	}
	su := serverUser{name: u.Username}
	if su.uid, err = strconv.Atoi(u.Uid); err != nil {
		return serverUser{}, err
	}
	if su.gid, err = strconv.Atoi(u.Gid); err != nil {
		return serverUser{}, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return serverUser{}, err
	}
	for _, id := range ids {
		g, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return serverUser{}, err
		}
		su.groups = append(su.groups, uint32(g))
	}
	return su, nil
}

// command runs a program as the user, from a directory everybody can enter and
// with an environment that no PG… variable of the caller leaks into.
func (u serverUser) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	if u.uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{
			Uid: uint32(u.uid), Gid: uint32(u.gid), Groups: u.groups,
		}}
	}
	return cmd
}

func (u serverUser) mkdir(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	if u.uid == 0 {
		return nil
	}
	return os.Chown(path, u.uid, u.gid)
}

// shutOut returns the first directory on the way to path that the user cannot
// enter, or "" if the way is open. The repository of somebody who works as root
// is often below /root, which is closed.
func (u serverUser) shutOut(path string) string {
	if u.uid == 0 {
		return ""
	}
	at := "/"
	for _, name := range append([]string{""}, strings.Split(strings.Trim(path, "/"), "/")...) {
		at = filepath.Join(at, name)
		info, err := os.Stat(at)
		if err != nil || !u.mayEnter(info) {
			return at
		}
	}
	return ""
}

func (u serverUser) mayEnter(info os.FileInfo) bool {
	mode := info.Mode().Perm()
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return mode&0o001 != 0
	}
	if int(st.Uid) == u.uid {
		return mode&0o100 != 0
	}
	for _, g := range append(u.groups, uint32(u.gid)) {
		if st.Gid == g {
			return mode&0o010 != 0
		}
	}
	return mode&0o001 != 0
}

// elsewhere is the directory used instead of a closed one: always the same for
// the same path, so that the data are found again.
func elsewhere(path string) string {
	return filepath.Join("/var/lib/strata", fmt.Sprintf("%x", sha256.Sum256([]byte(path)))[:12])
}
