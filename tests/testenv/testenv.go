package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"
)

// Main runs the tests of a package and stops the servers this process started.
// Call it from TestMain: os.Exit(testenv.Main(m)). The answer is the exit code.
func Main(m *testing.M) int {
	code := m.Run()
	if err := servers.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
		return max(code, 1)
	}
	return code
}

// LeakOptions are for goleak: the goroutines that wait for this process's own
// servers are no leaks of the code under test.
func LeakOptions() []goleak.Option {
	return []goleak.Option{goleak.IgnoreAnyFunction("strata.dev/strata/adapters/embedded.(*process).supervise")}
}

// Eventually waits until cond returns nil and fails the test with its last error
// after within. what says what was waited for.
func Eventually(t testing.TB, within time.Duration, what string, cond func() error) {
	t.Helper()
	end := time.NewTimer(within)
	defer end.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := cond()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("not within %s: %s: %v", within, what, err)
		}
	}
}

// Pool opens connections to the URL and closes them when the test ends. It
// fails the test if the server does not answer.
func Pool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		t.Fatalf("testenv: pool: %v", err)
	}
	t.Cleanup(pool.Close)
	if err := pool.Ping(ctx); err != nil {
		t.Fatalf("testenv: pool: %v", err)
	}
	return pool
}

// SkipLoud skips a test whose injector is missing on this machine. The reason
// is printed and, when tests/testenv/run runs the tests, counted and listed at
// the end: a suite with skips never looks like one without.
func SkipLoud(t testing.TB, reason string) {
	t.Helper()
	if path := os.Getenv(envSkips); path != "" {
		if err := appendLine(path, t.Name()+": "+reason); err != nil {
			t.Fatalf("testenv: cannot record the skip: %v", err)
		}
	}
	t.Skip("SKIP-LOUD: " + reason)
}

// appendLine adds one line in one write, which O_APPEND keeps whole among the
// processes that write to the same file.
func appendLine(path, line string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}
