package verifier

import (
	"encoding/json"
	"fmt"
)

const (
	receiptFormat = "strata-receipt-1"
	maxReceipt    = 64 << 20
)

// ReceiptReport is what a receipt proves.
type ReceiptReport struct {
	CommandID  string
	Checkpoint Checkpoint
	Note       []byte
	Events     int   // that are in the log
	Readable   int   // of those, how many come with their content
	First      int64 // positions
	Last       int64
}

// CheckReceipt verifies a receipt: that every event it names is in the log that
// its checkpoint speaks of, and that those it shows are the ones that are there
// and were recorded by its command. A *Problem says what is wrong.
func CheckReceipt(text []byte, t Trust) (r ReceiptReport, err error) {
	if len(text) > maxReceipt {
		return r, fmt.Errorf("a receipt of %d bytes, at most %d are read", len(text), maxReceipt)
	}
	if _, err := members(text); err != nil {
		return r, err
	}
	var receipt struct {
		Format     string            `json:"format"`
		CommandID  string            `json:"commandId"`
		Checkpoint string            `json:"checkpoint"`
		Events     []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(text, &receipt); err != nil {
		return r, err
	}
	if receipt.Format != receiptFormat {
		return r, fmt.Errorf("format %.40q is not %q", receipt.Format, receiptFormat)
	}
	r.CommandID, r.Note = receipt.CommandID, []byte(receipt.Checkpoint)
	if r.Checkpoint, err = OpenCheckpoint(r.Note, t); err != nil {
		return r, &Problem{Check: CheckSignature, Kind: ForgedNote, Where: "the receipt's checkpoint", Expected: "a checkpoint that a trusted key has signed", Found: err.Error()}
	}
	if len(receipt.Events) == 0 {
		return r, &Problem{Check: CheckComplete, Expected: "an event at least", Found: "none"}
	}
	for i, raw := range receipt.Events {
		if err := r.take(raw, i == 0); err != nil {
			return r, err
		}
	}
	return r, nil
}

// take checks one event of the receipt.
func (r *ReceiptReport) take(raw []byte, first bool) error {
	m, err := members(raw)
	if err != nil {
		return err
	}
	p := memberReader{of: m}
	position, leaf, proof := p.number("position"), p.hash("leafHash"), p.hashes("proof")
	if p.err != nil {
		return p.err
	}
	wrong := func(check, kind, expected, found string) *Problem {
		return &Problem{Position: position, Check: check, Kind: kind, Where: "the receipt", Expected: expected, Found: found}
	}
	if !first && position != r.Last+1 {
		return wrong(CheckPosition, Removed, fmt.Sprint(r.Last+1), fmt.Sprint(position))
	}
	if line, shown := m["event"]; shown {
		e, err := ParseEvent(line)
		switch {
		case err != nil:
			return wrong(CheckFormat, "", "an event", err.Error())
		case e.Position != position:
			return wrong(CheckPosition, Swapped, fmt.Sprint(position), fmt.Sprint(e.Position)).at(&e)
		case e.Leaf() != leaf:
			return wrong(CheckLeaf, Edited, leaf.String(), e.Leaf().String()).at(&e)
		case first && e.CommandID.String() != r.CommandID, !first && e.CommandID != (UUID{}):
			return wrong(CheckCommand, Swapped, "an event of command "+r.CommandID, "one of command "+e.CommandID.String()).at(&e)
		}
		r.Readable++
	}
	if position < 1 {
		return wrong(CheckPosition, "", "a position", fmt.Sprint(position))
	}
	if err := CheckInclusion(uint64(position-1), uint64(r.Checkpoint.Size), leaf, proof, r.Checkpoint.Root); err != nil {
		return wrong(CheckProof, Edited, fmt.Sprintf("an event of the log up to size %d", r.Checkpoint.Size), err.Error())
	}
	if first {
		r.First = position
	}
	r.Last = position
	r.Events++
	return nil
}
