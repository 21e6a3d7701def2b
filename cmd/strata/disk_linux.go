package main

import (
	"fmt"
	"syscall"
)

// freeDisk is how many bytes anybody may still write below dir.
func freeDisk(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("free space at %s: %w", dir, err)
	}
	return st.Bavail * uint64(st.Bsize), nil
}
