package command

import (
	"context"
	"time"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/organization"
)

// staleReaders is how old the organization's state may be that lets somebody
// read while the log cannot be asked. A role revoked for longer reads nothing.
const staleReaders = time.Minute

// MayRead says whether a principal may read what the organization has: a member
// of now with a role that reads, in whatever scope. Grants and revocations count
// within MembershipAge, also those recorded by other instances; one that lets
// somebody in counts at once. Reads go on for a minute without the log.
func (o *Organizations) MayRead(ctx context.Context, p Principal) error {
	return o.mayRead(ctx, p, authz.MayRead, authz.ErrNoReader)
}

// MayReadJournal says likewise whether a principal may read the journal: who was
// refused what, who read the trail, and what is known of persons.
func (o *Organizations) MayReadJournal(ctx context.Context, p Principal) error {
	return o.mayRead(ctx, p, authz.MayReadJournal, authz.ErrNoWatcher)
}

// ReadsNames says whether a principal may read names of persons, by what was
// known when they were let in (MayRead): whose role came since then reads them
// with their next question.
func (o *Organizations) ReadsNames(p Principal) bool {
	x := o.executor
	known, ok := x.cache.get(cacheKey(p.OrganizationID, x.stream(p.OrganizationID)))
	return ok && mayRead(known.state, p, x.options.Clock(), authz.MayReadNames, authz.ErrRole) == nil
}

func (o *Organizations) mayRead(ctx context.Context, p Principal, lets func(role string) bool, otherwise error) error {
	x := o.executor
	stream := x.stream(p.OrganizationID)
	f, err := x.loadWithin(ctx, p.OrganizationID, stream, MembershipAge)
	if err != nil {
		known, ok := x.cache.get(cacheKey(p.OrganizationID, stream))
		if !ok || time.Since(known.checked) > staleReaders {
			return err
		}
		return mayRead(known.state, p, x.options.Clock(), lets, otherwise)
	}
	refused := mayRead(f.state, p, x.options.Clock(), lets, otherwise)
	if refused != nil { // perhaps granted since: whoever shares the next read is told of it
		if f, err = x.loadWithin(ctx, p.OrganizationID, stream, 0); err != nil {
			return err
		}
		refused = mayRead(f.state, p, x.options.Clock(), lets, otherwise)
	}
	return refused
}

func mayRead(s organization.State, p Principal, now time.Time, lets func(role string) bool, otherwise error) error {
	if !s.Exists() {
		return ErrNotMember
	}
	m, err := memberOf(s, p, now)
	if err != nil {
		return err
	}
	for _, g := range s.GrantsOf(m.ID) {
		if g.Holds(m.now) && lets(g.Role) {
			return nil
		}
	}
	return otherwise
}
