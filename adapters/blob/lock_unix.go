//go:build unix

package blob

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// lockName is the file that whoever replaces or deletes an object holds a lock on.
const lockName = "lock"

// locked runs fn while nobody else, in this process or another, replaces or
// deletes. The lock goes with the process that holds it.
func (d *directory) locked(fn func() error) error {
	f, err := os.OpenFile(filepath.Join(d.root, temporary, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(fn(), f.Close())
}
