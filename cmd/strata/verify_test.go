package main

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/journal"
	"strata.dev/strata/app/projection"
	facts "strata.dev/strata/domain/journal"
)

// oneOrganization is a log in which only one organization was registered.
type oneOrganization struct {
	verifierLog
	id uuid.UUID
}

func (l oneOrganization) ReadStream(_ context.Context, organization uuid.UUID, streamID string, _ int64, _ int) ([]eventlog.Event, error) {
	if organization != l.id || streamID != "organization-"+l.id.String() {
		return nil, nil
	}
	return make([]eventlog.Event, 1), nil
}

// written is what was recorded, in order.
type written struct {
	order    []string
	diverged map[uuid.UUID][]facts.ReadModelDiverged
	repaired map[uuid.UUID]facts.ReadModelRepaired
	broken   error
}

func (w *written) Diverged(_ context.Context, organization uuid.UUID, rows ...facts.ReadModelDiverged) error {
	w.order = append(w.order, "diverged")
	w.diverged[organization] = rows
	return w.broken
}

func (w *written) Repaired(_ context.Context, organization uuid.UUID, e facts.ReadModelRepaired) error {
	w.order = append(w.order, "repaired")
	w.repaired[organization] = e
	return w.broken
}

// foundProjection gives a report, as a verification that found something does.
type foundProjection struct {
	projection.Projection
	report projection.VerifyReport
	w      *written
}

func (p foundProjection) Verify(ctx context.Context, _ eventlog.Reader, o projection.VerifyOptions, _ func(projection.Progress)) (projection.VerifyReport, error) {
	if err := o.Found(ctx, p.report); err != nil {
		return p.report, err
	}
	p.report.Repaired = o.Repair
	p.w.order = append(p.w.order, "switched")
	return p.report, nil
}

// Each organization's journal hears of its own rows, before anything is repaired;
// what belongs to nobody is in the installation's, and what is not named is counted.
func TestDivergencesAreRecordedWhereTheyBelong(t *testing.T) {
	known, stranger := uuid.New(), uuid.NewString()
	report := projection.VerifyReport{
		Projection: "plans", Position: 7, Organizations: map[string]int64{known.String(): 5, stranger: 1},
		Differences: []projection.Difference{
			{Table: "members", Organization: known.String(), Key: "member_id=1", Kind: projection.Missing},
			{Table: "members", Organization: known.String(), Key: "member_id=2", Kind: projection.Changed},
			{Table: "members", Organization: stranger, Key: "member_id=3", Kind: projection.Extra},
			{Table: "grants", Kind: projection.Altered},
		},
	}
	row := func(table, key, difference string) facts.ReadModelDiverged {
		return facts.ReadModelDiverged{Model: "plans", Table: table, Key: key, Difference: difference, Position: 7}
	}
	w := &written{diverged: map[uuid.UUID][]facts.ReadModelDiverged{}, repaired: map[uuid.UUID]facts.ReadModelRepaired{}}
	v := modelVerifier{log: oneOrganization{id: known}, journal: w}
	if _, err := v.verify(t.Context(), foundProjection{report: report, w: w}, projection.VerifyOptions{Repair: true}, nil); err != nil {
		t.Fatal(err)
	}
	want := map[uuid.UUID][]facts.ReadModelDiverged{
		known:                {row("members", "member_id=1", facts.Missing), row("members", "member_id=2", facts.Different), row(facts.Others, facts.Others, facts.Different)},
		journal.Installation: {row("members", "member_id=3", facts.Surplus), row("grants", "*", facts.Different)},
	}
	if !maps.EqualFunc(w.diverged, want, slices.Equal) {
		t.Errorf("recorded %+v\nwant %+v", w.diverged, want)
	}
	if w.repaired[known].Rows != 5 || w.repaired[journal.Installation].Rows != 2 || len(w.repaired) != 2 {
		t.Errorf("repairs %+v", w.repaired)
	}
	if got := strings.Join(w.order, " "); got != "diverged diverged switched repaired repaired" {
		t.Errorf("in the order %s", got)
	}

	w.broken, w.order = errors.New("the log is away"), nil
	if _, err := v.verify(t.Context(), foundProjection{report: report, w: w}, projection.VerifyOptions{Repair: true}, nil); !errors.Is(err, w.broken) || slices.Contains(w.order, "switched") {
		t.Errorf("%v, in the order %s: want no repair of what could not be recorded", err, w.order)
	}
}

func TestVerificationIsPrinted(t *testing.T) {
	reports := []verified{
		{Name: "audit", Rows: 40, Position: 12, Seconds: 0.5},
		{Name: "plans", Rows: 30, Position: 12, Differing: 3, Cause: projection.Tampered, Repaired: true, Differences: []verifiedLine{
			{Table: "members", Organization: "o", Key: "member_id=1", Kind: projection.Changed, Columns: []string{"kind", "issuer"}},
			{Table: "grants", Kind: projection.Altered},
		}},
	}
	var out bytes.Buffer
	if err := printVerified(&out, reports); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"audit: all 40 rows at position 12 are what the log says (500ms)\n",
		"plans: 3 rows at position 12 are not what the log says: somebody else than the projector has changed it; repaired",
		"members\tchanged\to\tmember_id=1\tkind, issuer\n", "grants\taltered\t\t\t\n", "and 1 more\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if err := judge(reports); !errors.Is(err, errDiverged) || !strings.HasPrefix(err.Error(), "plans: ") {
		t.Errorf("judged %v", err)
	}
	if err := judge(reports[:1]); err != nil {
		t.Errorf("judged %v", err)
	}
}
