package command_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	generated "strata.dev/strata/tests/testdata/stratml"
)

// An import that dies at any append, or after it without knowing, is finished
// in another process, by its repetition or by whoever looks for unfinished
// imports, to the same log.
func TestImportInterruptedAnywhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		document []byte
		appends  int64
	}{
		"many indicators": {generated.Plan(2, 3, 4, 3, 2), 10},           // the acceptance, the plan, four definitions, four times results
		"many chunks":     {generated.Plan(1, 401, 1, 390, 0), 6},        // the acceptance, two of the plan, a definition, two of results
		"persons":         {peopled(generated.Plan(2, 401, 1, 3, 0)), 5}, // the acceptance, two of the plan, a definition, results
	} {
		whole := newSealedWorld(t, &memory.Log{})
		whole.imports(whole.as("author"), c.document)
		want := whole.contentOf()
		for n := int64(1); n <= c.appends; n++ {
			t.Run(fmt.Sprintf("%s, append %d", name, n), func(t *testing.T) {
				t.Parallel()
				interrupted(t, c.document, want, c.appends, n)
			})
		}
	}
}

var errDied = errors.New("killed")

// deaths are the ways in which an append can be the last of a process.
var deaths = map[string]func(do func() (eventlog.Receipt, error), cancel func()) (eventlog.Receipt, error){
	"before it happened": func(func() (eventlog.Receipt, error), func()) (eventlog.Receipt, error) {
		return eventlog.Receipt{}, eventlog.ErrUnavailable.Because(errDied)
	},
	"after it happened": func(do func() (eventlog.Receipt, error), _ func()) (eventlog.Receipt, error) {
		if _, err := do(); err != nil {
			return eventlog.Receipt{}, err
		}
		return eventlog.Receipt{}, eventlog.ErrOutcomeUnknown.Because(errDied)
	},
	"canceled": func(_ func() (eventlog.Receipt, error), cancel func()) (eventlog.Receipt, error) {
		cancel()
		return eventlog.Receipt{}, eventlog.ErrOutcomeUnknown.Because(errDied)
	},
}

// interrupted kills an import at its n-th append, in each way.
func interrupted(t *testing.T, document []byte, want map[string][]string, appends, n int64) {
	for name, die := range deaths {
		log := &spy{Log: &memory.Log{}}
		w := newSealedWorld(t, log)
		ctx, cancel := context.WithCancel(t.Context())
		before := log.appends.Load()
		var dead atomic.Bool
		log.onAppend = func(i int64, do func() (eventlog.Receipt, error)) (eventlog.Receipt, error) {
			switch {
			case i-before == n:
				dead.Store(true)
				return die(do, cancel)
			case dead.Load(): // a dead process appends nothing more
				return eventlog.Receipt{}, eventlog.ErrUnavailable.Because(errDied)
			}
			return do()
		}
		c := w.as("author")
		_, err := w.commands.Imports.Import(ctx, c, upload(document), nil)
		if !errors.Is(err, errDied) && !errors.Is(err, context.Canceled) {
			t.Fatalf("%s: got %v", name, err)
		}
		cancel()
		log.onAppend = nil
		w.commands = w.process()
		if n > 1 { // it was accepted: it can be gone on with by its id alone
			unfinished, err := w.commands.Imports.Unfinished(t.Context())
			if err != nil || len(unfinished) != 1 || unfinished[0].OrganizationID != w.org {
				t.Fatalf("%s: unfinished %+v, %v", name, unfinished, err)
			}
			if _, err := w.commands.Imports.Run(t.Context(), w.org, unfinished[0].ImportID, nil); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		got := w.imports(c, document)
		if diff := cmp.Diff(want, w.contentOf()); diff != "" {
			t.Errorf("%s: the log differs (-whole +resumed):\n%s", name, diff)
		}
		if head, _ := log.Head(t.Context()); got.Position != head || got.Replayed != (n > 1) {
			t.Errorf("%s: position %d of %d, replayed %v", name, got.Position, head, got.Replayed)
		}
		if m := metadataOf(t, mustRead(t, log)[got.Position-1]); m.CausationID == "" || m.Origin.MessageID != got.ImportID.String() {
			t.Errorf("%s: the last event was caused by %q, of import %q", name, m.CausationID, m.Origin.MessageID)
		}
		run, err := w.commands.Imports.Status(t.Context(), w.org, got.ImportID)
		if err != nil || run.State != command.ImportApplied || int64(run.Total) != appends-1 || run.Done != run.Total || run.Position != got.Position || run.Version != got.Version {
			t.Errorf("%s: status %+v, %v", name, run, err)
		}
		if left, err := w.commands.Imports.Unfinished(t.Context()); err != nil || len(left) != 0 {
			t.Errorf("%s: still unfinished %+v, %v", name, left, err)
		}
	}
}

var contentPattern = regexp.MustCompile(`"contentHash":"[0-9a-f]{64}"`)

var idPattern = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// contentOf is what the strategies and indicators of the organization say,
// without what differs by chance: ids derived from the organization and its
// members, times, positions.
func (w *world) contentOf() map[string][]string {
	w.t.Helper()
	events, err := w.log.Read(w.t.Context(), 0, 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	said := func(e eventlog.Event) string {
		data := idPattern.ReplaceAllString(w.opened(e.Data), "#")
		if strings.Contains(data, `"subjects"`) { // keyed with the organization's keys
			data = contentPattern.ReplaceAllString(data, "#")
		}
		return e.Type + data
	}
	names := map[string]string{}
	content := map[string][]string{}
	var mine []eventlog.Event
	for _, e := range events {
		if !strings.HasPrefix(e.StreamID, "organization-") {
			mine = append(mine, e)
		}
	}
	// Streams are named by their first event, so that their order does not count.
	for _, e := range mine {
		if e.Version == 1 {
			names[e.StreamID] = said(e)
		}
	}
	for _, e := range mine {
		name := names[e.StreamID]
		content[name] = append(content[name], said(e))
	}
	return content
}

// The same import several times at once, by two processes: one content.
func TestImportRepeatedWhileItRuns(t *testing.T) {
	t.Parallel()
	doc := peopled(generated.Plan(2, 3, 4, 3, 2))
	key := uuid.NewString()
	whole := newSealedWorld(t, &memory.Log{})
	whole.imports(whole.keyed("author", key), doc)
	w := newSealedWorld(t, &memory.Log{})
	c := w.keyed("author", key)
	processes := []*command.Commands{w.commands, w.process()}
	results := make([]command.Imported, 6)
	errs := together(len(results), func(i int) (err error) {
		results[i], err = processes[i%2].Imports.Import(t.Context(), c, upload(doc), nil)
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		r.Replayed = results[0].Replayed
		if diff := cmp.Diff(results[0], r); diff != "" {
			t.Errorf("different answers: %s", diff)
		}
	}
	if diff := cmp.Diff(whole.contentOf(), w.contentOf()); diff != "" {
		t.Errorf("the log differs (-once +at once):\n%s", diff)
	}
}
