package command

import (
	"bytes"
	"context"
	"encoding/hex"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/refusal"
)

// Countersignature is what a second person has signed: this command and no
// other (S8, S15). It says who signed, not what they may do: their roles are
// read from the organization's events when the command is decided (S13).
type Countersignature struct {
	ID        string    // of the signature itself, a UUID
	Principal Principal // who signed; AuthAt and AuthMethod as of then
	Hash      []byte    // FingerprintBytes of the command: method, path, canonical body
	Meaning   string    // what they say by it
	SignedAt  time.Time
	ExpiresAt time.Time
}

// Countersigner makes countersignatures that can be shown again, and tells
// those it made from those it did not. Nothing is stored.
type Countersigner interface {
	// Sign makes the token for what c says (Principal, Hash and Meaning) and gives
	// c completed.
	Sign(ctx context.Context, c Countersignature) (token string, signed Countersignature, err error)
	// Verify gives what was signed, if it was signed here for this organization;
	// else a fault. Whether it has expired is for the decision on the command.
	Verify(ctx context.Context, token string, organization uuid.UUID) (Countersignature, error)
}

// maxMeaning bounds what a countersignature says, in bytes: its token has to fit
// into a header, whatever characters they are.
const maxMeaning = 500

var (
	// ErrOtherCommand: the countersignature is for another request than this one.
	ErrOtherCommand = refusal.Forbidden.WithRule("countersigned-command").
			Detailf("The countersignature is for another request: method, path and body must be those that were countersigned.")

	// ErrFormerMember: whoever countersigned is nobody in the organization any more.
	ErrFormerMember = refusal.Forbidden.WithRule("membership").
			Detailf("Whoever countersigned this is not a member of this organization now: somebody else must.")
)

// Countersign says whether a member may put their name under a command that
// somebody else will give: a person of the organization, who has just signed in
// (S11), with a meaning. It gives what a Countersigner is to sign; nothing is
// recorded until the command is. Whether the member has the right role is
// decided with the command, by the organization's events of then.
func (o *Organizations) Countersign(ctx context.Context, p Principal, hash []byte, meaning string) (Countersignature, error) {
	m, err := o.member(ctx, p, time.Now())
	if err != nil {
		return Countersignature{}, err
	}
	by := m.actor("")
	by.At = m.now
	switch {
	case by.Kind != fact.Person:
		return Countersignature{}, authz.ErrRole.Detailf("Only persons countersign.")
	case len(hash) == 0:
		return Countersignature{}, ErrIncomplete
	case meaning == "":
		return Countersignature{}, refusal.Invalid.Detailf("meaning: Say what your signature means.").
			At("#/meaning", "minLength", "Say what your signature means.")
	case len(meaning) > maxMeaning:
		return Countersignature{}, refusal.Invalid.Detailf("meaning: At most %d bytes.", maxMeaning).
			At("#/meaning", "maxLength", "Say it in fewer words.")
	}
	if err := authz.Signed(by); err != nil {
		return Countersignature{}, err
	}
	return Countersignature{Principal: p, Hash: hash, Meaning: meaning}, nil
}

// second is who countersigned a call, with the roles they hold now for all of
// the strategies ("" = for the whole organization); the zero Second if nobody did.
func (m member) second(call Call, strategyIDs ...string) (fact.Second, error) {
	c := call.Countersignature
	switch {
	case c == nil:
		return fact.Second{}, nil
	case !bytes.Equal(c.Hash, call.Hash) || c.Principal.OrganizationID != call.Principal.OrganizationID:
		return fact.Second{}, ErrOtherCommand
	}
	s, err := memberOf(m.in, c.Principal, m.now)
	if err != nil {
		return fact.Second{}, ErrFormerMember
	}
	actor := s.actor(strategyIDs...)
	return fact.Second{
		ID: actor.ID, Kind: actor.Kind, Roles: actor.Roles, SamePerson: m.in.SamePerson(actor.ID),
		AuthAt: c.Principal.AuthAt, SignedAt: c.SignedAt,
	}, nil
}

// countersigned is what an event carries of the second person behind it.
func countersigned(c *Countersignature, memberID string) *eventlog.Countersignature {
	if c == nil || memberID == "" {
		return nil
	}
	return &eventlog.Countersignature{
		ID: c.ID, SignerID: memberID, Meaning: c.Meaning, SignedAt: c.SignedAt.UTC().Truncate(time.Microsecond),
		CommandHash: hex.EncodeToString(c.Hash), AuthMethod: c.Principal.AuthMethod, AuthAt: c.Principal.AuthAt.UTC().Truncate(time.Second),
	}
}

// requestedBy is the second person of an organization's event (S8).
func requestedBy(e organization.Event) string {
	switch e := e.(type) {
	case organization.GovernancePolicySet:
		return e.RequestedBy
	case organization.LegalHoldReleased:
		return e.RequestedBy
	case organization.PersonalDataErased:
		return e.RequestedBy
	}
	return ""
}
