package plansdb

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/source"
)

// The directory has the sources of all organizations, with what holds now.
func TestSourceDirectory(t *testing.T) {
	f := setup(t, Options{})
	one, two := readdbtest.NewWorld(f.log, seeded(43)), readdbtest.NewWorld(f.log, seeded(44))
	a, b := one.Connect(), two.Connect()
	f.log.Record(two.ID, "source-"+b.ID.String(), fact.Actor{ID: "monitor", Kind: fact.Process},
		source.StatusChanged{From: source.Active, To: source.Suspended, Reason: "too many rejections"})
	f.catchUp(t, 100)
	got, err := f.projection.SourceDirectory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []SourceEntry{
		{one.ID, a.ID, string(a.State.Channel), "active", 1}, {two.ID, b.ID, string(b.State.Channel), "suspended", 2},
	}
	slices.SortFunc(want, func(x, y SourceEntry) int { return strings.Compare(x.SourceID.String(), y.SourceID.String()) })
	equal(t, "directory", want, got)
	for w, s := range map[*readdbtest.World]*readdbtest.Source{one: a, two: b} {
		stewarded, err := f.reader.SourcesStewardedBy(t.Context(), w.ID, s.State.StewardID, 0)
		if err != nil || !slices.Equal(stewarded, []uuid.UUID{s.ID}) {
			t.Errorf("sources of the steward: %v, %v, want %s", stewarded, err, s.ID)
		}
	}
}

// What a source sent lately counts by the clock; what the register of imports
// refused is an import, and no message of a source.
func TestRejectionsOfASource(t *testing.T) {
	f := setup(t, Options{})
	w := readdbtest.NewWorld(f.log, seeded(45))
	s := w.Connect()
	w.Refuse(s)
	w.RefuseItems(s, 3) // one more message
	imports := uuid.NewString()
	f.log.Record(w.ID, "source-"+uuid.NewString(), fact.Actor{ID: imports, Kind: fact.Person}, source.IngestRejected{
		MessageID: imports, PayloadSHA256: strings.Repeat("ab", 32), Code: "malformed",
	})
	i := w.Define(w.Draft())
	w.Send(i, s, 2020)
	f.asImport(t) // the value is of an imported document, whose source is the register of imports
	f.catchUp(t, 100)
	now := f.log.Now()
	for after, want := range map[time.Duration][2]int64{0: {2, 2}, time.Hour: {0, 2}, 24 * time.Hour: {0, 0}} {
		f.reader.now = func() time.Time { return now.Add(after) }
		got, err := f.reader.Source(t.Context(), as(w), s.ID)
		if err != nil || got.RejectedLastHour != want[0] || got.RejectedLastDay != want[1] || got.LastMessage.Code != source.NotANumber {
			t.Errorf("%s later: %d and %d, %v, want %v", after, got.RejectedLastHour, got.RejectedLastDay, err, want)
		}
	}
	refused, err := f.reader.Imports(t.Context(), as(w), query.ImportFilter{Status: query.ImportRefused})
	if err != nil || len(refused.Items) != 1 || refused.Items[0].ID != imports {
		t.Errorf("refused imports %+v, %v, want the one", refused.Items, err)
	}
	changes, err := f.reader.ExternalChanges(t.Context(), as(w), query.ExternalFilter{})
	if err != nil || len(changes.Items) != 4 {
		t.Fatalf("external changes %+v, %v, want the four rejections", changes.Items, err)
	}
	if c := changes.Items[3]; c.Item != 3 || c.MessageID != changes.Items[2].MessageID {
		t.Errorf("the last item %+v, want the third of its message", c)
	}
	if c := changes.Items[0]; c.SourceID != s.ID.String() || c.IndicatorRef == "" || c.EvidenceID == "" || c.PayloadSHA256 == "" || c.MessageID == "" || c.Detail == "" {
		t.Errorf("rejection %+v lacks something", c)
	}
}

// asImport makes the last event that of an import.
func (f *fixture) asImport(t *testing.T) {
	t.Helper()
	head, err := f.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	events, err := f.log.Read(t.Context(), head-1, 1)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := eventlog.DecodeMetadata(events[0].Metadata)
	if err != nil {
		t.Fatal(err)
	}
	meta.Origin.Kind = "import"
	if events[0].Metadata, err = meta.Encode(); err != nil {
		t.Fatal(err)
	}
	f.log.Replace(events[0])
}
