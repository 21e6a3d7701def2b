package verifier

import (
	"context"
	"fmt"
)

// Finish gives what was found: nil if all is as it should be. It reads what the
// records have behind the last event, where the log should not end. An error is
// one of reading.
func (a *Audit) Finish(ctx context.Context) (*Problem, error) {
	last := a.Position()
	signed := last
	for _, h := range a.rows.heads { // those that the log did not reach
		signed = max(signed, h.Size)
	}
	for _, r := range a.records {
		if err := r.load(ctx, last+1, last+1); err != nil {
			return nil, err
		}
		r.after, _ = r.has(last + 1)
		for next := last + 1; next <= signed && !r.ended; next = int64(r.tree.Size()) + 1 {
			if err := r.load(ctx, next, min(signed, next+65_535)); err != nil {
				return nil, err
			}
		}
	}
	if p := a.verdict(); p != nil {
		return p, nil
	}
	return a.cut(last), nil
}

// FinishRange is Finish for a log that goes on behind the last event taken. With
// the tiles of the ledger it shows that the events, and what the tiles have
// before and behind them, lead to a newer head.
func (a *Audit) FinishRange(ctx context.Context, tiles Tiles, head Head) (*Problem, error) {
	accounts := []*account{a.rows}
	for _, r := range a.records {
		if r.Check == CheckTile {
			accounts = append(accounts, r)
		}
	}
	for _, c := range accounts {
		if int64(c.tree.Size()) >= head.Size {
			continue // it has met the head itself
		}
		if err := tiles.Extend(ctx, c.tree, head.Size); err != nil {
			return nil, err
		}
		c.heads = []Head{head}
		c.meet()
	}
	return a.verdict(), nil
}

func (a *Audit) verdict() *Problem {
	p := a.first
	for _, r := range a.records {
		// Both hashes say more than the order does: at one position they come first.
		if found := a.differing(r); found != nil && (p == nil || found.Position <= p.Position) {
			p = found
		}
	}
	if p == nil || p == a.first {
		p = a.known(p)
	}
	for _, r := range a.records {
		p = earlier(p, r.lacks)
	}
	if p != nil {
		return p
	}
	if a.rows.bad != nil {
		return a.contradicted(a.rows)
	}
	for _, r := range a.records {
		if r.bad != nil {
			found := a.contradicted(r)
			found.Check, found.Kind, found.Where = r.Check, r.Kind, r.Name
			return found
		}
	}
	return nil
}

// known adds to a problem of the order what the records have at its place.
func (a *Audit) known(p *Problem) *Problem {
	if p == nil {
		return nil
	}
	for _, r := range a.records {
		if want, ok := r.has(p.Position); ok && p.Check == CheckPosition {
			p.Detail = fmt.Sprintf("%s have leaf %s at position %d", r.Name, want, p.Position)
		}
	}
	return p
}

// differing is what follows from a record that has another event than the log.
func (a *Audit) differing(r *account) *Problem {
	if r.differs == 0 {
		return nil
	}
	e := r.differing[0]
	at := e.event.Position
	p := (&Problem{Position: at, Check: CheckLeaf, Expected: e.want.String(), Found: e.hash.String(), Where: r.Name}).at(&e.event)
	switch {
	case r.bad != nil && r.bad.Size >= at && a.rows.bad == nil && a.rows.good >= at:
		// The log leads to every signed root, the record does not.
		p.Check, p.Kind = r.Check, r.Kind
		p.Expected, p.Found = p.Found, p.Expected
		p.Detail = fmt.Sprintf("the log leads to the roots that were signed, up to size %d", a.rows.good)
	default:
		p.Kind = a.guess(r)
		switch {
		case r.good >= at:
			p.Detail = fmt.Sprintf("%s lead to the roots that were signed, up to size %d", r.Name, r.good)
		case r.bad != nil:
			p.Detail = "neither leads to the roots that were signed"
		default:
			p.Detail = "no checkpoint that was signed covers this yet"
		}
	}
	if r.differs > 1 {
		p.Detail += fmt.Sprintf("; %d positions differ", r.differs)
	}
	return p
}

// contradicted is an account that does not lead to a head that was signed, and
// nothing says more than that.
func (a *Audit) contradicted(c *account) *Problem {
	// Whoever signs again with the log's key can make its own checkpoints fit.
	from, kind := c.good, Resealed
	if c.bad.Outside {
		from, kind = c.known, Resigned
	}
	p := &Problem{
		Position: from + 1, Through: c.bad.Size, Check: CheckRoot, Kind: kind, Where: c.bad.From,
		Expected: fmt.Sprintf("root %s at size %d", c.bad.Root, c.bad.Size), Found: c.root.String(),
	}
	if p.Through == p.Position {
		p.Through = 0
	}
	if from > 0 {
		p.Detail = fmt.Sprintf("up to size %d it leads to the root that is expected", from)
	}
	return p
}

// cut is a log that ends before what was signed of it.
func (a *Audit) cut(last int64) *Problem {
	if len(a.rows.heads) == 0 {
		return nil
	}
	h := a.rows.heads[len(a.rows.heads)-1]
	p := &Problem{
		Position: last + 1, Check: CheckPosition, Kind: Truncated, Where: h.From,
		Expected: fmt.Sprintf("%d events, as signed in %s", h.Size, h.Origin), Found: fmt.Sprintf("%d", last),
	}
	for _, r := range a.records {
		if r.after != (Hash{}) {
			p.Detail = fmt.Sprintf("%s have leaf %s there", r.Name, r.after)
			break
		}
	}
	return p
}
