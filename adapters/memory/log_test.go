package memory_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/eventlog/eventlogtest"
)

func TestConformance(t *testing.T) {
	eventlogtest.Run(t, func(*testing.T) eventlog.Log { return &memory.Log{} })
}

// broken logs each break one promise; the suite has to notice.
var broken = map[string]func() eventlog.Log{
	"any version":         func() eventlog.Log { return &anyVersion{} },
	"forgets commands":    func() eventlog.Log { return &forgetful{} },
	"ignores the body":    func() eventlog.Log { return &bodyless{} },
	"shows every stream":  func() eventlog.Log { return &indiscreet{} },
	"tidies the bytes up": func() eventlog.Log { return &tidy{} },
	"skips in a page":     func() eventlog.Log { return &skipping{} },
	"succeeds for nobody": func() eventlog.Log { return &eager{} },
}

// TestSuiteCanFail runs the suite on each broken log in a process of its own, which must fail.
func TestSuiteCanFail(t *testing.T) {
	for name := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$", "-test.failfast", "-rapid.checks=30", "-rapid.nofailfile")
			cmd.Env = append(os.Environ(), "STRATA_BROKEN_LOG="+name)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || !strings.Contains(string(out), "--- FAIL: TestBroken/") {
				t.Errorf("the suite passed a log that %s (%v):\n%s", name, err, out)
			}
		})
	}
}

// TestBroken is TestSuiteCanFail's other process.
func TestBroken(t *testing.T) {
	open := broken[os.Getenv("STRATA_BROKEN_LOG")]
	if open == nil {
		t.Skip("runs in a process of its own, see TestSuiteCanFail")
	}
	eventlogtest.Run(t, func(*testing.T) eventlog.Log { return open() })
}

type anyVersion struct{ memory.Log }

func (l *anyVersion) Append(ctx context.Context, cmd eventlog.Command) (eventlog.Receipt, error) {
	for {
		r, err := l.Log.Append(ctx, cmd)
		var wrong *eventlog.VersionError
		if !errors.As(err, &wrong) {
			return r, err
		}
		cmd.ExpectedVersion = wrong.Actual
	}
}

type forgetful struct{ memory.Log }

func (l *forgetful) Append(ctx context.Context, cmd eventlog.Command) (eventlog.Receipt, error) {
	cmd.ID = uuid.New()
	return l.Log.Append(ctx, cmd)
}

type bodyless struct{ memory.Log }

func (l *bodyless) Append(ctx context.Context, cmd eventlog.Command) (eventlog.Receipt, error) {
	if _, hash, ok, err := l.FindCommand(ctx, cmd.ID); ok && err == nil {
		cmd.Hash = hash
	}
	return l.Log.Append(ctx, cmd)
}

type indiscreet struct{ memory.Log }

func (l *indiscreet) ReadStream(ctx context.Context, _ uuid.UUID, stream string, after int64, limit int) ([]eventlog.Event, error) {
	all, err := l.Read(ctx, 0, 1<<20)
	var events []eventlog.Event
	for _, e := range all {
		if e.StreamID == stream && e.Version > after && (limit == 0 || len(events) < limit) {
			events = append(events, e)
		}
	}
	return events, err
}

type tidy struct{ memory.Log }

func (l *tidy) Append(ctx context.Context, cmd eventlog.Command) (eventlog.Receipt, error) {
	for i := range cmd.Events {
		cmd.Events[i].Data = []byte(strings.TrimSpace(strings.ToValidUTF8(string(cmd.Events[i].Data), "?")))
		cmd.Events[i].Metadata = []byte(strings.ToValidUTF8(string(cmd.Events[i].Metadata), "?"))
	}
	return l.Log.Append(ctx, cmd)
}

type skipping struct{ memory.Log }

func (l *skipping) Read(ctx context.Context, after int64, limit int) ([]eventlog.Event, error) {
	events, err := l.Log.Read(ctx, after, limit)
	if len(events) > 4 && limit == 7 {
		events = append(events[:3], events[4:]...)
	}
	return events, err
}

// eager answers before it has recorded, and does not if the caller has gone.
type eager struct{ memory.Log }

func (l *eager) Append(ctx context.Context, cmd eventlog.Command) (eventlog.Receipt, error) {
	r, err := l.Log.Append(ctx, cmd)
	if errors.Is(err, eventlog.ErrUnavailable) {
		return eventlog.Receipt{StreamID: cmd.StreamID}, nil
	}
	return r, err
}
