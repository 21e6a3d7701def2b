package restore

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/source"
)

// comparePage is how many events of the database are read at once.
const comparePage = 2_000

// compare holds an event against what the database has at its position.
func (r *run) compare(ctx context.Context, e *eventlog.Event) error {
	if len(r.page) == 0 {
		var err error
		if r.page, err = r.Target.Read(ctx, e.Position-1, comparePage); err != nil {
			return err
		}
		if len(r.page) == 0 {
			return fmt.Errorf("%w: the database has no position %d, and ends at %d", ErrForeign, e.Position, r.had)
		}
		r.tell("compare")
	}
	if !same(&r.page[0], e) {
		return fmt.Errorf("%w: at position %d the database has event %s (%s), the archive has %s (%s)",
			ErrForeign, e.Position, r.page[0].ID, r.page[0].Type, e.ID, e.Type)
	}
	r.page = r.page[1:]
	r.report.Compared++
	return nil
}

// same says whether two events are equal to the byte.
func same(a, b *eventlog.Event) bool {
	return a.Position == b.Position && a.OrganizationID == b.OrganizationID && a.OrganizationSequence == b.OrganizationSequence &&
		a.StreamID == b.StreamID && a.Version == b.Version && a.ID == b.ID && a.Type == b.Type && a.SchemaVersion == b.SchemaVersion &&
		a.CommandID == b.CommandID && a.RecordedAt.Equal(b.RecordedAt) &&
		bytes.Equal(a.Data, b.Data) && bytes.Equal(a.Metadata, b.Metadata) && bytes.Equal(a.CommandHash, b.CommandHash)
}

// flush writes the batch.
func (r *run) flush(ctx context.Context) error {
	if len(r.batch) == 0 {
		return nil
	}
	began := time.Now()
	if r.Erased != nil {
		if err := r.Erased(ctx, r.batch); err != nil {
			return fmt.Errorf("destroy what was erased up to position %d: %w", r.batch[len(r.batch)-1].Position, err)
		}
	}
	if err := r.Target.Write(ctx, r.batch, r.begun); err != nil {
		return err
	}
	r.writing += time.Since(began)
	r.report.Restored += int64(len(r.batch))
	r.batch, r.bytes, r.begun = r.batch[:0], 0, r.begun[:0]
	r.tell("restore")
	return nil
}

func (r *run) tell(phase string) {
	p := Progress{Phase: phase, Done: r.report.Compared + r.report.Restored, Total: r.report.ArchiveEnd}
	if elapsed := time.Since(r.started); elapsed > 0 {
		p.PerSecond = float64(p.Done) / elapsed.Seconds()
	}
	r.Progress(p)
}

// note remembers what is to be put back beside the log.
func (r *run) note(e *eventlog.Event) error {
	if e.Type != importAccepted {
		return nil
	}
	body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
	if err != nil {
		return fmt.Errorf("position %d: %w", e.Position, err)
	}
	a, ok := body.(source.ImportAccepted)
	if !ok {
		return fmt.Errorf("position %d: %s is a %T", e.Position, e.Type, body)
	}
	id, err := uuid.Parse(a.ImportID)
	if err != nil {
		return fmt.Errorf("position %d: import %q: %w", e.Position, a.ImportID, err)
	}
	r.imports = append(r.imports, accepted{e.OrganizationID, id, a.DocumentSHA256})
	return nil
}

// originals is where the archive has documents.
const originals = "originals/"

const importAccepted = "source.import-accepted"

// beside puts back what stands beside the log in its database.
func (r *run) beside(ctx context.Context) error {
	there := map[string]bool{}
	for after := ""; ; {
		page, err := r.Archive.List(ctx, originals, after, 1_000)
		if err != nil {
			return fmt.Errorf("originals: %w", err)
		}
		for _, object := range page {
			if err := r.original(ctx, object.Key); err != nil {
				return err
			}
			there[object.Key] = true
			after = object.Key
		}
		if len(page) < 1_000 {
			break
		}
	}
	for _, i := range r.imports {
		// Without its document nobody can go on with an import.
		if err := r.Target.Imported(ctx, i.organization, i.id, !there[archive.OriginalKey(i.organization, i.sha256)]); err != nil {
			return err
		}
		r.report.Imports++
	}
	return nil
}

func (r *run) original(ctx context.Context, key string) error {
	parts := strings.Split(key, "/")
	if len(parts) != 3 {
		return nil // not one of ours
	}
	organization, err := uuid.Parse(parts[1])
	if err != nil {
		return nil //nolint:nilerr // not one of ours either
	}
	stored, err := r.Archive.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("originals: %w", err)
	}
	if err := r.Target.KeepOriginal(ctx, organization, parts[2], stored); err != nil {
		return err
	}
	r.report.Originals++
	return nil
}

// finish begins the next epoch, if anything was restored.
func (r *run) finish(ctx context.Context) error {
	unfinished, err := r.Target.Unfinished(ctx)
	if err != nil {
		return err
	}
	if !unfinished {
		return nil // the database was as far as the archive, or farther
	}
	r.Begin.LostHead = max(r.Begin.LostHead, r.report.ArchiveEnd)
	r.Begin.Above = max(r.Begin.Above, r.report.Epoch)
	begun, diverged, err := BeginEpoch(ctx, r.Target, r.Begin, r.Followers)
	if err != nil {
		return err
	}
	r.report.Began, r.report.Diverged = &begun, diverged
	return nil
}
