package command

import (
	"context"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/organization"
)

// Asker is a principal as the journal names them: by an opaque id, whether or
// not they may do anything.
type Asker struct {
	OrganizationID uuid.UUID // whose journal it is; zero = the installation's
	Kind           eventlog.ActorKind
	ID             string // a member's; of others, former members too, "operator-" or "identity-" and a hash
}

// Asker finds out whom a principal stands for, mostly from memory. Whoever is no
// member of an organization that there is, or cannot be looked up now, is named
// by the hash of who their issuer says they are.
func (o *Organizations) Asker(ctx context.Context, p Principal) Asker {
	if p.Operator {
		return Asker{uuid.Nil, eventlog.Person, "operator-" + organization.IdentityHash("", p.Issuer, p.Subject)}
	}
	x := o.executor
	f, ok := x.cache.get(cacheKey(p.OrganizationID, x.stream(p.OrganizationID)))
	if !ok {
		var err error
		if f, err = x.loadWithin(ctx, p.OrganizationID, x.stream(p.OrganizationID), MembershipAge); err != nil {
			f = folded[organization.State]{}
		}
	}
	if !f.state.Exists() {
		return Asker{uuid.Nil, eventlog.Person, "identity-" + organization.IdentityHash("", p.Issuer, p.Subject)}
	}
	identity := organization.IdentityHash(f.state.ID, p.Issuer, p.Subject)
	m, ok := f.state.MemberByIdentity(identity)
	if !ok {
		return Asker{p.OrganizationID, eventlog.Person, "identity-" + identity}
	}
	kind := fact.Person
	if m.Kind == organization.Service {
		kind = fact.Source
	}
	return Asker{p.OrganizationID, eventlog.ActorKind(kind), m.ID}
}

// TokenRefusal is the cause of a refused sign-in, as far as it can be told
// without believing anything of the token that was not verified.
type TokenRefusal struct {
	OrganizationID uuid.UUID // that the token is for, if its signature is good
	Issuer         string    // that signed it, if its signature is good
	Reason         string    // a word for the journal
	Err            error
}

func (e *TokenRefusal) Error() string { return e.Err.Error() }

// Unwrap gives what exactly was wrong: for the log of the service only.
func (e *TokenRefusal) Unwrap() error { return e.Err }
