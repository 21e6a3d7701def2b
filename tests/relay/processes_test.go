package relay_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"strata.dev/strata/tests/testenv"
)

// The environment that makes this test binary a relay of its own.
const (
	childDatabase = "STRATA_RELAY_TEST_DATABASE"
	childBroker   = "STRATA_RELAY_TEST_BROKER"
)

// runChild relays until it is killed or told to stop.
func runChild() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	_, run, err := makeRelay(os.Getenv(childDatabase), os.Getenv(childBroker), nil, slog.New(slog.NewTextHandler(os.Stdout, nil)))
	if err == nil {
		err = run(ctx)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// child is a relay in a process of its own.
type child struct {
	cmd     *exec.Cmd
	leads   chan struct{} // closed when it leads
	standby chan struct{} // closed when it stands by
	ended   chan struct{}
}

func newChild(t testing.TB, database, broker string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(self), leads: make(chan struct{}), standby: make(chan struct{}), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), childDatabase+"="+database, childBroker+"="+broker)
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Stderr = c.cmd.Stdout
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	leads, standby := sync.OnceFunc(func() { close(c.leads) }), sync.OnceFunc(func() { close(c.standby) })
	go func() {
		defer close(c.ended)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines.WriteString(s.Text() + "\n")
			switch {
			case strings.Contains(s.Text(), "leading the consumer group"):
				leads()
			case strings.Contains(s.Text(), "standing by"):
				standby()
			}
		}
		_ = c.cmd.Wait() // killed, as a rule
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // it may be dead already
		<-c.ended
		if t.Failed() {
			t.Logf("process %d said:\n%s", c.cmd.Process.Pid, lines.String())
		}
	})
	return c
}

func await(t testing.TB, what string, within time.Duration, done <-chan struct{}) time.Duration {
	t.Helper()
	began := time.Now()
	select {
	case <-done:
	case <-time.After(within):
		t.Fatalf("not within %s: %s", within, what)
	}
	return time.Since(began)
}

// TestTwoProcessesOneReader kills the leader again and again; the standby goes on.
func TestTwoProcessesOneReader(t *testing.T) {
	log, broker := testenv.Log(t), testenv.AMQP(t)
	declareQueue(t, broker)
	p := newProof(t, broker)
	l := newLoad(t, testenv.Pool(t, log.App))

	leader := newChild(t, log.App, broker)
	await(t, "the first leads", patience, leader.leads)
	for range 3 {
		standby := newChild(t, log.App, broker)
		await(t, "the second stands by", patience, standby.standby)
		repeated := p.repeated()
		l.awaitGrowth(t, 40)
		p.await(t, patience, l.at())
		if n := p.repeated() - repeated; n != 0 {
			t.Errorf("%d events came twice while both lived", n)
		}
		select {
		case <-standby.leads:
			t.Fatal("both lead")
		default:
		}
		if err := leader.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		t.Logf("takeover after %s", await(t, "takeover", 5*time.Second, standby.leads).Round(time.Millisecond))
		p.await(t, 5*time.Second, l.at())
		leader = standby
	}
	head, err := l.stop()
	if err != nil {
		t.Fatal(err)
	}
	p.await(t, patience, head)
	if err := leader.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, "a clean stop", patience, leader.ended)
}
