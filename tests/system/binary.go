package system

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"strata.dev/strata/tests/testenv"
)

// binary is the strata program, built once per test process. That it is one is
// the point, hence the package variable.
var binary built

type built struct {
	mu   sync.Mutex
	dir  string
	path string
	err  error
}

// Main runs the tests of a package, then stops what testenv started and removes
// the binary. Call it from TestMain: os.Exit(system.Main(m)).
func Main(m *testing.M) int {
	code := testenv.Main(m)
	binary.mu.Lock()
	defer binary.mu.Unlock()
	if binary.dir != "" {
		if err := os.RemoveAll(binary.dir); err != nil {
			fmt.Fprintln(os.Stderr, "system:", err)
			return max(code, 1)
		}
	}
	return code
}

// Binary is the path of the strata program, built from this working tree.
func Binary(t testing.TB) string {
	t.Helper()
	binary.mu.Lock()
	defer binary.mu.Unlock()
	if binary.path == "" && binary.err == nil {
		binary.path, binary.err = binary.build()
	}
	if binary.err != nil {
		t.Fatalf("system: %v", binary.err)
	}
	return binary.path
}

// build compiles without the race detector: the processes under test share two
// cores with their servers and their clients, and have bounds to keep.
func (b *built) build() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	if b.dir, err = os.MkdirTemp("", "strata-system-"); err != nil {
		return "", err
	}
	path := filepath.Join(b.dir, "strata")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, "./cmd/strata")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build strata: %w\n%s", err, out)
	}
	return path, nil
}

// Root is the repository: the first directory with a go.mod on the way up.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = parent
	}
}
