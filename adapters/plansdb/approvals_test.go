package plansdb

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/strategy"
	"strata.dev/strata/tests/testenv"
)

// The register keeps every approval; a request for changes makes void those
// given for that submission, also when it comes in a later batch.
func TestApprovalsRegister(t *testing.T) {
	for _, batch := range []int{1, 100} {
		t.Run(fmt.Sprintf("batches of %d", batch), func(t *testing.T) {
			f := setup(t, Options{})
			w := readdbtest.NewWorld(f.log, seeded(15))
			s := w.Draft()
			record := func(by string, events ...any) {
				f.log.Record(w.ID, "strategy-"+s.ID.String(), fact.Actor{ID: by, Kind: fact.Person}, events...)
			}
			submitted := func(hash string) strategy.Submitted { return strategy.Submitted{Revision: 1, ContentHash: hash} }
			approval := func(by, hash string, last bool) strategy.ApprovalGiven {
				return strategy.ApprovalGiven{Revision: 1, ContentHash: hash, ApproverID: by, Meaning: strategy.Business, QuorumReached: last}
			}
			record("author", submitted("h1"))
			record("ann", approval("ann", "h1", false))
			record("bob", approval("bob", "h1", true))
			record("cat", strategy.ChangesRequested{Revision: 1, ContentHash: "h1", Comments: "no"})
			record("author", submitted("h2"))
			record("cat", approval("cat", "h2", false))
			f.catchUp(t, batch)

			rows, err := testenv.Pool(t, f.urls.Admin).Query(t.Context(),
				`SELECT approver_id || ' ' || content_hash || ' ' || void FROM plans_g1.approvals ORDER BY position`)
			if err != nil {
				t.Fatal(err)
			}
			got, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if want := []string{"ann h1 true", "bob h1 true", "cat h2 false"}; err != nil || !slices.Equal(got, want) {
				t.Errorf("register %v, %v; want %v", got, err, want)
			}
			answer, err := f.reader.Strategy(t.Context(), as(w), query.StrategyAsk{ID: s.ID})
			if err != nil {
				t.Fatal(err)
			}
			r := answer.Working
			if r.State != "submitted" || r.ContentHash != "h2" || len(r.Approvals) != 1 || r.Approvals[0].ApproverID != "cat" {
				t.Errorf("working revision %+v, want h2 submitted with the approval of cat", r)
			}
		})
	}
}
