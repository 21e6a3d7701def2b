package embedded

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// findsProcesses says whether the functions below can find processes.
const findsProcesses = true

func setParentDeathSignal(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }

// processesIn lists the processes whose working directory is dir: PostgreSQL's
// postmaster and all its children enter their data directory and stay there.
// A process that has ended but was not reaped has no working directory.
func processesIn(dir string) ([]int, error) {
	return processes(func(proc string) bool {
		cwd, err := os.Readlink(filepath.Join(proc, "cwd"))
		return err == nil && cwd == dir
	})
}

// processesWith lists the processes that were started with the variable
// name=value. A process that has ended but was not reaped has no environment.
func processesWith(name, value string) ([]int, error) {
	entry := []byte("\x00" + name + "=" + value + "\x00")
	return processes(func(proc string) bool {
		env, err := os.ReadFile(filepath.Join(proc, "environ"))
		return err == nil && bytes.Contains(append([]byte{0}, env...), entry)
	})
}

func processes(match func(proc string) bool) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() && match(filepath.Join("/proc", e.Name())) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
