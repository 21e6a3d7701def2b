package auditdb

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/app/query"
)

// Each field of a difference names the event that made it so: that event alone
// changes it to what it is at the later point, and nothing behind it touches it.
func TestDifferencesNameWhoMadeThem(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 700, Options{})
	f.apply(t)
	w := f.worlds[0]
	pick := rand.New(rand.NewPCG(51, 1))
	head := f.events[len(f.events)-1].Position
	var filters []query.DiffFilter
	for _, x := range w.Strategies {
		filters = append(filters, query.DiffFilter{StrategyID: x.ID})
	}
	for _, x := range w.Indicators {
		filters = append(filters, query.DiffFilter{IndicatorID: x.ID})
	}
	for _, x := range w.Findings {
		filters = append(filters, query.DiffFilter{FindingID: x.ID})
	}
	for _, x := range w.Evidence {
		filters = append(filters, query.DiffFilter{EvidenceID: x.ID})
	}
	for _, x := range w.Sources {
		filters = append(filters, query.DiffFilter{SourceID: x.ID})
	}
	for range 5 { // few of a history are about it
		filters = append(filters, query.DiffFilter{Organization: true})
	}
	ask := func(filter query.DiffFilter, from, to int64) map[string]query.FieldChange {
		t.Helper()
		filter.From, filter.To = query.Mark{Position: from}, query.Mark{Position: to}
		filter.Paging = query.Paging{Limit: query.MaxLimit}
		d, err := f.reader.Diff(t.Context(), query.Read{OrganizationID: w.ID}, filter)
		if errors.Is(err, query.ErrNotFound) {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		fields := map[string]query.FieldChange{}
		for _, item := range d.Items {
			for _, field := range item.Fields {
				fields[item.Element+" "+item.ID+" "+field.Field] = field
			}
		}
		return fields
	}
	kinds, seen := map[string]int{}, 0
	for range 8 {
		for _, filter := range filters {
			from := 1 + pick.Int64N(head)
			to := from + pick.Int64N(head-from+1)
			for at, field := range ask(filter, from, to) {
				if seen++; !filter.Organization && pick.IntN(4) > 0 { // some will do
					continue
				}
				c := field.Cause
				if c == nil || c.Position <= from || c.Position > to {
					t.Fatalf("%+v, %d to %d: %s has cause %+v", filter, from, to, at, c)
				}
				e := f.events[c.Position-1]
				if c.EventID != e.ID.String() || c.Type != e.Type || !c.RecordedAt.Equal(e.RecordedAt) || c.ActorID == "" {
					t.Fatalf("%s: cause %+v is not the event %s", at, c, e.ID)
				}
				made, later := ask(filter, c.Position-1, c.Position)[at], ask(filter, c.Position, to)
				if _, again := later[at]; again || string(made.New) != string(field.New) || made.Cause == nil || made.Cause.Position != c.Position {
					t.Fatalf("%s became %s at %d, by itself %s at %+v, later touched: %v", at, field.New, c.Position, made.New, made.Cause, again)
				}
				element, _, _ := strings.Cut(at, " ")
				kinds[element]++
			}
		}
	}
	for _, kind := range []string{"lifecycle", "frame", "goal", "objective", "measurement", "target", "finding", "link", "source", "member", "grant", "policy"} {
		if kinds[kind] == 0 {
			t.Errorf("no %s differs: it is not tested (%v)", kind, kinds)
		}
	}
	t.Logf("%d fields of %v", seen, kinds)
}

// One thing is compared, and what there is not, or is another organization's, is
// not found.
func TestDifferencesOfOneThing(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 120, Options{})
	f.apply(t)
	w, other := f.worlds[0], f.worlds[1]
	ask := func(of uuid.UUID, filter query.DiffFilter) error {
		_, err := f.reader.Diff(t.Context(), query.Read{OrganizationID: of}, filter)
		return err
	}
	finding := w.Raise()
	if finding != nil {
		if err := ask(other.ID, query.DiffFilter{FindingID: finding.ID}); !errors.Is(err, query.ErrNotFound) {
			t.Errorf("another organization's finding: %v", err)
		}
	}
	for name, filter := range map[string]query.DiffFilter{
		"nothing":    {},
		"two things": {SourceID: uuid.New(), Organization: true},
		"a revision": {Organization: true, From: query.Mark{Revision: 1}, To: query.Mark{Revision: 2}},
	} {
		if err := ask(w.ID, filter); !errors.Is(err, query.ErrInvalid) {
			t.Errorf("%s: %v, want validation-failed", name, err)
		}
	}
	var d query.Diff
	d, err := f.reader.Diff(t.Context(), query.Read{OrganizationID: w.ID}, query.DiffFilter{Organization: true})
	text, err2 := json.Marshal(d)
	if err != nil || err2 != nil || d.OrganizationID != w.ID.String() || len(d.Items) < 4 || d.Items[0].Change != query.Added {
		t.Errorf("%s, %v, %v", text, err, err2)
	}
}
