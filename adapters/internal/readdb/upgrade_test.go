package readdb

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/projection"
	"strata.dev/strata/app/query"
	"strata.dev/strata/tests/testenv"
)

// next is the model of the release after.
type next struct{ sums }

func (next) Layout() int { return sums{}.Layout() + 1 }

func (f *fixture) openNext(t *testing.T, o Options) *Projection[eventlog.Event] {
	t.Helper()
	p, err := Open(t.Context(), f.urls.Projector, Model[eventlog.Event](next{sums{&f.mended}}), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// A newer release leaves an older one's model alone until it has built its own
// beside it; from then on it is the older release that refuses.
func TestUpgrade(t *testing.T) {
	f := setup(t, Options{})
	f.fill(40)
	if err := bring(t.Context(), f.projection, f.log, 10); err != nil {
		t.Fatal(err)
	}
	if err := f.projection.Upgrade(t.Context(), f.log, nil); err != nil {
		t.Fatalf("a model of the own layout: %v", err)
	}
	if s, err := f.projection.Status(t.Context()); err != nil || s.Generation.Number != 1 {
		t.Fatalf("a model of the own layout was rebuilt: %+v, %v", s, err)
	}
	f.fill(5)
	newer := f.openNext(t, Options{})
	reader, err := OpenReader(t.Context(), f.urls.Reader, "plans", next{}.Layout(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reader.Close)
	read := func() error {
		return reader.InTenantTx(t.Context(), query.Read{OrganizationID: f.orgs[0]}, func(context.Context, pgx.Tx, int64) error { return nil })
	}
	wantLayouts(t, bring(t.Context(), newer, f.log, 10), layout, layout+1)
	if err := read(); !errors.Is(err, query.ErrUnavailable) {
		t.Errorf("a reader of the newer release: %v, want unavailable", err)
	}
	f.check(t, 40)

	done := make(chan error, 2)
	for _, p := range []*Projection[eventlog.Event]{newer, f.openNext(t, Options{})} {
		go func() { done <- p.Upgrade(t.Context(), f.log, nil) }()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Errorf("one of two upgrades at the same time: %v", err)
		}
	}
	f.check(t, 45)
	f.fill(5)
	wantLayouts(t, bring(t.Context(), f.projection, f.log, 10), layout+1, layout)
	wantLayouts(t, f.projection.Upgrade(t.Context(), f.log, nil), layout+1, layout)
	wantLayouts(t, f.projection.Rebuild(t.Context(), f.log, nil), layout+1, layout)
	f.check(t, 45)
	if err := bring(t.Context(), newer, f.log, 10); err != nil {
		t.Error(err)
	}
	if err := read(); err != nil {
		t.Errorf("a reader of the newer release after the upgrade: %v", err)
	}
	f.check(t, 50)
}

func wantLayouts(t *testing.T, err error, live, code int) {
	t.Helper()
	var layout *projection.LayoutError
	if !errors.As(err, &layout) || layout.Live != live || layout.Code != code {
		t.Errorf("%v, want a refusal of layout %d by layout %d", err, live, code)
	}
}

// An upgrade that dies anywhere leaves the old model as it was, and the next one
// goes through.
func TestUpgradeDiesAnywhere(t *testing.T) {
	f := setup(t, Options{})
	f.fill(40)
	if err := bring(t.Context(), f.projection, f.log, 10); err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"created", "before-write", "written", "finished", "caught-up", "before-switch"} {
		dying := f.openNext(t, Options{Step: f.dieAt(t, step, 1, "error")})
		if err := dying.Upgrade(t.Context(), f.log, nil); !errors.Is(err, errKilled) {
			t.Fatalf("%s: %v, want to be killed", step, err)
		}
		f.check(t, 40)
		if err := f.projection.Apply(t.Context(), nil); err != nil {
			t.Errorf("%s: the older release cannot go on: %v", step, err)
		}
	}
	if err := f.openNext(t, Options{}).Upgrade(t.Context(), f.log, nil); err != nil {
		t.Fatal(err)
	}
	f.check(t, 40)
}

// A copy that has seen nothing is replaced where it is.
func TestEmptyCopyIsReplaced(t *testing.T) {
	f := setup(t, Options{})
	admin := testenv.Pool(t, f.urls.Admin)
	replace := func() (number, layout int) {
		err := pgx.BeginFunc(t.Context(), admin, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), `SET LOCAL ROLE strata_owner; SELECT replace_empty('plans', 7)`); err != nil {
				return err
			}
			return tx.QueryRow(t.Context(), `SELECT generation, layout FROM generations WHERE state = 'live'`).Scan(&number, &layout)
		})
		if err != nil {
			t.Fatal(err)
		}
		return number, layout
	}
	f.fill(3)
	if err := bring(t.Context(), f.projection, f.log, 10); err != nil {
		t.Fatal(err)
	}
	if _, of := replace(); of != layout {
		t.Errorf("a copy with content was replaced by one of layout %d", of)
	}
	f.check(t, 3)
	if _, err := admin.Exec(t.Context(), `UPDATE generations SET position = 0`); err != nil {
		t.Fatal(err)
	}
	if number, layout := replace(); number != 1 || layout != 7 {
		t.Errorf("generation %d of layout %d, want the first anew, of layout 7", number, layout)
	}
	if _, sums := f.got(t); len(sums) > 0 {
		t.Errorf("the new copy holds %v", sums)
	}
}
