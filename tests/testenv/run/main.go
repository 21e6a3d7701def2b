// Command run starts a private PostgreSQL and a private RabbitMQ, runs a command
// with their addresses in STRATA_TEST_PG_URL, STRATA_TEST_AMQP_URL and
// STRATA_TEST_AMQP_ADMIN, and stops them:
//
//	go run ./tests/testenv/run -- go test -race ./...
//
// Missing servers are installed first, as by `make run`. Servers given by these
// variables already are used and left alone. Its exit code is the command's, or
// 2 for wrong usage and 4 if the servers could not be started. At the end it
// lists the tests that were skipped for a missing tool (testenv.SkipLoud).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"strata.dev/strata/adapters/embedded"
)

const (
	exitUsage   = 2
	exitServers = 4
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	os.Exit(run(os.Args[1:], os.Environ(), signals, os.Stdout, os.Stderr))
}

func run(args, environ []string, signals <-chan os.Signal, out, errs io.Writer) (code int) {
	if len(args) < 2 || args[0] != "--" {
		return say(errs, exitUsage, "usage: run -- command [argument …]")
	}
	dir, err := os.MkdirTemp("", "strata-run-")
	if err != nil {
		return say(errs, exitServers, err.Error())
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			code = say(errs, max(code, 1), err.Error())
		}
	}()
	s := servers{dir: dir, errs: errs}
	defer func() {
		if err := s.stop(); err != nil {
			code = say(errs, max(code, 1), err.Error())
		}
	}()
	given, err := s.start(environ, programs(args[1:]), signals)
	if err != nil {
		return say(errs, exitServers, err.Error())
	}
	skips := filepath.Join(dir, "skips")
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Env = append(append(environ, given...), "STRATA_TEST_SKIPS="+skips)
	cmd.Stdout, cmd.Stderr = out, errs
	code = command(cmd, signals, errs)
	if err := report(skips, errs); err != nil {
		return say(errs, max(code, 1), err.Error())
	}
	return code
}

// programs is what the command needs beside Go: the race detector is linked by a
// C compiler, which a machine that has Go does not always have.
func programs(command []string) []embedded.Program {
	if os.Getenv("CC") != "" || !slices.Contains(command, "-race") {
		return nil
	}
	return []embedded.Program{{Name: "gcc", Packages: []string{"gcc", "libc6-dev"}}}
}

// command runs cmd in a process group of its own and passes signals on to the
// whole group, so that neither Ctrl-C nor a CI's SIGTERM leaves a test running
// while its servers are taken away. A second signal ends it at once.
func command(cmd *exec.Cmd, signals <-chan os.Signal, errs io.Writer) int {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return say(errs, exitUsage, err.Error())
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for told := false; ; {
		select {
		case sig := <-signals:
			number, ok := sig.(syscall.Signal)
			if told || !ok {
				number = syscall.SIGKILL
			}
			told = true
			_ = syscall.Kill(-cmd.Process.Pid, number) // ESRCH: it has just ended
		case err := <-ended:
			return exitCode(err, errs)
		}
	}
}

func exitCode(err error, errs io.Writer) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		return say(errs, 1, err.Error())
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()) // as a shell says it
	}
	return exit.ExitCode()
}

// report lists the loud skips, so that a run with some never looks like one without.
func report(path string, errs io.Writer) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		_, err := fmt.Fprintln(errs, "testenv: no test was skipped for a missing tool")
		return err
	}
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	_, err = fmt.Fprintf(errs, "testenv: SKIP-LOUD %d\n  %s\n", len(lines), strings.Join(lines, "\n  "))
	return err
}

func say(errs io.Writer, code int, text string) int {
	if _, err := fmt.Fprintln(errs, "testenv:", text); err != nil {
		return max(code, 1)
	}
	return code
}

type servers struct {
	dir     string
	errs    io.Writer
	running []embedded.Server
}

// wishes are what some tests need beside the servers: a Debian package, and how
// to see that it is there.
var wishes = map[string][]string{
	"python3-pika":         {"/usr/bin/python3", "-c", "import pika"},
	"python3-cryptography": {"/usr/bin/python3", "-c", "import cryptography"},
	"curl":                 {"curl", "--version"},
	"jq":                   {"jq", "--version"},
	"libxml2-utils":        {"xmllint", "--version"},
}

// wish installs what is missing of them. Without it their tests say so, loudly;
// that is no reason not to run the others.
func (s *servers) wish(ctx context.Context) {
	if os.Geteuid() != 0 {
		return
	}
	var missing []string
	for name, probe := range wishes {
		if exec.CommandContext(ctx, probe[0], probe[1:]...).Run() != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return
	}
	slices.Sort(missing)
	install := exec.CommandContext(ctx, "apt-get", append([]string{"install", "-y", "-q", "--no-install-recommends"}, missing...)...)
	install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := install.CombinedOutput(); err != nil {
		fmt.Fprintf(s.errs, "testenv: %s could not be installed (%v): %.200s\n", strings.Join(missing, ", "), err, out)
	}
}

// start starts what environ does not name and returns the variables that do.
func (s *servers) start(environ []string, needed []embedded.Program, signals <-chan os.Signal) (variables []string, err error) {
	havePostgres, haveRabbitMQ := has(environ, "STRATA_TEST_PG_URL"), has(environ, "STRATA_TEST_AMQP_URL")
	if havePostgres && haveRabbitMQ {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // installing may download
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-signals:
			cancel()
		case <-done:
		}
	}()
	if err := embedded.Install(ctx, s.errs, needed...); err != nil {
		return nil, err
	}
	s.wish(ctx)
	if err := os.Chmod(s.dir, 0o711); err != nil { // PostgreSQL's user goes through it
		return nil, err
	}
	pg := embedded.NewPostgres(embedded.PostgresOptions{Dir: filepath.Join(s.dir, "postgres"), Throwaway: true})
	mq := embedded.NewRabbitMQ(embedded.RabbitMQOptions{Dir: filepath.Join(s.dir, "rabbitmq"), Management: true})
	if !havePostgres {
		s.running = append(s.running, pg)
	}
	if !haveRabbitMQ {
		s.running = append(s.running, mq)
	}
	begin := time.Now()
	if err := embedded.Start(ctx, s.running...); err != nil {
		s.running = nil
		return nil, err
	}
	if !havePostgres {
		variables = append(variables, "STRATA_TEST_PG_URL="+pg.URL("postgres"))
	}
	if !haveRabbitMQ {
		variables = append(variables, "STRATA_TEST_AMQP_URL="+mq.URL(), "STRATA_TEST_AMQP_ADMIN="+mq.ManagementURL())
	}
	_, err = fmt.Fprintf(s.errs, "testenv: private servers ready after %s\n", time.Since(begin).Round(time.Millisecond))
	return variables, err
}

func (s *servers) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return embedded.Stop(ctx, s.running...)
}

func has(environ []string, name string) bool {
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, name+"="); ok && v != "" {
			return true
		}
	}
	return false
}
