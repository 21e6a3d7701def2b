package readdb

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// sums is a small model in one of the plans database's tables: per stream, the
// sum of the positions of its events. An event that is lost or counted twice shows.
type sums struct{ mended *atomic.Bool }

type sumRow struct {
	org             uuid.UUID
	stream, nothing string
	version         int64
	last            string // type of the last event
	sum             int64
}

var sumsTable = NewTable("indicator_authors", 3, "version",
	UUIDCol("organization_id", func(r *sumRow) *uuid.UUID { return &r.org }),
	Col("indicator_id", "text", func(r *sumRow) *string { return &r.stream }),
	Col("author_id", "text", func(r *sumRow) *string { return &r.nothing }),
	Col("version", "bigint", func(r *sumRow) *int64 { return &r.version }),
	Col("strategy_id", "text", func(r *sumRow) *string { return &r.last }),
	Col("last", "bigint", func(r *sumRow) *int64 { return &r.sum }),
)

type sumKey struct {
	org    uuid.UUID
	stream string
}

func (sums) Name() string { return "plans" }

// layout is that of the plans database after its migrations.
const layout = 4

func (sums) Layout() int { return layout }

func (sums) Content() []Content { return []Content{sumsTable.Content()} }

// The types of events: one that works, and one for each way to fail.
const (
	counted     = "test.counted"
	undecodable = "test.undecodable"
	refused     = "test.refused"
	panicking   = "test.panicking"
	unstorable  = "test.unstorable"

	nul = "\x00" // what PostgreSQL cannot hold as text
)

func (m sums) Decode(e eventlog.Event) (eventlog.Event, error) {
	if e.Type == undecodable && !m.mended.Load() {
		return e, errors.New("cannot be decoded")
	}
	return e, nil
}

func (m sums) Writer(empty bool) Writer[eventlog.Event] {
	return &sumWriter{m, NewRows(sumsTable, empty,
		func(k sumKey) *sumRow { return &sumRow{org: k.org, stream: k.stream} },
		func(r *sumRow) sumKey { return sumKey{r.org, r.stream} }), empty}
}

type sumWriter struct {
	model sums
	rows  *Rows[sumKey, sumRow]
	empty bool
}

func (w *sumWriter) Load(ctx context.Context, tx pgx.Tx, batch []eventlog.Event) error {
	keys := make([]sumKey, len(batch))
	for i, e := range batch {
		keys[i] = sumKey{e.OrganizationID, e.StreamID}
	}
	queries := &pgx.Batch{}
	if err := w.rows.Load(queries, keys, nil); err != nil {
		return err
	}
	return Send(ctx, tx, queries)
}

func (w *sumWriter) Fold(e eventlog.Event) error {
	k := sumKey{e.OrganizationID, e.StreamID}
	mended := w.model.mended.Load()
	if e.Type == refused && !mended {
		return errors.New("cannot be folded")
	}
	row := w.rows.Get(k)
	if row == nil {
		row = &sumRow{org: k.org, stream: k.stream}
	}
	row.sum += e.Position
	if e.Type == panicking && !mended {
		panic("half folded")
	}
	row.version = e.Version
	if row.last != nul { // else a later event would hide what the database must refuse
		row.last = e.Type
	}
	if e.Type == unstorable && !mended {
		row.last = nul
	}
	w.rows.Put(k, row)
	return nil
}

func (w *sumWriter) Flush(ctx context.Context, tx pgx.Tx) error {
	writes := &pgx.Batch{}
	if err := w.rows.Flush(ctx, tx, writes, w.empty); err != nil {
		return err
	}
	return Send(ctx, tx, writes)
}

func (w *sumWriter) Weight() int { return w.rows.Len() }

// fixture is a database with a projection and a log.
type fixture struct {
	urls       testenv.ReadURLs
	log        *readdbtest.Log
	mended     atomic.Bool
	projection *Projection[eventlog.Event]
	orgs       []uuid.UUID
}

func setup(t *testing.T, o Options) *fixture {
	t.Helper()
	leaks := append(testenv.LeakOptions(), goleak.IgnoreCurrent())
	t.Cleanup(func() { goleak.VerifyNone(t, leaks...) })
	f := &fixture{urls: testenv.Plans(t), log: readdbtest.NewLog(), orgs: []uuid.UUID{uuid.New(), uuid.New()}}
	f.projection = f.open(t, o)
	return f
}

// open opens the projection as another process would.
func (f *fixture) open(t *testing.T, o Options) *Projection[eventlog.Event] {
	t.Helper()
	return f.openAs(t, "other", o)
}

// openAs is open for connections that cut can tell by the name of the application.
func (f *fixture) openAs(t *testing.T, application string, o Options) *Projection[eventlog.Event] {
	t.Helper()
	url := f.urls.Projector + "&application_name=" + application
	if !strings.Contains(f.urls.Projector, "?") {
		url = f.urls.Projector + "?application_name=" + application
	}
	p, err := Open(t.Context(), url, Model[eventlog.Event](sums{&f.mended}), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func (f *fixture) reader(t *testing.T, signal *Signal) *Reader {
	t.Helper()
	r, err := OpenReader(t.Context(), f.urls.Reader, "plans", layout, signal)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

type (
	event   = eventlog.Event
	pgError = pgconn.PgError
)

var nobody = fact.Actor{ID: "nobody", Kind: fact.Person}

// add appends an event to a stream of the first organization.
func (f *fixture) add(stream, typ string) eventlog.Event {
	return f.log.Append(f.orgs[0], stream, nobody, typ, 1, []byte("{}"))
}

// fill appends n events to streams of both organizations, in turn.
func (f *fixture) fill(n int) {
	for i := range n {
		f.log.Append(f.orgs[i%2], "stream-"+string(rune('a'+i%7))+f.orgs[i%2].String(), nobody, counted, 1, []byte("{}"))
	}
}

// want is what the table must hold after all events up to position, those of
// the streams named left out.
func (f *fixture) want(t *testing.T, position int64, without ...string) map[string]int64 {
	t.Helper()
	events, err := f.log.Read(t.Context(), 0, int(position))
	if err != nil {
		t.Fatal(err)
	}
	sum := map[string]int64{}
	for _, e := range events {
		if !strings.Contains(strings.Join(without, " "), e.StreamID) {
			sum[e.StreamID] += e.Position
		}
	}
	return sum
}

// got is what the live generation holds, seen by a superuser.
func (f *fixture) got(t *testing.T) (position int64, sum map[string]int64) {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, f.urls.Admin)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}()
	sum = map[string]int64{}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		g, err := lockLive(ctx, tx, "plans")
		if err != nil {
			return err
		}
		position = g.position
		rows, err := tx.Query(ctx, sumsTable.Select())
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, sumsTable.Scan)
		for _, r := range all {
			sum[r.stream] = r.sum
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return position, sum
}

// bring applies everything behind the checkpoint, in batches of at most size.
func bring(ctx context.Context, p *Projection[eventlog.Event], log eventlog.Reader, size int) error {
	for {
		at, err := p.Checkpoint(ctx)
		if err != nil {
			return err
		}
		events, err := log.Read(ctx, at, size)
		if err != nil || len(events) == 0 {
			return err
		}
		if err := p.Apply(ctx, events); err != nil {
			return err
		}
	}
}
