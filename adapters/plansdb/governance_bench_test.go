package plansdb

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/severity"
)

// BenchmarkGovernance asks an organization with 20,000 findings, most of them
// closed, 20,000 pieces of evidence and 100,000 values from 5 sources.
func BenchmarkGovernance(b *testing.B) {
	f := prepare(b, Options{})
	w := readdbtest.NewWorld(f.log, seeded(1))
	s := w.Draft()
	person, digest := fact.Actor{ID: uuid.NewString(), Kind: fact.Person}, strings.Repeat("ab", 32)
	var last string
	for n := range 20_000 {
		last = uuid.NewString()
		subject := finding.Subject{Type: "strategy", ID: s.ID.String()}
		if n%100 > 0 {
			subject = finding.Subject{Type: "indicator", ID: uuid.NewString()}
		}
		stream := "finding-" + last
		f.log.Record(w.ID, stream, person, finding.Raised{
			FindingID: last, Kind: finding.Exception, Severity: severity.High, Title: "t", Condition: "c", Criteria: "k",
			Subjects: []finding.Subject{subject}, Origin: finding.FromBreach, DedupeKey: fmt.Sprint("breach:", n),
		}, finding.Assigned{OwnerID: person.ID, DueDate: "2026-03-01"})
		if n%20 > 0 {
			f.log.Record(w.ID, stream, person, finding.Closed{Resolution: finding.Dismissed, VerifierID: person.ID})
		}
		id := uuid.NewString()
		target := evidence.Target{Type: "organization", ID: w.ID.String()}
		if n%200 == 0 {
			target = evidence.Target{Type: "strategy", ID: s.ID.String()}
		}
		f.log.Record(w.ID, "evidence-"+id, person,
			evidence.Registered{EvidenceID: id, Kind: evidence.Document, SHA256: digest, CollectedAt: f.log.Now()}, evidence.Linked{Relation: evidence.Supports, Target: target})
	}
	i := w.Define(s)
	for range 5 {
		from := w.Connect()
		by := fact.Actor{ID: from.ID.String(), Kind: fact.Source}
		for n := range 20_000 {
			period := calendar.Period{Start: "2020-01-01", End: calendar.Date(fmt.Sprintf("2020-12-%02d", 1+n%28))}
			f.log.Record(w.ID, "indicator-"+i.ID.String(), by, indicator.MeasurementRecorded{MeasurementID: uuid.NewString(), Period: period, Dims: indicator.Dims{"sex": fmt.Sprint(n)}})
			if n%50 == 0 {
				w.Refuse(from)
			}
		}
	}
	if err := f.projection.Rebuild(b.Context(), f.log, nil); err != nil {
		b.Fatal(err)
	}
	ctx, ask, yes, soon := b.Context(), as(w), true, 30
	board := func(q query.FindingFilter) func(context.Context) error {
		return func(ctx context.Context) error { _, err := f.reader.Findings(ctx, ask, q); return err }
	}
	changes := func(q query.ExternalFilter) func(context.Context) error {
		return func(ctx context.Context) error { _, err := f.reader.ExternalChanges(ctx, ask, q); return err }
	}
	for _, c := range []struct {
		name string
		read func(context.Context) error
	}{
		{"board", board(query.FindingFilter{})},
		{"board, overdue", board(query.FindingFilter{Overdue: &yes})},
		{"board, expiring", board(query.FindingFilter{ExpiringWithin: &soon})},
		{"board of a strategy", board(query.FindingFilter{StrategyID: s.ID.String(), State: []string{"assigned"}})},
		{"board of an owner", board(query.FindingFilter{OwnerID: person.ID, State: []string{"assigned"}})},
		{"finding", func(ctx context.Context) error {
			_, err := f.reader.Finding(ctx, ask, uuid.MustParse(last))
			return err
		}},
		{"findings about", func(ctx context.Context) error {
			_, err := f.reader.FindingsAbout(ctx, w.ID, "strategy", s.ID.String(), 0)
			return err
		}},
		{"findings by key", func(ctx context.Context) error {
			_, err := f.reader.FindingsByKey(ctx, w.ID, "breach:17", 0)
			return err
		}},
		{"evidence of a strategy", func(ctx context.Context) error {
			_, err := f.reader.EvidenceList(ctx, ask, query.EvidenceFilter{TargetType: "strategy", TargetID: s.ID.String()})
			return err
		}},
		{"evidence of the organization", func(ctx context.Context) error {
			_, err := f.reader.EvidenceList(ctx, ask, query.EvidenceFilter{TargetType: "organization", TargetID: w.ID.String()})
			return err
		}},
		{"external changes", changes(query.ExternalFilter{})},
		{"external changes, corrected", changes(query.ExternalFilter{Outcome: query.ChangeCorrected})},
		{"external changes of a source, rejected", changes(query.ExternalFilter{SourceID: w.Sources[3].ID.String(), Outcome: query.ChangeRejected})},
		{"sources", func(ctx context.Context) error {
			_, err := f.reader.Sources(ctx, ask, query.SourceFilter{})
			return err
		}},
		{"person", func(ctx context.Context) error { _, err := f.reader.Person(ctx, ask, w.Members()[0]); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if err := c.read(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
