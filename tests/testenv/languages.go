package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Python is a Python 3 that has the module, or a loud skip that names the
// Debian package to install.
func Python(t testing.TB, module, debian string) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} { // the system's may be hidden behind another
		if exec.Command(python, "-c", "import "+module).Run() == nil {
			return python
		}
	}
	SkipLoud(t, fmt.Sprintf("no Python with %s: apt install %s", module, debian))
	return ""
}

// NodeProject copies a Node project to a directory of the test's own, installs
// what it needs there, and gives the directory; a loud skip without Node, npm or
// a registry.
func NodeProject(t testing.TB, project string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), filepath.Base(project))
	if err := os.CopyFS(dir, os.DirFS(project)); err != nil {
		t.Fatalf("copy %s: %v", project, err)
	}
	install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--loglevel=error")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		SkipLoud(t, fmt.Sprintf("npm install of %s: %v: %.200s", filepath.Base(project), err, out))
	}
	return dir
}
