package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/fault"
)

const (
	maxTokenBytes = 8 << 10
	cacheEntries  = 16 << 10 // about 4 MB
)

// ErrBadToken refuses a token. Its cause says why: for the log, never for the caller.
var ErrBadToken = fault.New(fault.Unauthenticated, "unauthenticated", "The bearer token is not accepted.")

// Verifier authenticates bearer tokens of the issuers it is configured with.
// Safe for concurrent use. It starts nothing that has to be closed.
type Verifier struct {
	issuers map[string]*issuer // by the exact value of iss
	now     func() time.Time
	seen    *lru.Cache[[sha256.Size]byte, remembered]
}

// issuer is one Config, ready for use.
type issuer struct {
	config    Config
	method    string // how the principal was authenticated
	keys      keySource
	published *publishedKeys // nil if the keys are configured
}

type remembered struct {
	principal command.Principal
	expiry    time.Time
}

// NewVerifier checks the configurations. It asks no issuer for keys: the first
// token does, or Warm.
func NewVerifier(configs ...Config) (*Verifier, error) {
	if len(configs) == 0 {
		return nil, errors.New("oidc: nobody's tokens would be believed: configure an issuer")
	}
	seen, err := lru.New[[sha256.Size]byte, remembered](cacheEntries)
	if err != nil {
		return nil, fmt.Errorf("oidc: cache: %w", err)
	}
	v := &Verifier{issuers: make(map[string]*issuer, len(configs)), seen: seen}
	for _, c := range configs {
		c, err := c.withDefaults()
		if err != nil {
			return nil, err
		}
		if v.issuers[c.Issuer] != nil {
			return nil, fmt.Errorf("oidc: issuer %q is configured twice", c.Issuer)
		}
		i := &issuer{config: c, method: methodBearer}
		if c.Keys == nil {
			// What was verified with a key that has gone is to be verified again.
			i.published = &publishedKeys{config: c, changed: seen.Purge}
			i.keys, i.method = i.published, methodOIDC
		} else if i.keys, err = newStaticKeys(c); err != nil {
			return nil, err
		}
		v.issuers[c.Issuer] = i
		if v.now == nil {
			v.now = c.Now
		}
	}
	return v, nil
}

// Warm asks the issuers that publish keys for them, so that the first token
// need not wait. An error says which did not answer; tokens of theirs are
// answered with ErrUnavailable until they do, and they are asked again.
func (v *Verifier) Warm(ctx context.Context) error {
	var errs []error
	for _, i := range v.issuers {
		if i.published != nil {
			if err := i.published.refresh(ctx); err != nil {
				errs = append(errs, fmt.Errorf("issuer %s: %w", i.config.Issuer, err))
			}
		}
	}
	return errors.Join(errs...)
}

// Status says what is wrong with the keys of issuers, without asking them; nil =
// nothing. Keys that could not be refreshed go on for a day.
func (v *Verifier) Status() error {
	var errs []error
	for _, i := range v.issuers {
		if i.published != nil {
			errs = append(errs, i.published.status())
		}
	}
	return errors.Join(errs...)
}

// Authenticate says whose token it is, or refuses with ErrBadToken. ErrUnavailable
// says that its issuer has to be asked first and does not answer.
func (v *Verifier) Authenticate(ctx context.Context, token string) (command.Principal, error) {
	if len(token) > maxTokenBytes {
		return command.Principal{}, ErrBadToken.Because(refusal(unreadable, fmt.Errorf("%d bytes, more than %d", len(token), maxTokenBytes)))
	}
	sum := sha256.Sum256([]byte(token))
	now := v.now()
	if r, ok := v.seen.Get(sum); ok {
		if now.Before(r.expiry) {
			return r.principal, nil
		}
		v.seen.Remove(sum)
	}
	r, err := v.verify(ctx, token, now)
	if errors.Is(err, ErrUnavailable) {
		return command.Principal{}, err
	}
	if err != nil {
		return command.Principal{}, ErrBadToken.Because(err)
	}
	v.seen.Add(sum, r)
	return r.principal, nil
}

// Words for why a token is not believed. They go into the journal.
const (
	unreadable    = "unreadable-token"
	unknownIssuer = "unknown-issuer"
	otherKind     = "other-kind-of-token"
	unknownKey    = "unknown-key"
	unverified    = "not-verified"
	expired       = "expired"
	badClaims     = "claims-not-accepted"
)

func refusal(reason string, err error) *command.TokenRefusal {
	return &command.TokenRefusal{Reason: reason, Err: err}
}

// verify lets the token's iss pick whom to believe, and nothing else: the
// signature has to be of a key of exactly that issuer.
func (v *Verifier) verify(ctx context.Context, token string, now time.Time) (remembered, error) {
	h, stated, err := read(token)
	if err != nil {
		return remembered{}, refusal(unreadable, err)
	}
	i, ok := v.issuers[stated]
	if !ok {
		return remembered{}, refusal(unknownIssuer, errors.New("iss is nobody who is believed here"))
	}
	if err := i.config.accepts(h); err != nil {
		return remembered{}, refusal(otherKind, err)
	}
	key, ok, err := i.keys.find(ctx, keyName{h.Kid, h.Alg})
	if err != nil {
		return remembered{}, err
	}
	if !ok {
		return remembered{}, refusal(unknownKey, errors.New("kid and alg name no key of this issuer"))
	}
	id, err := key.verifier.Verify(ctx, token)
	if err != nil {
		return remembered{}, i.late(ctx, key, token, err)
	}
	var payload json.RawMessage
	if err := id.Claims(&payload); err != nil {
		return remembered{}, refusal(badClaims, fmt.Errorf("claims: %w", err))
	}
	r, err := i.config.received(payload)
	if err != nil {
		return remembered{}, i.disbelieved(badClaims, r, err)
	}
	p, err := i.principal(r, now, id.Expiry)
	if err != nil {
		return remembered{}, i.disbelieved(badClaims, r, err)
	}
	return remembered{p, id.Expiry}, nil
}

// late tells a token that was good once from one that never was: go-oidc looks
// at the clock before it looks at the signature.
func (i *issuer) late(ctx context.Context, key verifyingKey, token string, cause error) error {
	if _, ok := errors.AsType[*gooidc.TokenExpiredError](cause); !ok {
		return refusal(unverified, cause)
	}
	id, err := key.ever.Verify(ctx, token)
	if err != nil {
		return refusal(unverified, cause)
	}
	var payload json.RawMessage
	if err := id.Claims(&payload); err != nil {
		return refusal(expired, cause)
	}
	r, err := i.config.received(payload)
	if err != nil {
		return refusal(expired, cause)
	}
	return i.disbelieved(expired, r, cause)
}

// disbelieved says whose a token is that was signed by the issuer.
func (i *issuer) disbelieved(reason string, r received, cause error) error {
	e := &command.TokenRefusal{Issuer: i.config.Issuer, Reason: reason, Err: cause}
	if id, err := uuid.Parse(r.organization); err == nil && id.String() == r.organization {
		e.OrganizationID = id
	}
	return e
}
