package auditdb

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/strategy"
)

// attest records an attestation as of now.
func (f *fixture) attest(t *testing.T, w *readdbtest.World, s *readdbtest.Strategy, p calendar.Period) uuid.UUID {
	t.Helper()
	head, err := f.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.log.Record(w.ID, "strategy-"+s.ID.String(), fact.Actor{ID: "attester", Kind: fact.Person}, strategy.PeriodAttested{
		Period: p, Statement: "seen", AttesterID: "attester", Revision: 1, LogPosition: head,
		ContentHash: strings.Repeat("ab", 32), IndicatorDigest: strings.Repeat("cd", 32),
	})
	events, err := f.log.Read(t.Context(), head, 1)
	if err != nil {
		t.Fatal(err)
	}
	return events[0].ID
}

// periodOf is the period that an event changes; ok = false: it changes none.
func periodOf(body any) (p calendar.Period, whole, ok bool) {
	switch b := body.(type) {
	case indicator.MeasurementRecorded:
		return b.Period, false, true
	case indicator.MeasurementCorrected:
		return b.Period, false, true
	case indicator.MeasurementVoided:
		return b.Period, false, true
	case indicator.TargetSet:
		return b.Period, false, true
	case indicator.Redefined:
		return p, true, true
	}
	return p, false, false
}

// What has changed since an attestation is what the log holds behind it about
// the indicators that the strategy had then, and the period.
func TestChangesSinceAttestationAreThoseOfTheLog(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 0, Options{})
	w := f.worlds[0]
	period := calendar.Period{Start: "2012-06-01", End: "2016-03-31"}
	s, other := w.Draft(), w.Draft()
	for _, x := range []*readdbtest.Strategy{s, other} {
		w.AddObjective(x, w.AddGoal(x))
	}
	var attested []uuid.UUID
	mine := []*readdbtest.Indicator{w.Measured(s, 8), w.Measured(s, 8), w.Measured(s, 8)}
	theirs := w.Measured(other, 8)
	attested = append(attested, f.attest(t, w, s, period))
	r := rand.New(rand.NewPCG(8, 8))
	change := func() {
		for range 60 {
			i := append(mine, theirs)[r.IntN(4)]
			p := calendar.Period{Start: calendar.Date(fmt.Sprintf("%d-04-01", 2008+r.IntN(12)))}
			p.End = p.Start[:4] + "-06-01" // the day on which the attested period begins, of one of them
			if r.IntN(2) == 0 {
				p = calendar.Period{Start: p.Start[:4] + "-03-31", End: p.Start[:4] + "-12-31"} // and the one on which it ends
			}
			f.log.Record(w.ID, "indicator-"+i.ID.String(), fact.Actor{ID: "owner", Kind: fact.Person}, []any{
				indicator.MeasurementRecorded{MeasurementID: uuid.NewString(), Period: p},
				indicator.MeasurementCorrected{MeasurementID: uuid.NewString(), Period: p, Reason: "r"},
				indicator.MeasurementVoided{MeasurementID: uuid.NewString(), Period: p, Reason: "r"},
				indicator.TargetSet{Period: p, Reason: "r"},
				indicator.Redefined{Changes: []indicator.Change{{Field: "name"}}, Reason: "r"},
				indicator.HealthChanged{From: "unknown", To: "on_track", Period: p},
			}[r.IntN(6)])
		}
	}
	change()
	w.Relink(mine[0], other) // attested here, and changed elsewhere since
	w.Relink(theirs, s)
	attested = append(attested, f.attest(t, w, s, period))
	change()
	w.Measured(s, 8) // new since: nobody's word was given for it
	f.reread(t)
	f.apply(t)
	now := map[string]string{} // strategy by indicator's stream
	belonged := map[uuid.UUID][]string{}
	strategies := strategiesOf(t, f.events)
	for _, e := range f.events {
		if strings.HasPrefix(e.StreamID, "indicator-") {
			now[e.StreamID] = strategies[e.Position][0]
		}
		if slices.Contains(attested, e.ID) {
			for stream, id := range now {
				if id == s.ID.String() {
					belonged[e.ID] = append(belonged[e.ID], stream)
				}
			}
		}
	}
	seen := map[string]int{}
	for n, id := range attested {
		at := f.byID(t, id)
		var want []int64
		for _, e := range f.events {
			p, whole, ok := periodOf(decoded(t, e))
			if ok && e.Position >= at.Position && slices.Contains(belonged[id], e.StreamID) && (whole || p.End >= period.Start && p.Start <= period.End) {
				want = append(want, e.Position)
				seen[fmt.Sprint(n, " ", e.Type)]++
			}
		}
		if got := f.changes(t, w.ID, id, 7); !slices.Equal(got, want) {
			t.Errorf("attestation %d: %d changes %v, want %d %v", n, len(got), got, len(want), want)
		}
	}
	for n := range attested {
		for _, typ := range touching {
			if kind := fmt.Sprint(n, " ", typ); seen[kind] == 0 {
				t.Errorf("no %s: it is not tested (%v)", kind, seen)
			}
		}
	}
	for what, ask := range map[string]query.Read{"another organization's": {OrganizationID: f.worlds[1].ID}, "another event": {OrganizationID: w.ID}} {
		id := attested[0]
		if ask.OrganizationID == w.ID {
			id = f.events[0].ID
		}
		if _, err := f.reader.ChangesSinceAttestation(t.Context(), ask, query.ChangesFilter{AttestationID: id}); !errors.Is(err, query.ErrNotFound) {
			t.Errorf("%s: %v, want not-found", what, err)
		}
	}
}

func (f *fixture) byID(t *testing.T, id uuid.UUID) eventlog.Event {
	t.Helper()
	i := slices.IndexFunc(f.events, func(e eventlog.Event) bool { return e.ID == id })
	if i < 0 {
		t.Fatalf("no event %s", id)
	}
	return f.events[i]
}

// changes are the positions of all pages; every page counts them all.
func (f *fixture) changes(t *testing.T, organization, id uuid.UUID, limit int) []int64 {
	t.Helper()
	filter := query.ChangesFilter{AttestationID: id, Paging: query.Paging{Limit: limit, Count: true}}
	var got, totals []int64
	for {
		page, err := f.reader.ChangesSinceAttestation(t.Context(), query.Read{OrganizationID: organization}, filter)
		if err != nil {
			t.Fatal(err)
		}
		if page.Attestation.ID != id.String() || page.Attestation.Statement != "seen" || page.Attestation.LogPosition != page.Attestation.Position-1 {
			t.Errorf("attestation %+v", page.Attestation)
		}
		totals = append(totals, *page.Total)
		for _, e := range page.Items {
			got = append(got, e.Position)
		}
		if filter.Cursor = page.NextCursor; filter.Cursor == "" {
			break
		}
	}
	for _, n := range totals {
		if n != int64(len(got)) {
			t.Errorf("a page says %d of %d", n, len(got))
		}
	}
	return got
}

func TestAttestationsAreThoseOfTheLog(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 0, Options{})
	w := f.worlds[0]
	one, two := w.Draft(), w.Draft()
	for i := range 20 {
		f.attest(t, w, []*readdbtest.Strategy{one, two}[i%2], calendar.Period{Start: "2020-01-01", End: calendar.Date(fmt.Sprintf("2020-12-%d", 10+i))})
	}
	f.reread(t)
	f.apply(t)
	for _, id := range []string{"", one.ID.String(), "none"} {
		var want []query.Attestation
		for _, e := range f.of(w) {
			b, ok := decoded(t, e).(strategy.PeriodAttested)
			of := strings.TrimPrefix(e.StreamID, "strategy-")
			if ok && (id == "" || of == id) {
				want = append(want, query.Attestation{
					ID: e.ID.String(), Position: e.Position, StrategyID: of, Period: b.Period, Statement: b.Statement, AttesterID: b.AttesterID,
					AttestedAt: e.RecordedAt, Revision: b.Revision, ContentHash: b.ContentHash, LogPosition: b.LogPosition,
				})
			}
		}
		var got []query.Attestation
		filter := query.AttestationFilter{StrategyID: id, Paging: query.Paging{Limit: 3}}
		for {
			page, err := f.reader.Attestations(t.Context(), query.Read{OrganizationID: w.ID}, filter)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page.Items...)
			if filter.Cursor = page.NextCursor; filter.Cursor == "" {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("of %q (-want +got):\n%s", id, diff)
		}
	}
}
