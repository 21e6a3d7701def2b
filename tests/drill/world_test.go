package drill_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/blob"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/restore"
	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/history"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

const patience = 60 * time.Second

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }

// world is a system whose log is archived.
type world struct {
	*system.System
	t       *testing.T
	service *system.Service
	store   blob.Store
	from    string // the archive's URL

	strategy  string
	objective map[string]string
	indicator map[string]string
	head      int64
}

// archived are the settings of a system whose log is archived.
func archived(t *testing.T, more map[string]string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	file := func(name string) string {
		return (&url.URL{Scheme: "file", Path: filepath.Join(dir, name)}).String()
	}
	env := map[string]string{"STRATA_ARCHIVE_URL": file("archive"), "STRATA_ARCHIVE_EVERY": "200ms", "STRATA_VERIFY_EVERY": "0"}
	for name, value := range more {
		env[name] = value
	}
	return env
}

func newWorld(t *testing.T, o system.Options) *world {
	t.Helper()
	s, service := system.Start(t, o)
	connections := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(connections.CloseIdleConnections)
	s.HTTP = &http.Client{Timeout: time.Minute, Transport: connections}
	w := &world{System: s, t: t, service: service, from: o.Env["STRATA_ARCHIVE_URL"], objective: map[string]string{}, indicator: map[string]string{}}
	var err error
	if w.store, err = blob.Open(t.Context(), w.from, blob.Credentials{}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) post(subject, path string, body, v any) {
	w.t.Helper()
	w.head = system.MustPost(w.t, w.Client(w.service.Base, subject), path, body, v)
}

// define drafts the strategy and the objective of an indicator where they are not there, and defines it.
func (w *world) define(goal, name string, dimensions any) string {
	w.t.Helper()
	if w.strategy == "" {
		var drafted struct{ StrategyID string }
		w.post("sam", "/v1/strategies", map[string]any{"frame": map[string]string{"name": "The 2030 Agenda as the United Kingdom reports it"}}, &drafted)
		w.strategy = drafted.StrategyID
	}
	if w.objective[goal] == "" {
		var added struct{ GoalID, ObjectiveID string }
		w.post("sam", "/v1/strategies/"+w.strategy+"/commands/add-goal", map[string]string{"name": goal}, &added)
		w.post("sam", "/v1/strategies/"+w.strategy+"/commands/add-objective", map[string]string{"goalId": added.GoalID, "name": goal}, &added)
		w.objective[goal] = added.ObjectiveID
	}
	definition := map[string]any{
		"name": "Indicator " + name, "unit": "as published", "type": "quantitative", "direction": "undefined", "frequency": "irregular",
	}
	if dimensions != nil {
		definition["identifier"], definition["dimensions"] = name, dimensions
	}
	var defined struct{ IndicatorID string }
	w.post("sam", "/v1/indicators", map[string]any{"strategyId": w.strategy, "objectiveId": w.objective[goal], "definition": definition}, &defined)
	return defined.IndicatorID
}

// batch is how many items one request takes.
const batch = 1_000

// measure sends items, as many at once as a request takes.
func (w *world) measure(items []map[string]any) {
	w.t.Helper()
	for from := 0; from < len(items); from += batch {
		var answer struct{ Recorded, Refused int }
		w.post("ines", "/v1/measurements", map[string]any{"items": items[from:min(from+batch, len(items))]}, &answer)
		if answer.Refused > 0 {
			w.t.Fatalf("%d items were refused", answer.Refused)
		}
	}
}

// replay sends accepted changes of published tables, in the order in which they were.
func (w *world) replay(changes []history.Change) {
	w.t.Helper()
	columns := map[string][]string{}
	for _, c := range changes {
		if before, ok := columns[c.Indicator]; !ok {
			w.indicator[c.Indicator] = w.define("Goal", c.Indicator, history.Dimensions(c.Dims))
		} else if !history.SameColumns(before, c.Dims) {
			w.post("sam", "/v1/indicators/"+w.indicator[c.Indicator]+"/commands/redefine", map[string]any{
				"changes":            []any{map[string]any{"field": "dimensions", "new": map[string]any{"dimensions": history.Dimensions(c.Dims)}}},
				"comparabilityBreak": true, "reason": c.Kind + " in commit " + c.Commit,
			}, nil)
		}
		columns[c.Indicator] = c.Dims
		var items []map[string]any
		text, err := json.Marshal(history.Items(w.indicator[c.Indicator], c))
		if err == nil {
			err = json.Unmarshal(text, &items)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		w.measure(items)
	}
}

// importDocument imports a StratML document through the command line.
func (w *world) importDocument(document []byte) {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "plan.xml")
	if err := os.WriteFile(file, document, 0o600); err != nil {
		w.t.Fatal(err)
	}
	environ := w.Environ(map[string]string{"STRATA_URL": w.service.Base, "STRATA_TOKEN": w.Organization.Tokens["sam"]})
	if r := system.CLI(w.t, environ, "import", "stratml", file, "--progress", "none"); r.Code != 0 {
		w.t.Fatalf("import: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// copyOf reads the log past the service.
func (w *world) copyOf() *postgres.Copy {
	w.t.Helper()
	log, err := postgres.OpenCopy(w.t.Context(), w.LogAdmin)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(log.Close)
	return log
}

// settle waits until everything that follows the log is at its end, and nothing is
// recorded any more; it gives that position.
func (w *world) settle() (head int64) {
	w.t.Helper()
	log := w.copyOf()
	defer log.Close()
	pool := testenv.Pool(w.t, w.LogAdmin)
	testenv.Eventually(w.t, patience, "everything is at the end of the log", func() error {
		var processes int64
		if err := pool.QueryRow(w.t.Context(), `SELECT coalesce((SELECT position FROM cursors WHERE consumer_group = 'processes'), 0)`).Scan(&processes); err != nil {
			return err
		}
		var err error
		if head, err = log.Head(w.t.Context()); err != nil {
			return err
		}
		for name, d := range w.Digests(w.t) {
			if d.Position != head {
				return fmt.Errorf("%s is at position %d of %d", name, d.Position, head)
			}
		}
		if at := w.archivedTo(); at != head || processes != head {
			return fmt.Errorf("the archive is at position %d, the processes at %d, the log at %d", at, processes, head)
		}
		if again, err := log.Head(w.t.Context()); err != nil || again != head {
			return fmt.Errorf("the log went on to %d, %w", again, err)
		}
		return nil
	})
	return head
}

// archivedTo is the last position of the archive's newest epoch.
func (w *world) archivedTo() int64 {
	w.t.Helper()
	epoch, err := archive.LastEpoch(w.t.Context(), w.store)
	if err != nil {
		w.t.Fatal(err)
	}
	if epoch == 0 {
		return 0
	}
	last, ok, err := archive.LastSegment(w.t.Context(), w.store, epoch)
	if err != nil || !ok {
		w.t.Fatalf("last segment of epoch %d: %v, %v", epoch, ok, err)
	}
	return last.Last
}

// known is what there is at a position.
type known struct {
	position int64
	states   restore.Extracted
	models   map[string]string // digests of the read models
	root     archive.Hash
}

// remember writes down what there is.
func (w *world) remember() known {
	w.t.Helper()
	k := known{position: w.settle(), models: map[string]string{}}
	for name, d := range w.Digests(w.t) {
		k.models[name] = d.SHA256
	}
	k.states, k.root = w.fold(restore.FromLog(w.copyOf()), k.position)
	return k
}

// fold gives the states of all entities, and the root of the tree, as of a position.
func (w *world) fold(from restore.Source, position int64) (restore.Extracted, archive.Hash) {
	w.t.Helper()
	var tree archive.Frontier
	var scratch []byte
	states, err := restore.Extract(w.t.Context(), func(ctx context.Context, until restore.Until, visit func(*eventlog.Event) error) error {
		return from(ctx, until, func(e *eventlog.Event) error {
			tree.Append(eventlog.LeafHashIn(&scratch, e))
			return visit(e)
		})
	}, restore.Until{Position: position}, restore.Wanted{}, io.Discard, func(restore.Entity) error { return nil })
	if err != nil {
		w.t.Fatal(err)
	}
	return states, tree.Root()
}

// tail follows the log past the service until the database is gone, and keeps the
// leaf hash of every position.
type tail struct {
	mu     sync.Mutex
	leaves []archive.Hash
	over   sync.WaitGroup
}

func (w *world) follow(ctx context.Context) *tail {
	w.t.Helper()
	log, f := w.copyOf(), &tail{}
	f.over.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			page, err := log.Read(ctx, int64(len(f.leaves)), 2_000)
			if err != nil {
				return // the database is gone
			}
			f.mu.Lock()
			for i := range page {
				f.leaves = append(f.leaves, eventlog.LeafHash(&page[i]))
			}
			f.mu.Unlock()
			if len(page) == 0 {
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		}
	})
	return f
}

func (f *tail) len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.leaves)
}

// acknowledged is a command that the service has answered.
type acknowledged struct {
	request  restclient.Request
	position int64
	archived bool // the answer said so
	body     string
}

// writers send commands until ctx ends, every second one with the wish to be archived.
type writers struct {
	w    *world
	over sync.WaitGroup

	mu   sync.Mutex
	acks []acknowledged
}

func (w *world) write(ctx context.Context, clients int) *writers {
	w.t.Helper()
	all := &writers{w: w}
	for i := range clients {
		id, asking := w.define("Under load", fmt.Sprintf("%d under load", i), nil), w.Client(w.service.Base, "ines")
		all.over.Go(func() {
			for day := 0; ctx.Err() == nil; day++ {
				date := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -day).Format(time.DateOnly)
				all.send(ctx, asking, restclient.Request{
					Method: http.MethodPost, Path: "/v1/indicators/" + id + "/commands/record", Key: uuid.NewString(), IfMatch: "*",
					Body: map[string]any{"period": map[string]string{"start": date, "end": date}, "value": fmt.Sprint(day)},
				}, i%2 == 0)
			}
		})
	}
	return all
}

func (a *writers) send(ctx context.Context, asking *restclient.Client, r restclient.Request, durably bool) {
	if durably {
		r.Header = http.Header{"Prefer": {"strata-durability=archived, wait=10"}}
	}
	answer, err := asking.Do(ctx, r)
	if err != nil {
		return // the servers are being destroyed
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.acks = append(a.acks, acknowledged{r, answer.Position, answer.Header.Get("Strata-Durability") == "archived", string(answer.Body)})
}

// archived are the commands that the service has said are archived.
func (a *writers) archived() (out []acknowledged) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ack := range a.acks {
		if ack.archived {
			out = append(out, ack)
		}
	}
	return out
}

// run runs a command of the strata program and reads what it prints as JSON.
func (w *world) run(v any, args ...string) {
	w.t.Helper()
	if err := w.try(v, args...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) try(v any, args ...string) error {
	w.t.Helper()
	r := system.CLI(w.t, w.Environ(nil), append(args, "-o", "json", "--progress", "none")...)
	if r.Code != 0 {
		return fmt.Errorf("strata %v: exit code %d\n%s%s", args, r.Code, r.Stdout, r.Stderr)
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal([]byte(r.Stdout), v); err != nil {
		return errors.Join(fmt.Errorf("strata %v: %s", args, r.Stdout), err)
	}
	return nil
}

// emptyDatabase makes one on the server of the log.
func (w *world) emptyDatabase(name string) string {
	w.t.Helper()
	pool := testenv.Pool(w.t, w.LogAdmin)
	if _, err := pool.Exec(w.t.Context(), "CREATE DATABASE "+name); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		conn, err := pgx.Connect(context.WithoutCancel(w.t.Context()), w.LogAdmin)
		if err != nil {
			return // its server is gone, and so is it
		}
		defer conn.Close(context.WithoutCancel(w.t.Context()))
		if _, err := conn.Exec(context.WithoutCancel(w.t.Context()), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			w.t.Error(err)
		}
	})
	u, err := url.Parse(w.LogAdmin)
	if err != nil {
		w.t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}
