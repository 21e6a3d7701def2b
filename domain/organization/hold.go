package organization

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/ident"
	"strata.dev/strata/domain/internal/check"
)

// Hold is a legal hold: nothing it covers is erased or disposed of until it is released.
type Hold struct {
	ID       string
	Matter   string
	Scope    HoldScope
	Basis    string
	PlacedAt time.Time
	PlacedBy string
	Released bool
}

// maxHolds is how many legal holds one organization can place, released ones included.
const maxHolds = 10_000

// Hold gives a legal hold, in place or released, by id.
func (s State) Hold(id string) (Hold, bool) { return s.holds.Get(id) }

// Holds gives the legal holds in place, in the order of their ids.
func (s State) Holds() []Hold {
	var all []Hold
	for _, h := range s.holds.All() {
		if !h.Released {
			all = append(all, h)
		}
	}
	return all
}

// HeldBy gives the legal holds in place that cover a stream or a subject; "" names none.
func (s State) HeldBy(stream, subject string) []Hold {
	return slices.DeleteFunc(s.Holds(), func(h Hold) bool {
		return !h.Scope.Organization && !(stream != "" && slices.Contains(h.Scope.Streams, stream)) &&
			!(subject != "" && slices.Contains(h.Scope.Subjects, subject))
	})
}

func (s State) placeHold(by fact.Actor, c PlaceLegalHold) ([]Event, error) {
	if err := authz.Check(by, authz.PlaceLegalHold); err != nil {
		return nil, err
	}
	var f check.Form
	f.ID("#/holdId", c.HoldID)
	f.Name("#/matter", c.Matter)
	f.Name("#/basis", c.Basis)
	scope := c.Scope.normal()
	scope.check(&f, "#/scope")
	if err := f.Err(); err != nil {
		return nil, err
	}
	if _, used := s.holds.Get(c.HoldID); used {
		return nil, ErrHoldIDUsed.Detailf("Ids of legal holds are never used again: place it under a new one.")
	}
	if s.holds.Len() >= maxHolds {
		return nil, ErrTooManyHolds.Detailf("One organization places at most %d legal holds.", maxHolds)
	}
	return []Event{LegalHoldPlaced{HoldID: c.HoldID, Matter: c.Matter, Scope: scope, Basis: c.Basis}}, nil
}

// releaseHold holds S8: one compliance officer asks (and countersigns), another
// gives the command.
func (s State) releaseHold(by fact.Actor, c ReleaseLegalHold) ([]Event, error) {
	if err := authz.Check(by, authz.ReleaseLegalHold); err != nil {
		return nil, err
	}
	var f check.Form
	f.ID("#/holdId", c.HoldID)
	f.Reason(c.Reason)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if h, ok := s.holds.Get(c.HoldID); !ok || h.Released {
		return nil, ErrNoHold.Detailf("There is no legal hold %s in place to release.", c.HoldID)
	}
	if err := authz.SecondPerson(ErrDualControl, by, c.Second, authz.ComplianceOfficer); err != nil {
		return nil, err
	}
	if err := authz.Signed(by); err != nil {
		return nil, err
	}
	return []Event{LegalHoldReleased{HoldID: c.HoldID, Reason: c.Reason, RequestedBy: c.Second.ID, AuthorizedBy: by.ID}}, nil
}

func (h HoldScope) normal() HoldScope {
	for _, list := range []*[]string{&h.Streams, &h.Subjects} {
		ids := slices.Clone(*list)
		slices.Sort(ids)
		if *list = slices.Compact(ids); len(ids) == 0 {
			*list = nil
		}
	}
	return h
}

func (h HoldScope) check(f *check.Form, at string) {
	n := len(h.Streams) + len(h.Subjects)
	switch {
	case h.Organization && n > 0:
		f.Object(at, "oneOf", "A hold on the whole organization names no streams and no subjects.")
	case !h.Organization && n == 0:
		f.Object(at, "minItems", "Say what is held: the organization, streams or subjects.")
	case n > maxScope:
		f.Object(at, "maxItems", "At most %d, not %d.", maxScope, n)
	}
	for i, stream := range h.Streams {
		kind, id, ok := strings.Cut(stream, "-")
		if !ok || kind == "" || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz") != "" || !ident.Valid(id) {
			f.Object(fmt.Sprintf("%s/streams/%d", at, i), "pattern", "Give a stream, such as strategy-<uuid>.")
		}
	}
	for i, subject := range h.Subjects {
		f.ID(fmt.Sprintf("%s/subjects/%d", at, i), subject)
	}
}
