package command

import (
	"context"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/source"
)

// ProcessPrincipal is one of Strata's own processes at work for an
// organization: no member of it, and bound to what the table of roles lets
// processes do. Only code of the service makes one; no token ever does.
func ProcessPrincipal(organizationID uuid.UUID, process string) Principal {
	return Principal{OrganizationID: organizationID, process: process}
}

// SourcePrincipal is a registered source whose signature under a message has
// been verified. What it may write is decided with each command, by its own
// events (S14). Only code of the service makes one; no token ever does.
func SourcePrincipal(organizationID, sourceID uuid.UUID) Principal {
	return Principal{OrganizationID: organizationID, AuthMethod: "ed25519", sourceID: sourceID}
}

// machineOf is who asks if that is no member: a process or a source.
func machineOf(s organization.State, p Principal, now time.Time) (member, bool) {
	m := member{in: s, now: now.UTC()}
	switch {
	case p.process != "":
		m.machine = fact.Actor{ID: p.process, Kind: fact.Process}
	case p.sourceID != uuid.Nil:
		m.machine = fact.Actor{ID: p.sourceID.String(), Kind: fact.Source}
	default:
		return member{}, false
	}
	return m, true
}

// ErrSource: a source that may not write (S14). Member reason: unknown_source
// or source_suspended, as in source.Codes.
var ErrSource = refusal.Forbidden.WithRule("S14")

// acting gives the registered source that asks, as the log has it: read at
// since or later, and at most MembershipAge old. One that is not registered or
// is suspended is refused.
func (s *Sources) acting(ctx context.Context, p Principal, since time.Time) (source.State, error) {
	f, err := s.executor.known(ctx, p.OrganizationID, s.executor.stream(p.sourceID), since)
	switch {
	case err != nil:
		return source.State{}, err
	case !f.state.Registered():
		return source.State{}, ErrSource.Detailf("Source %s is not registered here.", p.sourceID).With("reason", source.UnknownSource)
	case f.state.Status != source.Active:
		return source.State{}, ErrSource.Detailf("Source %s is suspended: a data steward must reinstate it.", p.sourceID).With("reason", source.SourceSuspended)
	}
	return f.state, nil
}
