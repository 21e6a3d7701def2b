package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/fsck"
	"strata.dev/strata/app/ledger"
	"strata.dev/strata/app/pack"
)

// Packs reads what evidence packs are made of: a log and the ledger beside it.
// Safe for concurrent use.
type Packs struct {
	*Log
	beside *Beside
}

var (
	_ pack.Log  = (*Packs)(nil)
	_ pack.Tree = (*Packs)(nil)
)

// NewPacks reads from a log and what is beside it in the same database.
func NewPacks(log *Log, beside *Beside) *Packs { return &Packs{log, beside} }

const organizationSQL = `SELECT ` + columns + ` FROM public.events
WHERE organization_id = $1 AND organization_sequence > $2 ORDER BY organization_sequence LIMIT $3`

// ReadOrganization implements pack.Log.
func (p *Packs) ReadOrganization(ctx context.Context, organizationID uuid.UUID, after int64, limit int) ([]eventlog.Event, error) {
	return read(ctx, p.Log, "read organization "+organizationID.String(), func(ctx context.Context) ([]eventlog.Event, error) {
		rows, _ := p.reads.Query(ctx, organizationSQL, [16]byte(organizationID), after, max(limit, 0)) // CollectRows returns its error
		return pgx.CollectRows(rows, scanEvent)
	})
}

// Covering implements pack.Tree. A checkpoint over what only a history holds that
// was left behind covers nothing.
func (p *Packs) Covering(ctx context.Context, size int64) (pack.Checkpoint, bool, error) {
	return p.signed(ctx, `size >= $1`, `size, epoch DESC`, size)
}

// Until implements pack.Tree.
func (p *Packs) Until(ctx context.Context, size int64) (pack.Checkpoint, bool, error) {
	return p.signed(ctx, `size <= $1`, `size DESC, epoch DESC`, size)
}

func (p *Packs) signed(ctx context.Context, where, order string, size int64) (c pack.Checkpoint, ok bool, err error) {
	epochs, err := p.Epochs(ctx)
	if err != nil {
		return c, false, err
	}
	const some = 50
	found, err := list(ctx, p.beside, "checkpoints", `SELECT epoch, size, root, note FROM ledger.checkpoints WHERE `+where+` ORDER BY `+order+` LIMIT $2`,
		func(row pgx.CollectableRow) (s fsck.Signed, err error) {
			return s, row.Scan(&s.Epoch, &s.Size, &s.Root, &s.Note)
		}, size, some)
	if err != nil {
		return c, false, err
	}
	for _, s := range found {
		if s.Size > epochs.Shared(s.Epoch) {
			continue
		}
		said, err := ledger.ParseCheckpoint(s.Note)
		if err != nil {
			return c, false, fmt.Errorf("checkpoint of size %d: %w", s.Size, err)
		}
		return pack.Checkpoint{Size: said.Size, Root: said.Root, Note: s.Note}, true, nil
	}
	return c, false, nil
}

// Tile implements pack.Tree.
func (p *Packs) Tile(ctx context.Context, level int, n int64) ([]byte, error) {
	return p.beside.Tile(ctx, level, n)
}

// SignedBy implements pack.Tree.
func (p *Packs) SignedBy(ctx context.Context) ([]string, error) {
	return list(ctx, p.beside, "the ledger's keys", `SELECT vkey FROM ledger.keys ORDER BY first_size, vkey`, pgx.RowTo[string])
}
