//go:build !linux

package system

import "syscall"

// childAttributes are the defaults: only Linux can tie a child to its parent.
func childAttributes() *syscall.SysProcAttr { return nil }
