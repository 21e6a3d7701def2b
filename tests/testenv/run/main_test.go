package main

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// elsewhere names servers, so that none is started; nobody connects to them.
func elsewhere() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "STRATA_TEST_PG_URL=postgres://there", "STRATA_TEST_AMQP_URL=amqp://there"}
}

func TestPassesOnWhatTheCommandSaysAndItsExitCode(t *testing.T) {
	var out, errs bytes.Buffer
	code := run([]string{"--", "sh", "-c", `echo "$STRATA_TEST_PG_URL $STRATA_TEST_AMQP_URL"; exit 7`}, elsewhere(), nil, &out, &errs)
	if code != 7 || out.String() != "postgres://there amqp://there\n" {
		t.Errorf("code %d, output %q", code, out.String())
	}
	if !strings.Contains(errs.String(), "no test was skipped") {
		t.Errorf("it says %q", errs.String())
	}
}

func TestCountsLoudSkips(t *testing.T) {
	var out, errs bytes.Buffer
	code := run([]string{"--", "sh", "-c", `echo "TestA: no strace" >> $STRATA_TEST_SKIPS; echo "TestB: no iptables" >> $STRATA_TEST_SKIPS`}, elsewhere(), nil, &out, &errs)
	if want := "SKIP-LOUD 2\n  TestA: no strace\n  TestB: no iptables\n"; code != 0 || !strings.Contains(errs.String(), want) {
		t.Errorf("code %d, it says %q, want %q", code, errs.String(), want)
	}
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"--"}, {"go", "test"}, {"--", "/no/such/program"}} {
		var out, errs bytes.Buffer
		if code := run(args, elsewhere(), nil, &out, &errs); code != exitUsage || errs.Len() == 0 {
			t.Errorf("%v: code %d, %q", args, code, errs.String())
		}
	}
}

func TestSignalsReachTheWholeCommand(t *testing.T) {
	signals := make(chan os.Signal, 2)
	ready := writerFunc(func(p []byte) (int, error) {
		if bytes.Contains(p, []byte("ready")) {
			signals <- syscall.SIGTERM
		}
		return len(p), nil
	})
	var errs bytes.Buffer
	// The grandchild must end too: it holds the pipe of our output.
	code := run([]string{"--", "sh", "-c", `sh -c 'echo ready; exec sleep 60'`}, elsewhere(), signals, ready, &errs)
	if code != 128+int(syscall.SIGTERM) {
		t.Errorf("code %d, %q", code, errs.String())
	}
}

func TestStartsAndStopsPrivateServers(t *testing.T) {
	environ := []string{"PATH=" + os.Getenv("PATH")}
	var out, errs bytes.Buffer
	code := run([]string{"--", "env"}, environ, nil, &out, &errs)
	if code != 0 {
		t.Fatalf("code %d: %s", code, errs.String())
	}
	for _, name := range []string{"STRATA_TEST_PG_URL=postgres://postgres:", "STRATA_TEST_AMQP_URL=amqp://strata:", "STRATA_TEST_AMQP_ADMIN=http://strata:"} {
		if !strings.Contains(out.String(), name) {
			t.Errorf("the command does not see %s…", name)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestRaceDetectorNeedsACompiler(t *testing.T) {
	t.Setenv("CC", "")
	if got := programs([]string{"go", "test", "./..."}); got != nil {
		t.Errorf("without -race %v is needed", got)
	}
	if got := programs([]string{"go", "test", "-race", "./..."}); len(got) != 1 || got[0].Name != "gcc" {
		t.Errorf("with -race %v is needed", got)
	}
}
