package verifier

// guess says what was probably done to the log where a record differs. It tries
// what an event's hash would be in the place from which it may have come.
func (a *Audit) guess(r *account) string {
	here := r.differing[0]
	if len(r.differing) == 2 && r.differs == 2 && exchanged(here, r.differing[1]) {
		return Swapped
	}
	next, ok := a.behind(here.event.Position)
	switch {
	case ok && moved(next, -1, here.want):
		return Inserted
	case moved(here.event, +1, r.next):
		return Removed
	case r.differs > 1 && r.same == 0:
		return Rewritten
	}
	return Edited
}

// behind is the event behind a position, of those that were kept.
func (a *Audit) behind(position int64) (Event, bool) {
	for _, s := range a.window {
		if s.event.Position == position+1 {
			return s.event, true
		}
	}
	return Event{}, false
}

// moved says whether e, one place further, is what was sealed. Whoever moves
// events may have counted sequences and versions anew, or not.
func moved(e Event, by int64, want Hash) bool {
	for variant := range 4 {
		m := e
		m.Position += by
		if variant&1 != 0 {
			m.Sequence += by
		}
		if variant&2 != 0 {
			m.Version += by
		}
		if m.Leaf() == want {
			return true
		}
	}
	return false
}

// exchanged says whether x and y are what was sealed, in each other's place or
// with each other's content.
func exchanged(at, and sample) bool {
	x, y := at.event, and.event
	for variant := range 8 {
		p, q := y, x // what was at x's place, and at y's
		if variant&4 == 0 {
			p.Position, q.Position = x.Position, y.Position
			if variant&1 != 0 {
				p.Sequence, q.Sequence = x.Sequence, y.Sequence
			}
			if variant&2 != 0 {
				p.Version, q.Version = x.Version, y.Version
			}
		} else {
			p, q = x, y
			p.Data, q.Data = y.Data, x.Data
			if variant&1 != 0 {
				p.Metadata, q.Metadata = y.Metadata, x.Metadata
			}
			if variant&2 != 0 {
				p.ID, q.ID, p.Type, q.Type = y.ID, x.ID, y.Type, x.Type
				p.CommandID, q.CommandID, p.CommandHash, q.CommandHash = y.CommandID, x.CommandID, y.CommandHash, x.CommandHash
			}
		}
		if p.Leaf() == at.want && q.Leaf() == and.want {
			return true
		}
	}
	return false
}
