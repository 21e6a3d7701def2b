package rest

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/ledger"
	"strata.dev/strata/ports/rest/gen"
)

// receiptRelation is what the answer to a command calls the link to its receipt.
const receiptRelation = "urn:strata:rel:receipt"

// receiptLink points to the receipt of a command that was recorded.
func receiptLink(command uuid.UUID) string {
	return "</v1/receipts/" + command.String() + `>; rel="` + receiptRelation + `"`
}

const receiptFormat = "strata-receipt-1"

// GetReceipt handles GET /v1/receipts/{commandId}.
func (s *server) GetReceipt(ctx context.Context, r gen.GetReceiptRequestObject) (gen.GetReceiptResponseObject, error) {
	x := of(ctx)
	id, err := uuid.Parse(r.CommandID)
	if err != nil {
		return nil, ledger.ErrNoSuchCommand.Because(err)
	}
	receipt, err := s.options.Ledger.Receipt(ctx, x.principal.OrganizationID, id, x.sealedWait())
	if err != nil {
		return nil, err
	}
	first, last := receipt.Events[0].Event.Position, receipt.Events[len(receipt.Events)-1].Event.Position
	x.shown(len(receipt.Events), first, last)
	watches := true
	if strings.HasPrefix(receipt.Events[0].Event.Type, journalTypes) {
		if watches, err = s.watches(ctx, x); err != nil {
			return nil, err
		}
	}
	body, err := encodeReceipt(receipt, watches, s.durability(ctx, x, last))
	if err != nil {
		return nil, fmt.Errorf("receipt of %s: %w", id, err)
	}
	return receiptAnswer(body), nil
}

// receiptAnswer is sent as it was encoded: an event's data and metadata are the
// bytes that were hashed.
type receiptAnswer []byte

// VisitGetReceiptResponse implements gen.GetReceiptResponseObject.
func (a receiptAnswer) VisitGetReceiptResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", mediaJSON)
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(a)
	return err
}

// receiptHead is a receipt without its events.
type receiptHead struct {
	Format         string   `json:"format"`
	CommandID      string   `json:"commandId"`
	OrganizationID string   `json:"organizationId"`
	Durability     string   `json:"durability"`
	Origin         string   `json:"origin"`
	Size           string   `json:"size"`
	Root           string   `json:"root"`
	SignedAt       string   `json:"signedAt"`
	Checkpoint     string   `json:"checkpoint"`
	Keys           []string `json:"keys"`
}

type receiptProof struct {
	Position string   `json:"position"`
	LeafHash string   `json:"leafHash"`
	Proof    []string `json:"proof"`
}

// encodeReceipt writes the receipt with its events as they are stored;
// without them for who may not see what they say.
func encodeReceipt(r ledger.Receipt, events bool, durability string) ([]byte, error) {
	c := r.Checkpoint
	out, err := json.Marshal(receiptHead{
		Format: receiptFormat, CommandID: r.CommandID.String(), OrganizationID: r.OrganizationID.String(), Durability: durability,
		Origin: c.Origin, Size: decimal(c.Size), Root: hex.EncodeToString(c.Root[:]), SignedAt: c.SignedAt.Format("2006-01-02T15:04:05.000000Z"),
		Checkpoint: string(c.Note), Keys: r.VKeys,
	})
	if err != nil {
		return nil, err
	}
	out = append(out[:len(out)-1], `,"events":[`...)
	for i := range r.Events {
		e := &r.Events[i]
		proof, err := json.Marshal(receiptProof{Position: decimal(e.Proof.Position), LeafHash: hex.EncodeToString(e.Proof.Leaf[:]), Proof: hexes(e.Proof.Path)})
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		if events {
			out = append(out, `{"event":`...)
			if out, err = archive.AppendEvent(out, &e.Event); err != nil {
				return nil, err
			}
			out = append(out, ',')
		} else {
			out = append(out, '{')
		}
		out = append(out, proof[1:]...)
	}
	return append(out, "]}"...), nil
}
