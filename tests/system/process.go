package system

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"strata.dev/strata/tests/testenv"
)

// recovery is how long Strata may take to work again after a fault has ended.
const recovery = 10 * time.Second

// Service is one `strata serve` process. Not for concurrent use, but for Base and Admin.
type Service struct {
	Base  string // "http://127.0.0.1:20123"
	Admin string // of metrics

	t       testing.TB
	name    string
	binary  string
	environ []string
	logPath string
	cmd     *exec.Cmd
	ended   chan struct{}
}

// newService prepares a process on ports of its own; Start runs it.
func newService(t testing.TB, name string, environ []string) *Service {
	t.Helper()
	http, admin := freePort(t), freePort(t)
	s := &Service{
		t: t, name: name, binary: Binary(t), logPath: filepath.Join(t.TempDir(), name+".log"),
		Base: "http://" + http, Admin: "http://" + admin,
		environ: append(environ, "STRATA_HTTP_ADDR="+http, "STRATA_ADMIN_ADDR="+admin),
	}
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			// Not t.Log: what failed is to be the last that is said, and a test's own
			// output is held back until it has ended.
			fmt.Fprintf(os.Stderr, "the end of the log of %s:\n%s\n", name, s.tail(15))
		}
	})
	return s
}

// freePort gives an address below the range the kernel takes the ports of
// outgoing connections from, so that it is still free at the next start.
func freePort(t testing.TB) string {
	t.Helper()
	for range 1000 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(12_000+rand.IntN(8_000)))
		if l, err := net.Listen("tcp", addr); err == nil {
			if err := l.Close(); err != nil {
				t.Fatalf("system: %v", err)
			}
			return addr
		}
	}
	t.Fatal("system: no free port")
	return ""
}

// Start runs the process and returns at once; Ready waits until it answers.
func (s *Service) Start() {
	s.t.Helper()
	out, err := os.OpenFile(s.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatalf("system: %v", err)
	}
	s.cmd = exec.Command(s.binary, "serve")
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = s.environ, out, out
	s.cmd.SysProcAttr = childAttributes()
	ended, started, cmd := make(chan struct{}), make(chan error, 1), s.cmd
	s.ended = ended
	go func() {
		// A parent-death signal is tied to the thread that started the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(ended)
		defer out.Close()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // cmd.ProcessState says it all
		}
	}()
	if err := <-started; err != nil {
		s.t.Fatalf("system: start %s: %v", s.name, err)
	}
}

// Ready waits until the process answers commands.
func (s *Service) Ready() {
	s.t.Helper()
	testenv.Eventually(s.t, 3*recovery, s.name+" is ready", func() error {
		select {
		case <-s.ended:
			s.t.Fatalf("%s ended with code %d:\n%s", s.name, s.Exit(), s.tail(10))
		default:
		}
		code, body, err := s.get("/readyz")
		if err != nil {
			return err
		}
		if code != http.StatusOK {
			return fmt.Errorf("%d: %s", code, body)
		}
		return nil
	})
}

// Health is the status that /readyz gives, such as "ok" or "degraded", or the error.
func (s *Service) Health() string {
	_, body, err := s.get("/readyz")
	if err != nil {
		return err.Error()
	}
	_, status, _ := strings.Cut(body, `"status":"`)
	status, _, _ = strings.Cut(status, `"`)
	return status
}

// Leads says whether the process reads for the consumer group.
func (s *Service) Leads(group string) bool {
	code, body, err := get(s.Admin + "/metrics")
	return err == nil && code == http.StatusOK && strings.Contains(body, `strata_group_leader{group="`+group+`"} 1`)
}

// Metrics is what a scrape gets.
func (s *Service) Metrics() string {
	s.t.Helper()
	code, body, err := get(s.Admin + "/metrics")
	if err != nil || code != http.StatusOK {
		s.t.Fatalf("metrics of %s: %d, %v", s.name, code, err)
	}
	return body
}

// Answering is how many requests the service has read and not answered, by its own profile.
func (s *Service) Answering() (n int) {
	_, profile, err := get(s.Admin + "/debug/pprof/goroutine?debug=1")
	if err != nil {
		return 0 // nobody answers
	}
	for _, stack := range strings.Split(profile, "\n\n") {
		if !strings.Contains(stack, "(*server).gate.") {
			continue
		}
		count, _, _ := strings.Cut(strings.TrimSpace(stack), " @ ")
		if at := strings.LastIndexByte(count, '\n'); at >= 0 {
			count = count[at+1:] // behind the profile's title
		}
		if many, err := strconv.Atoi(count); err == nil {
			n += many
		}
	}
	return n
}

// probes open a connection each: they ask what a newcomer would be told.
var probes = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func (s *Service) get(path string) (code int, body string, err error) { return get(s.Base + path) }

func get(url string) (code int, body string, err error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	res, err := probes.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// Kill ends the process as a crash would, and returns when it has gone.
func (s *Service) Kill() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	// An error means that it has ended already.
	_ = s.cmd.Process.Signal(syscall.SIGKILL)
	<-s.ended
}

// Stop asks the process to end (SIGTERM), waits, and gives its exit code.
func (s *Service) Stop() int {
	s.t.Helper()
	s.Terminate()
	return s.Ended()
}

// Terminate asks the process to end and returns at once.
func (s *Service) Terminate() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Fatalf("system: stop %s: %v", s.name, err)
	}
}

// Ended waits for the process that was asked to end, and gives its exit code.
func (s *Service) Ended() int {
	s.t.Helper()
	patience := time.NewTimer(3 * recovery)
	defer patience.Stop()
	select {
	case <-s.ended:
	case <-patience.C:
		s.t.Errorf("%s did not stop within %s", s.name, 3*recovery)
		s.Kill()
	}
	return s.Exit()
}

// Listening says whether the process lets new connections in.
func (s *Service) Listening() bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", strings.TrimPrefix(s.Base, "http://"))
	if err != nil {
		return false
	}
	_ = conn.Close() // it was only to be seen
	return true
}

// Exit is the exit code of the process that has ended, -1 if a signal ended it.
func (s *Service) Exit() int {
	<-s.ended
	return s.cmd.ProcessState.ExitCode()
}

// Output is everything that the process has logged.
func (s *Service) Output() string {
	s.t.Helper()
	b, err := os.ReadFile(s.logPath)
	if err != nil {
		s.t.Fatalf("system: %v", err)
	}
	return string(b)
}

// Log is everything that the process has written so far.
func (s *Service) Log() string {
	s.t.Helper()
	text, err := os.ReadFile(s.logPath)
	if err != nil {
		s.t.Fatalf("system: %v", err)
	}
	return string(text)
}

// tail is the last lines of the log, each cut to what can be read in passing. Of
// refused requests in a row it has the first.
func (s *Service) tail(lines int) string {
	const width = 300
	f, err := os.Open(s.logPath)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	var last []string
	refused := false // the line before was of that kind
	for in := bufio.NewScanner(f); in.Scan(); {
		line := in.Text()
		again := refused
		if refused = strings.Contains(line, `"msg":"request refused"`); refused && again {
			continue
		}
		last = append(last[max(0, len(last)-lines+1):], line[:min(len(line), width)])
	}
	return strings.Join(last, "\n")
}
