package rest

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ledger"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/ports/rest/gen"
)

// Ledger is the sealed log: *ledger.Reader.
type Ledger interface {
	Checkpoint(ctx context.Context) (ledger.Checkpoint, error)
	Prove(ctx context.Context, organization, id uuid.UUID, size int64, wait time.Duration) (eventlog.Event, ledger.Proof, *ledger.Checkpoint, error)
	Continue(ctx context.Context, from, to int64) (ledger.Consistency, error)
	Receipt(ctx context.Context, organization, command uuid.UUID, wait time.Duration) (ledger.Receipt, error)
	Keys(ctx context.Context) ([]ledger.Key, error)
	Tile(ctx context.Context, t tlog.Tile) ([]byte, error)
	Bundle(ctx context.Context, t tlog.Tile) ([]byte, error)
}

// Cache-Control of what is proved. A proof of an event is its organization's alone.
const (
	forEver        = "public, max-age=31536000, immutable"
	forEverPrivate = "private, max-age=31536000, immutable"
	askAgain       = "no-cache"
)

// sealedWait is how long a question waits to be sealed, if it says nothing else.
const sealedWait = 2 * time.Second

func (x *exchange) sealedWait() time.Duration {
	if x.prefer.wait == 0 {
		return sealedWait
	}
	return min(x.prefer.wait, query.MaxWait)
}

// GetEventProof handles GET /v1/events/{id}/proof.
func (s *server) GetEventProof(ctx context.Context, r gen.GetEventProofRequestObject) (gen.GetEventProofResponseObject, error) {
	x := of(ctx)
	size, err := number("size", value(r.Params.Size))
	if err != nil {
		return nil, err
	}
	_, p, c, err := s.options.Ledger.Prove(ctx, x.principal.OrganizationID, r.ID, size, x.sealedWait())
	if err != nil {
		return nil, err
	}
	x.shown(1, p.Position, p.Position)
	body := gen.InclusionProof{
		EventID: r.ID.String(), Position: decimal(p.Position), LeafIndex: decimal(p.Position - 1), LeafHash: hex.EncodeToString(p.Leaf[:]),
		Size: decimal(p.Size), Root: hex.EncodeToString(p.Root[:]), Proof: hexes(p.Path),
	}
	if c != nil {
		body.Checkpoint = optional(string(c.Note))
	}
	caching := askAgain
	if size != 0 {
		caching = forEverPrivate
	}
	return gen.GetEventProof200JSONResponse{Body: body, Headers: gen.GetEventProof200ResponseHeaders{CacheControl: caching}}, nil
}

// GetCheckpoint handles GET /v1/ledger/checkpoint.
func (s *server) GetCheckpoint(ctx context.Context, _ gen.GetCheckpointRequestObject) (gen.GetCheckpointResponseObject, error) {
	c, err := s.options.Ledger.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	return gen.GetCheckpoint200JSONResponse{Body: gen.LedgerCheckpoint{
		Origin: c.Origin, Size: decimal(c.Size), Root: hex.EncodeToString(c.Root[:]), SignedAt: c.SignedAt, Checkpoint: string(c.Note),
	}, Headers: gen.GetCheckpoint200ResponseHeaders{CacheControl: askAgain}}, nil
}

// GetConsistencyProof handles GET /v1/ledger/consistency.
func (s *server) GetConsistencyProof(ctx context.Context, r gen.GetConsistencyProofRequestObject) (gen.GetConsistencyProofResponseObject, error) {
	from, err := number("from", r.Params.From)
	if err != nil {
		return nil, err
	}
	to, err := number("to", value(r.Params.To))
	if err != nil {
		return nil, err
	}
	p, err := s.options.Ledger.Continue(ctx, from, to)
	if err != nil {
		return nil, err
	}
	caching := askAgain
	if to != 0 {
		caching = forEver
	}
	return gen.GetConsistencyProof200JSONResponse{Body: gen.ConsistencyProof{
		From: decimal(p.From), To: decimal(p.To), FromRoot: hex.EncodeToString(p.FromRoot[:]), ToRoot: hex.EncodeToString(p.ToRoot[:]), Proof: hexes(p.Path),
	}, Headers: gen.GetConsistencyProof200ResponseHeaders{CacheControl: caching}}, nil
}

// ListLedgerKeys handles GET /v1/ledger/keys.
func (s *server) ListLedgerKeys(ctx context.Context, _ gen.ListLedgerKeysRequestObject) (gen.ListLedgerKeysResponseObject, error) {
	keys, err := s.options.Ledger.Keys(ctx)
	if err != nil {
		return nil, err
	}
	body := gen.LedgerKeys{Keys: make([]gen.LedgerKey, len(keys))}
	for i, k := range keys {
		body.Keys[i] = gen.LedgerKey{Key: k.VKey, Name: k.Name, FirstSize: decimal(k.FirstSize), LastSize: decimal(k.LastSize), Current: k.Current}
	}
	return gen.ListLedgerKeys200JSONResponse{Body: body, Headers: gen.ListLedgerKeys200ResponseHeaders{CacheControl: askAgain}}, nil
}

func hexes(hashes []ledger.Hash) []string {
	out := make([]string, len(hashes))
	for i, h := range hashes {
		out[i] = hex.EncodeToString(h[:])
	}
	return out
}

// noLedger is an installation that seals nothing.
type noLedger struct{}

var errNoLedger = fault.New(fault.Unavailable, "ledger-unavailable", "The log is not sealed here.")

func (noLedger) Checkpoint(context.Context) (ledger.Checkpoint, error) {
	return ledger.Checkpoint{}, errNoLedger
}

func (noLedger) Prove(context.Context, uuid.UUID, uuid.UUID, int64, time.Duration) (eventlog.Event, ledger.Proof, *ledger.Checkpoint, error) {
	return eventlog.Event{}, ledger.Proof{}, nil, errNoLedger
}

func (noLedger) Continue(context.Context, int64, int64) (ledger.Consistency, error) {
	return ledger.Consistency{}, errNoLedger
}

func (noLedger) Receipt(context.Context, uuid.UUID, uuid.UUID, time.Duration) (ledger.Receipt, error) {
	return ledger.Receipt{}, errNoLedger
}

func (noLedger) Keys(context.Context) ([]ledger.Key, error) { return nil, errNoLedger }

func (noLedger) Tile(context.Context, tlog.Tile) ([]byte, error) { return nil, errNoLedger }

func (noLedger) Bundle(context.Context, tlog.Tile) ([]byte, error) { return nil, errNoLedger }
