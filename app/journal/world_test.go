package journal_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/journal"
	facts "strata.dev/strata/domain/journal"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) {
	code := testenv.Main(m)
	if code == 0 {
		if err := goleak.Find(testenv.LeakOptions()...); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

var (
	org   = uuid.MustParse("0198c0de-0000-7000-8000-00000000000a")
	other = uuid.MustParse("0198c0de-0000-7000-8000-00000000000b")
	eve   = journal.Who{Kind: eventlog.Person, ID: "0198c0de-0000-7000-8000-0000000000e5"}
	mal   = journal.Who{Kind: eventlog.SourceSystem, ID: "0198c0de-0000-7000-8000-0000000000a1"}
)

var quiet = slog.New(slog.DiscardHandler)

// unreliable is a log that fails as it is told to.
type unreliable struct {
	memory.Log

	mu      sync.Mutex
	fail    func(n int) error // of the nth append, from 1; nil = it works
	after   func(n int) error // the append happened, and this is said of it
	appends int
}

func (u *unreliable) Append(ctx context.Context, cmd eventlog.Command) (eventlog.Receipt, error) {
	u.mu.Lock()
	u.appends++
	n, fail, after := u.appends, u.fail, u.after
	u.mu.Unlock()
	if fail != nil {
		if err := fail(n); err != nil {
			return eventlog.Receipt{}, err
		}
	}
	receipt, err := u.Log.Append(ctx, cmd)
	if err == nil && after != nil {
		if err := after(n); err != nil {
			return eventlog.Receipt{}, err
		}
	}
	return receipt, err
}

func (u *unreliable) set(fail func(int) error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fail = fail
}

func open(t *testing.T, log eventlog.Appender, o journal.Options) *journal.Recorder {
	t.Helper()
	o.Log, o.Logger = log, quiet
	return journal.New(o)
}

func closed(t *testing.T, r *journal.Recorder) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

func denial(by journal.Who, command, target string) journal.Denial {
	return journal.Denial{OrganizationID: org, By: by, Command: command, Rule: "S1", Slug: "forbidden", Target: target, RequestID: "request"}
}

// written are the facts in the log of an organization, and that they are where
// and by whom they should be.
func written(t *testing.T, log eventlog.Reader, organization uuid.UUID) []any {
	t.Helper()
	events, err := log.Read(context.Background(), 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	var list []any
	for _, e := range events {
		if e.OrganizationID != organization {
			continue
		}
		if e.StreamID != journal.Stream(organization) || e.Version != int64(len(list)+1) {
			t.Fatalf("event %d is version %d of %s", len(list)+1, e.Version, e.StreamID)
		}
		m, err := eventlog.DecodeMetadata(e.Metadata)
		if err != nil || m.Actor.Kind != eventlog.SystemProcess || m.Actor.ID != "journal" || m.CommandID == uuid.Nil {
			t.Fatalf("metadata %+v, %v", m, err)
		}
		body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, body)
	}
	return list
}

// counts adds up what the facts count, by command, reason or query.
func counts(t *testing.T, list []any) map[string]int {
	t.Helper()
	sums := map[string]int{}
	for _, e := range list {
		switch e := e.(type) {
		case facts.CommandDenied:
			sums[e.Command] += e.Count
		case facts.SignInFailed:
			sums[e.Reason] += e.Count
		case facts.AuditRead:
			sums[e.Query] += e.Count
		default:
			t.Errorf("a %T counts nothing", e)
		}
	}
	return sums
}

var errAway = eventlog.ErrUnavailable.Because(errors.New("gone"))

// pass lets time go by: windows are the scenario, and inside synctest nobody waits.
func pass(d time.Duration) { time.Sleep(d) }
