package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// With this variable set the test binary is not a test: it starts the server in
// the directory and waits to be killed, as a `strata dev` would.
const helperVariable = "EMBEDDED_TEST_HELPER"

func TestMain(m *testing.M) {
	if kind := os.Getenv(helperVariable); kind != "" {
		if err := help(kind, os.Args[1]); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func help(kind, dir string) error {
	var s Server = NewPostgres(PostgresOptions{Dir: dir, Throwaway: true})
	if kind == "rabbitmq" {
		s = NewRabbitMQ(RabbitMQOptions{Dir: dir})
	}
	if err := s.Start(context.Background()); err != nil {
		return err
	}
	fmt.Println("ready")
	var nothing [1]byte
	_, err := os.Stdin.Read(nothing[:]) // the test never writes; it kills
	return err
}

// startHelper runs a process that starts the server, and returns when it is ready.
func startHelper(t *testing.T, kind, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], dir)
	cmd.Env = append(os.Environ(), helperVariable+"="+kind)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()       // the helper is dead by now, or ends by this
		_ = cmd.Process.Kill()  // the same
		_ = cmd.Wait()          // killed is how it should end
		_, _ = stdin.Write(nil) // keeps the pipe referenced until here
	})
	buf := make([]byte, 4096)
	n, err := out.Read(buf)
	if got := string(buf[:n]); err != nil || got != "ready\n" {
		t.Fatalf("helper said %q, %v", got, err)
	}
	return cmd
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// serverDir is a directory PostgreSQL's user can enter, unlike t.TempDir.
func serverDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "strata-embedded-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// awaitNone waits until the list is empty.
func awaitNone(t *testing.T, what string, list func() ([]int, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := waitFor(ctx, func() (bool, error) {
		pids, err := list()
		return len(pids) == 0, err
	}); err != nil {
		pids, _ := list()
		t.Fatalf("%s: %v; still there: %v", what, err, pids)
	}
}

func killAll(t *testing.T, list func() ([]int, error)) {
	t.Helper()
	pids, err := list()
	if err != nil || len(pids) == 0 {
		t.Fatalf("nothing to kill: %v, %v", pids, err)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
}

// onlyLoopback checks that something listens on 127.0.0.1 and nothing on all
// addresses: 127.0.0.2 is this machine too, but not where we listen.
func onlyLoopback(t *testing.T, what string, port int) {
	t.Helper()
	if portFree(port) {
		t.Errorf("%s: nothing listens on port %d", what, port)
	}
	if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.2:%d", port)); err == nil {
		t.Errorf("%s: port %d answers on other addresses; close: %v", what, port, conn.Close())
	}
}

// problemLine checks the kind of a problem and that it is one line, which it returns.
func problemLine(t *testing.T, err, kind error) string {
	t.Helper()
	var p *Problem
	if !errors.As(err, &p) || !errors.Is(err, kind) {
		t.Fatalf("got %v, want a problem of the kind %q", err, kind)
	}
	if strings.Contains(p.Error(), "\n") {
		t.Errorf("more than one line: %q", p.Error())
	}
	return p.Error()
}
