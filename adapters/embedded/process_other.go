//go:build !linux

package embedded

import "syscall"

// findsProcesses says whether the functions below can find processes.
const findsProcesses = false

// There is no death signal and no /proc here: servers left over from a killed
// parent are not found, and the next start says that their port or directory is
// in use.
func setParentDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}

func processesIn(string) ([]int, error) { return nil, nil }

func processesWith(string, string) ([]int, error) { return nil, nil }
