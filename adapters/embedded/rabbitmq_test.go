package embedded

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func runRabbitMQ(t *testing.T, o RabbitMQOptions) *RabbitMQ {
	t.Helper()
	r := NewRabbitMQ(o)
	if err := r.Start(testContext(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Kill(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func channel(t *testing.T, r *RabbitMQ, fn func(*amqp.Channel)) {
	t.Helper()
	conn, err := amqp.Dial(r.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // the test has its answer
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	fn(ch)
}

// publish leaves one confirmed message in a quorum queue.
func publish(t *testing.T, r *RabbitMQ, body string) {
	t.Helper()
	channel(t, r, func(ch *amqp.Channel) {
		if _, err := ch.QueueDeclare("kept", true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
			t.Fatal(err)
		}
		if err := ch.Confirm(false); err != nil {
			t.Fatal(err)
		}
		confirm, err := ch.PublishWithDeferredConfirmWithContext(testContext(t), "", "kept", true, false,
			amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := confirm.WaitContext(testContext(t)); !ok || err != nil {
			t.Fatal(ok, err)
		}
	})
}

// take waits for the message: after a crash the queue elects its leader first.
func take(t *testing.T, r *RabbitMQ) string {
	t.Helper()
	var body string
	channel(t, r, func(ch *amqp.Channel) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err := waitFor(ctx, func() (bool, error) {
			d, ok, err := ch.Get("kept", true)
			body = string(d.Body)
			return ok, err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	return body
}

func TestRabbitMQKeepsMessagesThroughKillAndStop(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	r := runRabbitMQ(t, RabbitMQOptions{Dir: dir, Management: true})
	url := r.URL()

	publish(t, r, "before the crash")
	if err := r.Settle(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	if pids, err := r.members(); err != nil || len(pids) != 0 {
		t.Errorf("after Kill there are still %v, %v", pids, err)
	}
	if err := r.Start(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if got := take(t, r); got != "before the crash" || r.URL() != url {
		t.Errorf("after the crash there is %q at %s, was at %s", got, r.URL(), url)
	}

	t.Run("private", func(t *testing.T) { checkPrivate(t, r) })

	publish(t, r, "before the stop")
	if err := r.Stop(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if pids, err := r.members(); err != nil || len(pids) != 0 {
		t.Errorf("after Stop there are still %v, %v", pids, err)
	}

	// Another program, without the management plugin, on the same data.
	next := startHelper(t, "rabbitmq", dir)
	reader := &RabbitMQ{opts: RabbitMQOptions{Dir: dir}, password: r.password, at: r.at}
	if got := take(t, reader); got != "before the stop" {
		t.Errorf("the next program finds %q", got)
	}

	list := func() ([]int, error) { return processesWith(dirVariable, dir) }
	if err := next.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	awaitNone(t, "the broker and its epmd end when their parent is killed", list)
}

// checkPrivate looks at what a broker shows to the machine and to strangers.
func checkPrivate(t *testing.T, r *RabbitMQ) {
	users, err := r.Ctl(testContext(t), "-q", "list_users")
	if err != nil || strings.Contains(users, "guest") || !strings.Contains(users, brokerUser) {
		t.Errorf("users: %q, %v", users, err)
	}
	for name, port := range r.at {
		onlyLoopback(t, name, port)
	}
	for name, mode := range map[string]os.FileMode{"password": 0o600, ".erlang.cookie": 0o400, "rabbitmq.conf": 0o600} {
		info, err := os.Stat(filepath.Join(r.Dir(), name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
	if !r.manages(testContext(t)) {
		t.Error("the management API does not answer")
	}
	stranger := *r
	stranger.password = "guess"
	if stranger.manages(testContext(t)) {
		t.Error("the management API answers a stranger")
	}
	if _, err := r.Ctl(testContext(t), "no_such_command"); err == nil || !strings.Contains(err.Error(), "no_such_command") {
		t.Errorf("a wrong command: %v", err)
	}
}

func TestRabbitMQLeftBehindIsEndedFirst(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	list := func() ([]int, error) { return processesWith(dirVariable, dir) }
	parent := startHelper(t, "rabbitmq", dir)
	before, err := list()
	if err != nil || len(before) < 2 {
		t.Fatalf("a broker and its epmd are at least two processes, found %v, %v", before, err)
	}
	// Stopped processes cannot obey the death signal: they are what is left over.
	for _, pid := range before {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed is how it should end; until then it holds the lock
	go func() {
		// They wake up while the next start waits for them to end.
		for _, pid := range before {
			_ = syscall.Kill(pid, syscall.SIGCONT) // ESRCH: ended already
		}
	}()
	r := runRabbitMQ(t, RabbitMQOptions{Dir: dir})
	for _, pid := range before {
		if alive, err := list(); err != nil || slices.Contains(alive, pid) {
			t.Errorf("%d of the left-over broker is still there (%v)", pid, err)
		}
	}
	line := problemLine(t, NewRabbitMQ(RabbitMQOptions{Dir: dir}).Start(testContext(t)), ErrInUse)
	if !strings.Contains(line, fmt.Sprint(os.Getpid())) {
		t.Errorf("%q does not name the owner", line)
	}
	if !greets(testContext(t), r.host("amqp")) {
		t.Error("the first broker was harmed")
	}
}

func TestFindRabbitMQ(t *testing.T) {
	line := problemLine(t, func() error { _, err := chooseRabbitMQ([]string{t.TempDir()}); return err }(), ErrBinaryMissing)
	if !strings.Contains(line, "apt-get install") || !strings.Contains(line, "STRATA_AMQP_URL") {
		t.Errorf("the line is %q", line)
	}
	dir := t.TempDir()
	for _, name := range []string{"rabbitmq-server", "rabbitmqctl"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := chooseRabbitMQ([]string{t.TempDir(), dir}); err != nil || got != dir {
		t.Errorf("found %s, %v", got, err)
	}
}

func TestRabbitMQSaysWhyItDoesNotStart(t *testing.T) {
	t.Parallel()
	r := NewRabbitMQ(RabbitMQOptions{Dir: serverDir(t), Settings: map[string]string{"no.such.setting": "1"}})
	got := problemLine(t, r.Start(testContext(t)), ErrStart)
	if !strings.Contains(got, r.Dir()) {
		t.Errorf("the line is %q", got)
	}
	if pids, err := r.members(); err != nil || len(pids) != 0 {
		t.Errorf("left %v, %v", pids, err)
	}
}
