//go:build !unix

package blob

import "errors"

const lockName = "lock"

// locked refuses: without a lock between processes two could replace the same version.
func (d *directory) locked(func() error) error { return errors.ErrUnsupported }
