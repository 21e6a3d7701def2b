package memory

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/google/uuid"

	imports "strata.dev/strata/app/command"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/sealed"
	"strata.dev/strata/domain/source"
)

// PersonIndex answers from the log itself, for unit tests only: it reads all of
// it for each question.
type PersonIndex struct{ Log eventlog.Reader }

var _ imports.PersonIndex = PersonIndex{}

var sealedTexts = regexp.MustCompile(`"(v1\.[^"]+)"`)

// PersonalData implements command.PersonIndex.
func (i PersonIndex) PersonalData(ctx context.Context, organizationID uuid.UUID, subjectID string, memberIDs []string, minPosition int64) (imports.PersonPlaces, error) {
	streams, signed, texts := map[string]bool{}, map[string]bool{}, map[string]bool{}
	var found imports.PersonPlaces
	for after := int64(0); ; {
		events, err := i.Log.Read(ctx, after, 1_000)
		if err != nil {
			return found, err
		}
		if len(events) == 0 {
			if after < minPosition {
				return found, fmt.Errorf("the log ends at %d, before %d", after, minPosition)
			}
			break
		}
		for _, e := range events {
			after = e.Position
			if e.OrganizationID != organizationID {
				continue
			}
			for _, m := range sealedTexts.FindAllStringSubmatch(string(e.Data)+string(e.Metadata), -1) {
				if sealed.Subject(m[1]) == subjectID {
					streams[e.StreamID], texts[m[1]] = true, true
				}
			}
			body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
			if err != nil {
				return found, fmt.Errorf("position %d: %w", e.Position, err)
			}
			metadata, err := eventlog.DecodeMetadata(e.Metadata)
			if err != nil {
				return found, fmt.Errorf("position %d: %w", e.Position, err)
			}
			if s := metadata.Signature; s != nil && slices.Contains(memberIDs, s.SignerID) {
				signed[e.StreamID] = true
			}
			if s := metadata.Countersignature; s != nil && slices.Contains(memberIDs, s.SignerID) {
				signed[e.StreamID] = true
			}
			switch body := body.(type) {
			case organization.MemberEnrolled:
				if body.SubjectID == subjectID {
					streams[e.StreamID] = true
				}
			case source.ImportAccepted:
				if slices.Contains(body.Subjects, subjectID) {
					streams[e.StreamID] = true
					found.Imports = append(found.Imports, body.ImportID)
				}
			case evidence.Registered:
				if slices.Contains(body.SubjectsInside, subjectID) {
					streams[e.StreamID] = true
					found.Evidence = append(found.Evidence, body.EvidenceID)
				}
			}
		}
	}
	maps.Copy(streams, signed)
	found.Streams, found.Signed, found.Texts = slices.Sorted(maps.Keys(streams)), slices.Sorted(maps.Keys(signed)), slices.Sorted(maps.Keys(texts))
	slices.Sort(found.Imports)
	slices.Sort(found.Evidence)
	return found, nil
}
