package readdb

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/tests/testenv"
)

func streams(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT indicator_id FROM indicator_authors ORDER BY indicator_id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// filled has a stream named "mine" and one named "theirs", of two organizations.
func filled(t *testing.T) *fixture {
	t.Helper()
	f := setup(t, Options{})
	f.log.Append(f.orgs[0], "mine", nobody, counted, 1, []byte("{}"))
	f.log.Append(f.orgs[1], "theirs", nobody, counted, 1, []byte("{}"))
	if err := bring(t.Context(), f.projection, f.log, 10); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestReaderSeesItsOrganizationOnly(t *testing.T) {
	f := filled(t)
	r := f.reader(t, nil)
	for org, want := range map[uuid.UUID]string{f.orgs[0]: "[mine]", f.orgs[1]: "[theirs]", uuid.New(): "[]"} {
		err := r.InTenantTx(t.Context(), query.Read{OrganizationID: org}, func(ctx context.Context, tx pgx.Tx, position int64) error {
			got, err := streams(ctx, tx)
			if fmt.Sprint(got) != want || position != 2 {
				t.Errorf("%s sees %v at %d, want %s at 2", org, got, position, want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	err := r.InTenantTx(t.Context(), query.Read{}, func(context.Context, pgx.Tx, int64) error {
		t.Error("a read without an organization was made")
		return nil
	})
	if !errors.Is(err, query.ErrNotFound) {
		t.Errorf("a read without an organization: %v, want not-found", err)
	}
}

// Without the setting, with an empty one, and as the owner, there is nothing to see.
func TestForgottenSettingSeesNothing(t *testing.T) {
	f := filled(t)
	reader, admin := testenv.Pool(t, f.urls.Reader), testenv.Pool(t, f.urls.Admin)
	ctx := t.Context()
	count := func(b interface {
		Begin(context.Context) (pgx.Tx, error)
	}, before ...string,
	) (n int) {
		t.Helper()
		err := pgx.BeginFunc(ctx, b, func(tx pgx.Tx) error {
			for _, sql := range before {
				if _, err := tx.Exec(ctx, sql); err != nil {
					return err
				}
			}
			return tx.QueryRow(ctx, `SELECT count(*) FROM plans_g1.indicator_authors`).Scan(&n)
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(admin); n != 2 {
		t.Fatalf("a superuser sees %d rows, want 2", n)
	}
	for what, n := range map[string]int{
		"no setting":    count(reader),
		"empty setting": count(reader, `SET LOCAL strata.organization_id = ''`),
		"the owner":     count(admin, `SET LOCAL ROLE strata_owner`),
		"the owner with a setting": count(admin, `SET LOCAL ROLE strata_owner`,
			fmt.Sprintf(`SET LOCAL strata.organization_id = '%s'`, f.orgs[0])),
	} {
		if n != 0 {
			t.Errorf("%s: sees %d rows, want none", what, n)
		}
	}
}

func TestReaderCannotWrite(t *testing.T) {
	f := filled(t)
	reader, projector := testenv.Pool(t, f.urls.Reader), testenv.Pool(t, f.urls.Projector)
	for _, sql := range []string{
		`UPDATE plans_g1.indicator_authors SET last = 0`, `DELETE FROM plans_g1.indicator_authors`, `TRUNCATE plans_g1.indicator_authors`,
		`INSERT INTO plans_g1.indicator_authors VALUES (gen_random_uuid(), 'x', 'x', 1, 'x', 1)`,
		`UPDATE generations SET position = 0`, `SELECT reason FROM parked`, `SELECT create_generation('plans', 2)`,
		`SELECT drop_generation('plans', 1)`, `CREATE TABLE t ()`, `ALTER TABLE plans_g1.indicator_authors DISABLE ROW LEVEL SECURITY`,
		`SELECT * FROM plans_template.indicator_authors`,
	} {
		if _, err := reader.Exec(t.Context(), "BEGIN READ WRITE; "+sql+"; COMMIT"); !denied(err) {
			t.Errorf("the reader may %s: %v", sql, err)
		}
	}
	for _, sql := range []string{
		`DELETE FROM plans_g1.indicator_authors`, `TRUNCATE plans_g1.indicator_authors`, `DROP SCHEMA plans_g1 CASCADE`, `CREATE SCHEMA mine`,
		`DELETE FROM generations`, `INSERT INTO generations (projection, generation, schema_name) VALUES ('plans', 9, 'x')`,
		`UPDATE generations SET schema_name = 'x'`, `ALTER TABLE plans_g1.indicator_authors DISABLE ROW LEVEL SECURITY`,
	} {
		if _, err := projector.Exec(t.Context(), sql); !denied(err) {
			t.Errorf("the projector may %s: %v", sql, err)
		}
	}
	if _, err := projector.Exec(t.Context(), `SELECT drop_generation('plans', 1)`); err == nil {
		t.Error("the live generation can be dropped")
	}
	f.check(t, 2)
}

func denied(err error) bool {
	pg, ok := errors.AsType[*pgError](err)
	return ok && pg.Code == "42501"
}

// However a transaction for one organization ends, the next one on the same
// connection sees nothing of it.
func TestPoolIsNotContaminated(t *testing.T) {
	f := filled(t)
	f.urls.Reader += "&pool_max_conns=1"
	r := f.reader(t, nil)
	mine, theirs := query.Read{OrganizationID: f.orgs[0]}, query.Read{OrganizationID: f.orgs[1]}
	endings := map[string]func(){
		"a panic": func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = r.InTenantTx(t.Context(), mine, func(context.Context, pgx.Tx, int64) error { panic("in the middle") })
		},
		"a cancelled context": func() {
			ctx, cancel := context.WithCancel(t.Context())
			err := r.InTenantTx(ctx, mine, func(ctx context.Context, tx pgx.Tx, _ int64) error {
				cancel()
				_, err := tx.Exec(ctx, `SELECT pg_sleep(10)`)
				return err
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a cancelled read: %v", err)
			}
		},
		"a failing statement": func() {
			err := r.InTenantTx(t.Context(), mine, func(ctx context.Context, tx pgx.Tx, _ int64) error {
				_, err := tx.Exec(ctx, `SELECT 1/0`)
				return err
			})
			if !errors.Is(err, query.ErrUnavailable) {
				t.Errorf("a failing read: %v", err)
			}
		},
		"success": func() {
			if err := r.InTenantTx(t.Context(), mine, func(context.Context, pgx.Tx, int64) error { return nil }); err != nil {
				t.Error(err)
			}
		},
	}
	for how, end := range endings {
		end()
		err := r.InTenantTx(t.Context(), theirs, func(ctx context.Context, tx pgx.Tx, _ int64) error {
			got, err := streams(ctx, tx)
			if fmt.Sprint(got) != "[theirs]" {
				t.Errorf("after %s: %v, want [theirs]", how, got)
			}
			return err
		})
		if err != nil {
			t.Errorf("after %s: %v", how, err)
		}
		var left string
		err = r.pool.QueryRow(t.Context(), `SELECT coalesce(current_setting('strata.organization_id', true), '') || current_setting('search_path')`).Scan(&left)
		if err != nil || left != `"$user", public` {
			t.Errorf("after %s the connection keeps %q, %v", how, left, err)
		}
	}
}

// A read for a position waits: for the projector in this process by its signal,
// for one elsewhere by looking. It never answers with less.
func TestReadWaitsForItsPosition(t *testing.T) {
	for _, where := range []string{"here", "elsewhere"} {
		t.Run(where, func(t *testing.T) {
			f := filled(t)
			var signal *Signal
			if where == "here" {
				signal = f.projection.Signal()
			}
			r := f.reader(t, signal)
			f.log.Append(f.orgs[0], "mine too", nobody, counted, 1, []byte("{}"))
			answered := make(chan error, 1)
			asked := make(chan struct{})
			go func() {
				close(asked)
				ask := query.Read{OrganizationID: f.orgs[0], MinPosition: 3, Wait: 10 * time.Second}
				answered <- r.InTenantTx(t.Context(), ask, func(ctx context.Context, tx pgx.Tx, position int64) error {
					got, err := streams(ctx, tx)
					if position < 3 || fmt.Sprint(got) != "[mine mine too]" {
						return fmt.Errorf("answered with %v at %d: %w", got, position, err)
					}
					return err
				})
			}()
			<-asked
			if err := bring(t.Context(), f.projection, f.log, 10); err != nil {
				t.Fatal(err)
			}
			if err := <-answered; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReadIsRefusedWhenTheProjectionIsBehind(t *testing.T) {
	f := filled(t)
	r := f.reader(t, f.projection.Signal())
	ask := query.Read{OrganizationID: f.orgs[0], MinPosition: 3, Wait: 60 * time.Millisecond}
	began := time.Now()
	err := r.InTenantTx(t.Context(), ask, func(context.Context, pgx.Tx, int64) error {
		t.Error("answered with less than was asked for")
		return nil
	})
	refusal, ok := errors.AsType[*fault.Fault](err)
	if !ok || !errors.Is(err, query.ErrProjectionBehind) || refusal.Extra["wanted"] != "3" || refusal.Extra["reached"] != "2" {
		t.Errorf("%v, want projection-behind, wanted 3, reached 2", err)
	}
	if waited := time.Since(began); waited < ask.Wait {
		t.Errorf("gave up after %s, want at least %s", waited, ask.Wait)
	}
}

// A statement that takes too long is ended by the server, and is a fault that may pass.
func TestReaderMapsFailures(t *testing.T) {
	f := filled(t)
	r := f.reader(t, nil)
	mine := query.Read{OrganizationID: f.orgs[0]}
	err := r.InTenantTx(t.Context(), mine, func(ctx context.Context, tx pgx.Tx, _ int64) error {
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = '20ms'`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `SELECT pg_sleep(10)`)
		return err
	})
	if !errors.Is(err, query.ErrUnavailable) {
		t.Errorf("a slow statement: %v, want unavailable", err)
	}
	own := query.ErrNotFound.Detailf("of the caller")
	if err := r.InTenantTx(t.Context(), mine, func(context.Context, pgx.Tx, int64) error { return own }); !errors.Is(err, own) || err.Error() != own.Error() {
		t.Errorf("a fault of the caller became %v", err)
	}
	nowhere, err := OpenReader(t.Context(), "postgres://nobody@127.0.0.1:1/none?sslmode=disable", "plans", layout, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nowhere.Close)
	if err := nowhere.InTenantTx(t.Context(), mine, nil); !errors.Is(err, query.ErrUnavailable) {
		t.Errorf("an unreachable database: %v, want unavailable", err)
	}
}
