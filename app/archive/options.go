package archive

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

// Originals gives documents as they are stored: sealed, whoever they are about.
type Originals interface {
	// Stored gives the stored form of a document, by its organization and the
	// SHA-256 of what it is in clear; personal.ErrErased if nothing is left of it.
	Stored(ctx context.Context, organizationID uuid.UUID, sha256 string) ([]byte, error)
}

// Checkpoints gives the signed checkpoints of the log.
type Checkpoints interface {
	// Signed gives the newest checkpoint of an epoch for a tree of at most upTo
	// leaves, as it was signed; ok = false if there is none.
	Signed(ctx context.Context, epoch int, upTo int64) (size int64, note []byte, ok bool, err error)
}

// Progress tells other instances, and people, how far the archive is.
type Progress interface {
	// Archived is the last position that was noted, 0 if none was.
	Archived(ctx context.Context) (int64, error)
	// NoteArchived notes a position; one that is lower than what is noted changes nothing.
	NoteArchived(ctx context.Context, position int64) error
}

// Options wire an Archiver. Checkpoints may be nil: the log is then not sealed.
type Options struct {
	Store       Store
	Log         eventlog.Reader
	Epochs      eventlog.EpochReader
	Originals   Originals
	Checkpoints Checkpoints
	Progress    Progress
	Logger      *slog.Logger // nil = slog.Default()

	// StoreTimeout ends one request to the store; 0 = 30 s.
	StoreTimeout time.Duration
	// Failed is called for every attempt that did not succeed; nil = nobody counts.
	Failed func()
}

func (o Options) withDefaults() (Options, error) {
	if o.Store == nil || o.Log == nil || o.Epochs == nil || o.Originals == nil || o.Progress == nil {
		return o, errors.New("archive: Store, Log, Epochs, Originals and Progress are required")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.StoreTimeout <= 0 {
		o.StoreTimeout = 30 * time.Second
	}
	if o.Failed == nil {
		o.Failed = func() {}
	}
	return o, nil
}
