// Package eventlogtest is the contract of package eventlog in executable form.
//
// Every adapter runs it from its own test. It asserts on what is in the log
// afterwards, not only on what was answered, and starts racers together.
package eventlogtest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

// Run runs the suite. open gives an empty log that nobody else uses and that
// ends with the test; it is called once per subtest, and subtests run in parallel.
func Run(t *testing.T, open func(*testing.T) eventlog.Log) {
	for name, test := range map[string]func(*testing.T, eventlog.Log){
		"an empty log is empty":                                  testEmpty,
		"what is appended is read back byte for byte":            testRoundTrip,
		"what is appended belongs to the log alone":              testAliasing,
		"a command of many events is one block":                  testManyEvents,
		"recorded times never go back":                           testRecordedAt,
		"a wrong expected version is refused":                    testWrongVersion,
		"of many racers for one version exactly one wins":        testVersionRace,
		"racers that look again all get in, one after another":   testRetryRace,
		"a repeated command is answered with its first receipt":  testReplay,
		"a command id with another body is refused":              testReuse,
		"the same command at the same time happens once":         testReplayRace,
		"two bodies for one command id: one of them happens":     testReuseRace,
		"another organization's stream is not there":             testIsolation,
		"organizations count for themselves":                     testOrganizationSequence,
		"a stream is read in parts":                              testStreamParts,
		"a reader stopped after every event misses nothing":      testResume,
		"a reader that follows the writers misses nothing":       testTail,
		"a caller that has gone gets no promise":                 testCanceled,
		"what is too large is refused":                           testTooLarge,
		"what makes no sense is refused":                         testInvalid,
		"a decision that rests on quiet is judged when recorded": testQuiet,
		"of two that rule each other out one happens":            testQuietRace,
		"any sequence of commands behaves like the model":        testModel,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// Command makes a valid command that records n events.
func Command(organization uuid.UUID, stream string, expected int64, n int) eventlog.Command {
	cmd := eventlog.Command{
		ID: uuid.New(), OrganizationID: organization, StreamID: stream, ExpectedVersion: expected,
	}
	cmd.Hash = hash(cmd.ID.String())
	for i := range n {
		cmd.Events = append(cmd.Events, eventlog.NewEvent{
			ID: uuid.Must(uuid.NewV7()), Type: "strategy.goal-added", SchemaVersion: 1,
			Data:     fmt.Appendf(nil, `{"command":%q,"nth":%d}`, cmd.ID, i),
			Metadata: fmt.Appendf(nil, `{"commandId":%q}`, cmd.ID),
		})
	}
	return cmd
}

func hash(body string) []byte {
	sum := sha256.Sum256([]byte(body))
	return sum[:]
}

// again is the command as a client would send it a second time: new event ids, same key.
func again(cmd eventlog.Command) eventlog.Command {
	repeat := Command(cmd.OrganizationID, cmd.StreamID, cmd.ExpectedVersion, len(cmd.Events))
	repeat.ID, repeat.Hash = cmd.ID, cmd.Hash
	return repeat
}

func stream() string { return "strategy-" + uuid.NewString() }

func mustAppend(t testing.TB, log eventlog.Log, cmd eventlog.Command) eventlog.Receipt {
	t.Helper()
	r, err := log.Append(t.Context(), cmd)
	if err != nil {
		t.Fatalf("append to %s at %d: %v", cmd.StreamID, cmd.ExpectedVersion, err)
	}
	return r
}

// all reads the whole log in pages and checks what holds for every log: no gaps,
// numbers that ascend together, times that do not go back.
func all(t testing.TB, log eventlog.Log) []eventlog.Event {
	t.Helper()
	var events []eventlog.Event
	for {
		page, err := log.Read(t.Context(), int64(len(events)), 100)
		if err != nil {
			t.Fatalf("read after %d: %v", len(events), err)
		}
		events = append(events, page...)
		if len(page) < 100 {
			break
		}
	}
	CheckOrder(t, events)
	head, err := log.Head(t.Context())
	if err != nil || head != int64(len(events)) {
		t.Fatalf("head is %d, %v; the log has %d events", head, err, len(events))
	}
	return events
}

// CheckOrder checks a whole log, as read from its beginning: positions, versions
// and organization sequences contiguous from 1, recorded times never going back.
func CheckOrder(t testing.TB, events []eventlog.Event) {
	t.Helper()
	versions, sequences := map[string]int64{}, map[uuid.UUID]int64{}
	for i, e := range events {
		if e.Position != int64(i)+1 {
			t.Fatalf("event %d of the log has position %d", i+1, e.Position)
		}
		if versions[e.StreamID]++; e.Version != versions[e.StreamID] {
			t.Fatalf("position %d: version %d of %s follows version %d", e.Position, e.Version, e.StreamID, versions[e.StreamID]-1)
		}
		if sequences[e.OrganizationID]++; e.OrganizationSequence != sequences[e.OrganizationID] {
			t.Fatalf("position %d: organization sequence %d follows %d", e.Position, e.OrganizationSequence, sequences[e.OrganizationID]-1)
		}
		if i > 0 && e.RecordedAt.Before(events[i-1].RecordedAt) {
			t.Fatalf("position %d was recorded at %s, before position %d at %s", e.Position, e.RecordedAt, i, events[i-1].RecordedAt)
		}
	}
}

func readStream(t testing.TB, log eventlog.Log, organization uuid.UUID, stream string) []eventlog.Event {
	t.Helper()
	events, err := log.ReadStream(t.Context(), organization, stream, 0, 0)
	if err != nil {
		t.Fatalf("read %s: %v", stream, err)
	}
	return events
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// together runs n calls that start at the same moment and gives their results.
func together[T any](ctx context.Context, n int, call func(ctx context.Context, i int) T) []T {
	start, done, results := make(chan struct{}), make(chan struct{}), make([]T, n)
	for i := range n {
		go func() {
			<-start
			results[i] = call(ctx, i)
			done <- struct{}{}
		}()
	}
	close(start)
	for range n {
		<-done
	}
	return results
}

// result is an answer of Append.
type result struct {
	receipt eventlog.Receipt
	err     error
}
