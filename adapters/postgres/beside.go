package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/fsck"
)

// Beside reads what stands beside the log in its database. It writes nothing, and
// the server sees to that. Safe for concurrent use.
type Beside struct {
	pool *pgxpool.Pool
}

var (
	_ fsck.Beside = (*Beside)(nil)
	_ fsck.Ledger = (*Beside)(nil)
)

// OpenBeside connects to the log database that url names, as the role that writes
// the log. It fails if the database cannot be reached now. Close ends it.
func OpenBeside(ctx context.Context, url string) (*Beside, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("tables beside the log: %w", err)
	}
	cfg.MaxConns = 2
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	for setting, value := range map[string]string{
		"application_name": "strata fsck", "default_transaction_read_only": "on", "timezone": "UTC", "statement_timeout": "600000",
	} {
		cfg.ConnConfig.RuntimeParams[setting] = value
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("tables beside the log: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("tables beside the log: %w", err)
	}
	return &Beside{pool}, nil
}

// Close closes the connections.
func (b *Beside) Close() { b.pool.Close() }

// Cursors implements fsck.Beside.
func (b *Beside) Cursors(ctx context.Context) ([]fsck.Cursor, error) {
	return list(ctx, b, "cursors", `SELECT consumer_group, position, epoch FROM public.cursors ORDER BY consumer_group`,
		func(row pgx.CollectableRow) (c fsck.Cursor, err error) {
			return c, row.Scan(&c.Group, &c.Position, &c.Epoch)
		})
}

// Parked implements fsck.Beside.
func (b *Beside) Parked(ctx context.Context) ([]fsck.Parked, error) {
	return list(ctx, b, "parked streams", `SELECT consumer_group, stream_id, position, event_id FROM public.parked ORDER BY position, consumer_group`,
		func(row pgx.CollectableRow) (p fsck.Parked, err error) {
			return p, row.Scan(&p.Group, &p.StreamID, &p.Position, (*[16]byte)(&p.EventID))
		})
}

// Timers implements fsck.Beside.
func (b *Beside) Timers(ctx context.Context) ([]fsck.Timer, error) {
	return list(ctx, b, "timers", `SELECT organization_id, timer_id, kind, subject, due_at, cause_event_id, cause_position, state, fired_at
FROM public.timers ORDER BY cause_position, timer_id`,
		func(row pgx.CollectableRow) (t fsck.Timer, err error) {
			err = row.Scan((*[16]byte)(&t.OrganizationID), (*[16]byte)(&t.ID), &t.Kind, &t.Subject, &t.DueAt, (*[16]byte)(&t.CauseID), &t.CausePosition, &t.State, &t.FiredAt)
			t.DueAt = t.DueAt.UTC()
			return t, err
		})
}

// ImportRuns implements fsck.Beside.
func (b *Beside) ImportRuns(ctx context.Context) ([]fsck.ImportRun, error) {
	return list(ctx, b, "runs of imports", `SELECT organization_id, import_id, state, position FROM public.import_runs ORDER BY import_id`,
		func(row pgx.CollectableRow) (r fsck.ImportRun, err error) {
			return r, row.Scan((*[16]byte)(&r.OrganizationID), (*[16]byte)(&r.ImportID), &r.State, &r.Position)
		})
}

// inboxPage is how many rows of the inbox are read at once: an answer may have megabytes.
const inboxPage = 200

// Inbox implements fsck.Beside.
func (b *Beside) Inbox(ctx context.Context, take func(fsck.InboxRow) error) error {
	var source uuid.UUID
	message := ""
	for {
		page, err := list(ctx, b, "inbox", `SELECT source_id, message_id, organization_id, sha256, refused, answer FROM public.inbox
WHERE (source_id, message_id) > ($1, $2) ORDER BY source_id, message_id LIMIT $3`,
			func(row pgx.CollectableRow) (r fsck.InboxRow, err error) {
				return r, row.Scan((*[16]byte)(&r.SourceID), &r.MessageID, (*[16]byte)(&r.OrganizationID), &r.SHA256, &r.Refused, &r.Answer)
			}, [16]byte(source), message, inboxPage)
		if err != nil {
			return err
		}
		for _, row := range page {
			if err := take(row); err != nil {
				return err
			}
			source, message = row.SourceID, row.MessageID
		}
		if len(page) < inboxPage {
			return nil
		}
	}
}

// Epochs implements fsck.Beside.
func (b *Beside) Epochs(ctx context.Context) (eventlog.Epochs, error) { return ReadEpochs(ctx, b.pool) }

func list[T any](ctx context.Context, b *Beside, what, sql string, scan pgx.RowToFunc[T], args ...any) ([]T, error) {
	rows, _ := b.pool.Query(ctx, sql, args...) // CollectRows returns its error
	all, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, unavailable(fmt.Errorf("read %s: %w", what, err))
	}
	return all, nil
}

// Sealed implements fsck.Ledger.
func (b *Beside) Sealed(ctx context.Context) (size int64, err error) {
	if err := b.pool.QueryRow(ctx, `SELECT coalesce(max(size), 0) FROM ledger.state`).Scan(&size); err != nil {
		return 0, unavailable(fmt.Errorf("read the ledger's size: %w", err))
	}
	return size, nil
}

// Tile implements fsck.Ledger.
func (b *Beside) Tile(ctx context.Context, level int, n int64) ([]byte, error) {
	found, err := list(ctx, b, "a tile", `SELECT hashes FROM ledger.tiles WHERE level = $1 AND n = $2`, pgx.RowTo[[]byte], level, n)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// SignedAfter implements fsck.Ledger.
func (b *Beside) SignedAfter(ctx context.Context, size int64, limit int) ([]fsck.Signed, error) {
	return list(ctx, b, "checkpoints", `SELECT epoch, size, root, note FROM ledger.checkpoints
WHERE size IN (SELECT DISTINCT c.size FROM ledger.checkpoints c WHERE c.size > $1 ORDER BY c.size LIMIT $2) ORDER BY size, epoch`,
		func(row pgx.CollectableRow) (c fsck.Signed, err error) {
			return c, row.Scan(&c.Epoch, &c.Size, &c.Root, &c.Note)
		}, size, limit)
}
