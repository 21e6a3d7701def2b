package command

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"strata.dev/strata/domain/evidence"
)

// erasureSpace is the namespace of the ids of copies without a name, and of
// originals that become evidence when such a copy is made.
var erasureSpace = uuid.MustParse("8a1f6f0c-35d1-5c1e-9f5c-0a6d2f4c7be3")

// copyID is the evidence id of a document's copy without a person.
func copyID(organizationID uuid.UUID, subjectID, sha256 string) uuid.UUID {
	return uuid.NewSHA1(erasureSpace, fmt.Appendf(nil, "%s/copy/%s/%s", organizationID, subjectID, sha256))
}

// originalID is the evidence id of an imported document of which a copy was made.
func originalID(organizationID uuid.UUID, sha256 string) uuid.UUID {
	return uuid.NewSHA1(erasureSpace, fmt.Appendf(nil, "%s/original/%s", organizationID, sha256))
}

func (f *found) isOriginal(organizationID uuid.UUID, id string) bool {
	return slices.ContainsFunc(f.documents, func(d *document) bool { return originalID(organizationID, d.sha256).String() == id })
}

// copyAll registers the copies and says of each what it redacts. What is there
// already stays as it is: another request may be at it, too.
func (e *Erasure) copyAll(ctx context.Context, call Call, f *found) error {
	call.Expected, call.Countersignature = nil, nil
	for _, d := range f.documents {
		if d.redacted == nil {
			continue
		}
		if err := e.copy(ctx, call, d, f.subjectID); err != nil {
			return fmt.Errorf("copy of document %s: %w", d.sha256, err)
		}
	}
	return nil
}

func (e *Erasure) copy(ctx context.Context, call Call, d *document, subjectID string) error {
	organizationID := call.Principal.OrganizationID
	if len(d.evidence) == 0 {
		id, err := e.original(ctx, call, d)
		if err != nil {
			return err
		}
		d.evidence = []string{id}
	}
	id := copyID(organizationID, subjectID, d.sha256)
	sum := sha256.Sum256(d.redacted)
	c := evidence.RegisterEvidence{
		EvidenceID: id.String(), Kind: d.kind, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(d.redacted)), MediaType: d.mediaType,
		SubjectsInside: slices.DeleteFunc(slices.Clone(d.subjects), func(s string) bool { return s == subjectID }),
	}
	c.StorageRef = originals + c.SHA256
	if err := e.options.Imports.Keep(ctx, organizationID, c.SHA256, d.redacted); err != nil {
		return fmt.Errorf("keep the copy: %w", err)
	}
	commands := []evidence.Command{c}
	for _, original := range d.evidence {
		commands = append(commands, evidence.LinkEvidence{
			Relation: evidence.Redacts, Target: evidence.Target{Type: "evidence", ID: original}, Note: "Copy without an erased person.",
		})
	}
	call.CommandID = step(call.CommandID, "copy/"+d.sha256)
	if _, err := e.evidence.execute(ctx, call, id, commands...); err != nil && !errors.Is(err, evidence.ErrRegistered) {
		return fmt.Errorf("register the copy: %w", err)
	}
	return nil
}

// original makes an imported document evidence of its own, so that a copy can
// redact it: its hash stays, and says that it was there.
func (e *Erasure) original(ctx context.Context, call Call, d *document) (string, error) {
	id := originalID(call.Principal.OrganizationID, d.sha256)
	call.CommandID = step(call.CommandID, "original/"+d.sha256)
	call.CorrelationID = d.importID.String()
	_, err := e.evidence.execute(ctx, call, id, evidence.RegisterEvidence{
		EvidenceID: id.String(), Kind: d.kind, SHA256: d.sha256, Size: d.size, MediaType: d.mediaType,
		StorageRef: originals + d.sha256, SubjectsInside: d.subjects, CollectedAt: d.importAt,
	})
	if err != nil && !errors.Is(err, evidence.ErrRegistered) {
		return "", fmt.Errorf("register the original: %w", err)
	}
	return id.String(), nil
}
