package system

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"
)

const cliTimeout = 2 * time.Minute

// Result is what a command of the strata program left behind.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// CLI runs the strata program to its end, with nothing but environ as its environment.
func CLI(t testing.TB, environ []string, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), cliTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, Binary(t), args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environ, &stdout, &stderr
	cmd.Dir = t.TempDir()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("system: strata %v: %v", args, err)
	}
	return Result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}
