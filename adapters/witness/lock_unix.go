//go:build unix

package witness

import (
	"os"
	"syscall"
)

// exclusive locks a file until it is closed, also by the end of the process.
func exclusive(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
