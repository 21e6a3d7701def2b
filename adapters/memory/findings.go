package memory

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	imports "strata.dev/strata/app/command"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/finding"
)

// FindingIndex answers from the log itself, for unit tests only: it reads all
// of it for each question.
type FindingIndex struct{ Log eventlog.Reader }

var _ imports.FindingIndex = FindingIndex{}

// FindingsAbout implements command.FindingIndex.
func (i FindingIndex) FindingsAbout(ctx context.Context, organizationID uuid.UUID, subjectType, subjectID string, minPosition int64) ([]uuid.UUID, error) {
	return i.raised(ctx, organizationID, minPosition, func(e finding.Raised) bool {
		return slices.ContainsFunc(e.Subjects, func(s finding.Subject) bool { return s.Type == subjectType && s.ID == subjectID })
	})
}

// FindingsByKey implements command.FindingIndex.
func (i FindingIndex) FindingsByKey(ctx context.Context, organizationID uuid.UUID, dedupeKey string, minPosition int64) ([]uuid.UUID, error) {
	return i.raised(ctx, organizationID, minPosition, func(e finding.Raised) bool { return e.DedupeKey == dedupeKey })
}

func (i FindingIndex) raised(ctx context.Context, organizationID uuid.UUID, minPosition int64, matches func(finding.Raised) bool) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	for after := int64(0); ; {
		events, err := i.Log.Read(ctx, after, 1_000)
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			if after < minPosition {
				return nil, fmt.Errorf("the log ends at %d, before %d", after, minPosition)
			}
			return ids, nil
		}
		for _, e := range events {
			after = e.Position
			if e.OrganizationID != organizationID || e.Type != "finding.raised" {
				continue
			}
			body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
			if err != nil {
				return nil, fmt.Errorf("position %d: %w", e.Position, err)
			}
			raised, ok := body.(finding.Raised)
			if !ok || !matches(raised) {
				continue
			}
			id, err := uuid.Parse(raised.FindingID)
			if err != nil {
				return nil, fmt.Errorf("position %d: %w", e.Position, err)
			}
			ids = append(ids, id)
		}
	}
}
