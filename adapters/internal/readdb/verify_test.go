package readdb

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/projection"
)

// byHand runs SQL in the live generation's schema, as a superuser.
func (f *fixture) byHand(t *testing.T, sql string, args ...any) {
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
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT set_config('search_path', quote_ident(schema_name), true) FROM public.generations WHERE state = 'live'`)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, sql, args...)
		if err == nil && !tag.Select() && tag.RowsAffected() == 0 && (tag.Update() || tag.Delete() || tag.Insert()) {
			err = errors.New("no row was touched")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) verify(t *testing.T, p *Projection[eventlog.Event], o projection.VerifyOptions) projection.VerifyReport {
	t.Helper()
	r, err := p.Verify(t.Context(), f.log, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// generations is how many copies there are that are not retired.
func (f *fixture) onlyLive(t *testing.T) {
	t.Helper()
	s, err := f.projection.Status(t.Context())
	if err != nil || s.Building != nil {
		t.Errorf("status %+v, %v: a copy was left behind", s, err)
	}
}

func (f *fixture) stream(org int, name string) string { return "stream-" + name + f.orgs[org].String() }

const madeUp = "made-up"

// tamper changes one row, takes one away and makes one up; it gives what a
// verification must find, in the order of the table's key.
func (f *fixture) tamper(t *testing.T) []projection.Difference {
	t.Helper()
	changed, gone, stranger := f.stream(0, "a"), f.stream(1, "b"), uuid.New()
	f.byHand(t, `UPDATE indicator_authors SET last = last + 1, strategy_id = 'x' WHERE indicator_id = $1`, changed)
	f.byHand(t, `DELETE FROM indicator_authors WHERE indicator_id = $1`, gone)
	f.byHand(t, `INSERT INTO indicator_authors VALUES ($1, $2, '', 1, '', 7)`, stranger, madeUp)
	key := func(stream string) string { return "indicator_id=" + stream + ", author_id=" }
	want := []projection.Difference{
		{Table: "indicator_authors", Organization: f.orgs[0].String(), Key: key(changed), Kind: projection.Changed, Columns: []string{"strategy_id", "last"}},
		{Table: "indicator_authors", Organization: f.orgs[1].String(), Key: key(gone), Kind: projection.Missing},
		{Table: "indicator_authors", Organization: stranger.String(), Key: key(madeUp), Kind: projection.Extra},
	}
	slices.SortFunc(want, func(a, b projection.Difference) int {
		if a.Organization < b.Organization {
			return -1
		}
		return 1
	})
	return want
}

// What was done by hand is named, row by row; the live model stays as it is until
// it is to be repaired, and then is what the log says.
func TestVerifyFindsWhatWasDoneByHand(t *testing.T) {
	f := setup(t, Options{RebuildBatch: 9, RebuildRows: 3})
	f.fill(60)
	if err := bring(t.Context(), f.projection, f.log, 100); err != nil {
		t.Fatal(err)
	}
	clean := f.digest(t)
	if r := f.verify(t, f.projection, projection.VerifyOptions{Repair: true}); r.Differing() != 0 || r.Cause != "" || r.Repaired || r.Rows() != 14 || r.Position != 60 {
		t.Fatalf("of an untouched model: %+v", r)
	}
	s, err := f.projection.Status(t.Context())
	if err != nil || s.Verified == nil || s.Verified.Position != 60 {
		t.Errorf("status %+v, %v: want it verified at 60", s, err)
	}
	want := f.tamper(t)
	tampered := f.digest(t)

	r := f.verify(t, f.projection, projection.VerifyOptions{Twice: true})
	if !reflect.DeepEqual(r.Differences, want) {
		t.Errorf("found %+v\nwant %+v", r.Differences, want)
	}
	found := projection.TableReport{Table: "indicator_authors", Rows: 14, Missing: 1, Extra: 1, Changed: 1}
	if !slices.Equal(r.Tables, []projection.TableReport{found}) || r.Cause != projection.Tampered || r.Repaired || len(r.Organizations) != 3 {
		t.Errorf("report %+v", r)
	}
	if f.digest(t) != tampered {
		t.Error("a verification that was not to repair has changed the model")
	}
	if r := f.verify(t, f.projection, projection.VerifyOptions{Limit: 2}); len(r.Differences) != 2 || r.Differing() != 3 {
		t.Errorf("%d rows named of %d, want 2 of 3", len(r.Differences), r.Differing())
	}
	if r := f.verify(t, f.projection, projection.VerifyOptions{Repair: true}); !r.Repaired || r.Differing() != 3 {
		t.Errorf("report %+v: want 3 rows, repaired", r)
	}
	f.check(t, 60)
	if f.digest(t) != clean {
		t.Error("the repaired model is another one than before")
	}
	if r := f.verify(t, f.projection, projection.VerifyOptions{Repair: true}); r.Differing() != 0 || r.Repaired {
		t.Errorf("after the repair: %+v", r)
	}
	f.onlyLive(t)
}

// While events are applied all the time, an untouched model is never suspected,
// and what was done by hand is found and repaired.
func TestVerifyUnderLoad(t *testing.T) {
	f := setup(t, Options{})
	f.fill(200)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	load.Go(func() {
		for ctx.Err() == nil {
			f.fill(7)
			if err := bring(ctx, f.projection, f.log, 5); err != nil && ctx.Err() == nil {
				t.Errorf("apply: %v", err)
				return
			}
		}
	})
	other := f.open(t, Options{})
	for range 5 {
		if r := f.verify(t, other, projection.VerifyOptions{Repair: true}); r.Differing() != 0 {
			t.Errorf("a false alarm at position %d: %+v", r.Position, r.Differences)
		}
	}
	f.byHand(t, `INSERT INTO indicator_authors VALUES ($1, $2, '', 1, '', 7)`, f.orgs[0], madeUp)
	if r := f.verify(t, other, projection.VerifyOptions{Repair: true}); r.Differing() != 1 || !r.Repaired || r.Differences[0].Kind != projection.Extra {
		t.Errorf("of a row made up by hand: %+v", r)
	}
	stop()
	load.Wait()
	if err := bring(t.Context(), f.projection, f.log, 100); err != nil {
		t.Fatal(err)
	}
	head, err := f.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.check(t, head)
}

// While rows are being compared, batches are applied: they neither wait nor show.
func TestVerifyHoldsNobodyUp(t *testing.T) {
	f := setup(t, Options{})
	f.fill(40)
	if err := bring(t.Context(), f.projection, f.log, 100); err != nil {
		t.Fatal(err)
	}
	verifier := f.open(t, Options{Step: func(ctx context.Context, name string) error {
		if name != "frozen" {
			return nil
		}
		f.fill(20)
		if err := f.projection.Rebuild(ctx, f.log, nil); !errors.Is(err, projection.ErrRebuilding) {
			return fmt.Errorf("a rebuild beside a verification: %w", err)
		}
		return bring(ctx, f.projection, f.log, 3)
	}})
	if r := f.verify(t, verifier, projection.VerifyOptions{}); r.Differing() != 0 || r.Position != 40 {
		t.Errorf("report %+v: want no difference, at 40", r)
	}
	f.check(t, 60)
}

// A verification dies at each of its steps. The live model is as it was, or
// repaired, and the next one cleans up.
func TestVerifyDiesAnywhere(t *testing.T) {
	f := setup(t, Options{})
	f.fill(30)
	if err := bring(t.Context(), f.projection, f.log, 100); err != nil {
		t.Fatal(err)
	}
	for _, at := range []struct{ step, how string }{
		{"created", "error"},
		{"written", "connection"},
		{"caught-up", "error"},
		{"frozen", "connection"},
		{"compared", "error"},
		{"finished", "connection"},
		{"before-switch", "error"},
		{"before-switch", "connection"},
	} {
		t.Run(at.step+" by "+at.how, func(t *testing.T) {
			f.byHand(t, `UPDATE indicator_authors SET last = 0 WHERE indicator_id = $1`, f.stream(0, "a"))
			tampered := f.digest(t)
			victim := f.openAs(t, "victim", Options{Step: f.dieAt(t, at.step, 1, at.how)})
			if r, err := victim.Verify(t.Context(), f.log, projection.VerifyOptions{Repair: true}, nil); err == nil {
				t.Fatalf("it did not die: %+v", r)
			}
			if f.digest(t) != tampered {
				t.Error("the live model is another one than before")
			}
			if r := f.verify(t, f.projection, projection.VerifyOptions{Repair: true}); r.Differing() != 1 || !r.Repaired {
				t.Errorf("the next one: %+v", r)
			}
			f.check(t, 30)
			f.onlyLive(t)
		})
	}
}

// fickle is sums whose folds never come to the same.
type fickle struct {
	sums
	folds *atomic.Int64
}

func (m fickle) Writer(empty bool) Writer[eventlog.Event] {
	w := m.sums.Writer(empty).(*sumWriter)
	return &fickleWriter{w, m.folds}
}

type fickleWriter struct {
	*sumWriter
	folds *atomic.Int64
}

func (w *fickleWriter) Fold(e eventlog.Event) error {
	e.Position += w.folds.Add(1)
	return w.sumWriter.Fold(e)
}

// A projector that does not do the same thing twice is named, not a tamperer.
func TestVerifyNamesTheProjector(t *testing.T) {
	f := setup(t, Options{})
	f.fill(14)
	p, err := Open(t.Context(), f.urls.Projector, Model[eventlog.Event](fickle{sums{&f.mended}, new(atomic.Int64)}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if err := bring(t.Context(), p, f.log, 100); err != nil {
		t.Fatal(err)
	}
	if r := f.verify(t, p, projection.VerifyOptions{}); r.Cause != projection.Tampered {
		t.Errorf("cause %q without a second copy", r.Cause)
	}
	if r := f.verify(t, p, projection.VerifyOptions{Twice: true}); r.Cause != projection.Projector || r.Differing() != 14 {
		t.Errorf("cause %q, %d rows; want the projector and 14", r.Cause, r.Differing())
	}
	f.onlyLive(t)
}

// A stream that was set aside, and that the code can apply by now, is a cause of its own.
func TestVerifyKnowsWhatWasSetAside(t *testing.T) {
	f := setup(t, Options{})
	f.fill(14)
	f.add("poisoned", refused)
	if err := bring(t.Context(), f.projection, f.log, 100); err != nil {
		t.Fatal(err)
	}
	if r := f.verify(t, f.projection, projection.VerifyOptions{}); r.Differing() != 0 || len(r.Parked) != 0 {
		t.Errorf("while it cannot be applied: %+v", r)
	}
	f.mended.Store(true)
	r := f.verify(t, f.projection, projection.VerifyOptions{Repair: true})
	if r.Cause != projection.SetAside || !slices.Equal(r.Parked, []string{"poisoned"}) || r.Differing() != 1 || !r.Repaired {
		t.Errorf("once it can: %+v", r)
	}
	f.check(t, 15)
}

// A table whose columns were changed cannot be compared. That is a difference, and
// is repaired like one.
func TestVerifyFindsAnAlteredTable(t *testing.T) {
	f := setup(t, Options{})
	f.fill(14)
	if err := bring(t.Context(), f.projection, f.log, 100); err != nil {
		t.Fatal(err)
	}
	for _, by := range []string{
		`ALTER TABLE indicator_authors DROP COLUMN last`,
		`ALTER TABLE indicator_authors ALTER COLUMN last TYPE text`,
		`REVOKE ALL ON indicator_authors FROM strata_plans_projector`,
		`DROP TABLE indicator_authors`,
		`DO $$ BEGIN EXECUTE format('DROP SCHEMA %I CASCADE', current_schema()); END $$`,
	} {
		f.byHand(t, by)
		r := f.verify(t, f.projection, projection.VerifyOptions{Repair: true})
		want := []projection.Difference{{Table: "indicator_authors", Kind: projection.Altered}}
		if !reflect.DeepEqual(r.Differences, want) || !r.Tables[0].Altered || !r.Repaired {
			t.Errorf("%s: %+v", by, r)
		}
		f.check(t, 14)
	}
	f.byHand(t, `UPDATE public.generations SET switched_at = switched_at - interval '1 hour' WHERE state = 'retired'`)
	if err := f.projection.Sweep(t.Context()); err != nil {
		t.Errorf("what is left of the copies cannot be dropped: %v", err)
	}
}

// A checkpoint that was moved by hand beyond the log is no position to compare at.
func TestVerifyRefusesAnImpossibleCheckpoint(t *testing.T) {
	f := setup(t, Options{})
	f.fill(14)
	if err := bring(t.Context(), f.projection, f.log, 100); err != nil {
		t.Fatal(err)
	}
	f.byHand(t, `UPDATE public.generations SET position = 99 WHERE state = 'live'`)
	if r, err := f.projection.Verify(t.Context(), f.log, projection.VerifyOptions{}, nil); err == nil {
		t.Errorf("report %+v: want an error", r)
	}
}
