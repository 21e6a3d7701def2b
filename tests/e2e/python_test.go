package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testdata/stratml"
	"strata.dev/strata/tests/testenv"
)

// account is the last line of the example consumers.
var account = regexp.MustCompile(`(?m)^complete from (\d+) to (\d+): (\d+) events, (\d+) missing, (\d+) duplicates$`)

// pythonConsumer runs the example that docs gives to other teams, beside an import.
func pythonConsumer(t *testing.T, s *system.System, service *system.Service) {
	python := pythonWithPika(t)
	root, err := system.Root()
	if err != nil {
		t.Fatal(err)
	}
	const queue = "tests.python"
	cmd := exec.Command(python, "-u", filepath.Join(root, "docs", "examples", "consumers", "python", "consumer.py"))
	cmd.Env = append(os.Environ(), "AMQP_URL="+s.AMQP, "QUEUE="+queue, "UNTIL=0")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }() // it has ended, unless the test failed
	testenv.Eventually(t, arrival, "the example to consume", func() error { return consumed(s.AMQP, queue) })

	before := s.Head(t)
	d := document{
		want:    counts{Goals: 1, Objectives: 2, Indicators: 4, Targets: 20, Measurements: 17, Empty: 3},
		omitted: map[string]int{"result-without-value": 3},
	}
	answer, _ := importPlan(t, s, service, d, stratml.Plan(1, 2, 4, 5, 3))
	var said strings.Builder
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), fmt.Sprintf("%d ", answer.Position)) {
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	rest, err := io.ReadAll(stdout)
	if err = errors.Join(err, lines.Err(), cmd.Wait()); err != nil {
		t.Fatalf("the example: %v\n%s%s", err, &said, rest)
	}
	got := account.FindStringSubmatch(string(rest))
	if got == nil {
		t.Fatalf("the example does not give account of what it has:\n%s%s", &said, rest)
	}
	var n [5]int64
	for i, text := range got[1:] {
		if n[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if want := [5]int64{before + 1, answer.Position, answer.Position - before, 0, 0}; n != want {
		t.Errorf("the example says %q, want from, to, events, missing and duplicates as %v", got[0], want)
	}
	t.Logf("consumer.py: %s", got[0])
}

// pythonWithPika finds an interpreter that has the module the example needs.
func pythonWithPika(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if path, err := exec.LookPath(name); err == nil && exec.Command(path, "-c", "import pika").Run() == nil {
			return path
		}
	}
	testenv.SkipLoud(t, "no Python with the module pika (apt install python3-pika)")
	return ""
}

// consumed says whether somebody takes from the queue.
func consumed(url, queue string) error {
	conn, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	if err == nil && q.Consumers == 0 {
		err = errors.New("nobody")
	}
	return err
}
