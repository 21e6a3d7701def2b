package command

import (
	"context"

	"github.com/google/uuid"
)

// PersonIndex finds where a person occurs. Its answers are places to look: what
// counts is what the log has there.
type PersonIndex interface {
	// PersonalData gives the places of a subject, who is or was the members with
	// these ids, as of minPosition or later: the implementation waits for it, and
	// answers with a fault of kind Unavailable if that takes too long.
	PersonalData(ctx context.Context, organizationID uuid.UUID, subjectID string, memberIDs []string, minPosition int64) (PersonPlaces, error)
}

// PersonPlaces are the places in which a person occurs.
type PersonPlaces struct {
	Streams  []string // in which the person is named or has a part
	Signed   []string // streams with something that they signed or countersigned
	Evidence []string // ids of evidence whose bytes name them
	Imports  []string // ids of imports whose documents name them
	Texts    []string // sealed: what says who they are
}
