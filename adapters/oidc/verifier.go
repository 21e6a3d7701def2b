package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/gowebpki/jcs"
	lru "github.com/hashicorp/golang-lru/v2"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/fault"
)

const (
	maxTokenBytes = 4 << 10
	cacheEntries  = 16 << 10 // about 4 MB
)

// ErrBadToken refuses a token. Its cause says why: for the log, never for the caller.
var ErrBadToken = fault.New(fault.Unauthenticated, "unauthenticated", "The bearer token is not accepted.")

// Trust is whom a Verifier believes.
type Trust struct {
	Issuer      string                      // exact value of iss
	Audience    string                      // what aud must contain
	Keys        map[string]crypto.PublicKey // by kid: ed25519.PublicKey, *ecdsa.PublicKey (P-256) or *rsa.PublicKey
	MaxLifetime time.Duration               // longest exp − iat that is accepted
	Now         func() time.Time            // nil = time.Now
}

// Verifier authenticates bearer tokens. Safe for concurrent use.
type Verifier struct {
	trust Trust
	keys  map[string]verifyingKey
	seen  *lru.Cache[[sha256.Size]byte, remembered]
}

type verifyingKey struct {
	alg      string
	verifier *gooidc.IDTokenVerifier
}

type remembered struct {
	principal command.Principal
	expiry    time.Time
}

// NewVerifier checks the trust given to it; each key is bound to the one
// algorithm of its kind.
func NewVerifier(t Trust) (*Verifier, error) {
	if t.Issuer == "" || t.Audience == "" || len(t.Keys) == 0 || t.MaxLifetime <= 0 {
		return nil, errors.New("oidc: issuer, audience, keys and the longest lifetime are required")
	}
	if t.Now == nil {
		t.Now = time.Now
	}
	seen, err := lru.New[[sha256.Size]byte, remembered](cacheEntries)
	if err != nil {
		return nil, fmt.Errorf("oidc: cache: %w", err)
	}
	v := &Verifier{trust: t, keys: make(map[string]verifyingKey, len(t.Keys)), seen: seen}
	for kid, key := range t.Keys {
		alg, err := algorithm(key)
		if err != nil {
			return nil, fmt.Errorf("oidc: key %q: %w", kid, err)
		}
		v.keys[kid] = verifyingKey{alg, gooidc.NewVerifier(t.Issuer,
			&gooidc.StaticKeySet{PublicKeys: []crypto.PublicKey{key}},
			&gooidc.Config{ClientID: t.Audience, SupportedSigningAlgs: []string{alg}, Now: t.Now})}
	}
	return v, nil
}

func algorithm(key crypto.PublicKey) (string, error) {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return gooidc.EdDSA, nil
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return gooidc.ES256, nil
		}
	case *rsa.PublicKey:
		if k.N.BitLen() >= 2048 {
			return gooidc.RS256, nil
		}
	}
	return "", fmt.Errorf("%T of this size or curve is not supported", key)
}

// Authenticate says whose token it is, or refuses with ErrBadToken.
func (v *Verifier) Authenticate(ctx context.Context, token string) (command.Principal, error) {
	if len(token) > maxTokenBytes {
		return command.Principal{}, ErrBadToken.Because(fmt.Errorf("%d bytes, more than %d", len(token), maxTokenBytes))
	}
	sum := sha256.Sum256([]byte(token))
	now := v.trust.Now()
	if r, ok := v.seen.Get(sum); ok {
		if now.Before(r.expiry) {
			return r.principal, nil
		}
		v.seen.Remove(sum)
	}
	r, err := v.verify(ctx, token, now)
	if err != nil {
		return command.Principal{}, ErrBadToken.Because(err)
	}
	v.seen.Add(sum, r)
	return r.principal, nil
}

func (v *Verifier) verify(ctx context.Context, token string, now time.Time) (remembered, error) {
	h, err := checkForm(token)
	if err != nil {
		return remembered{}, err
	}
	key, ok := v.keys[h.Kid]
	if !ok {
		return remembered{}, errors.New("kid names no key that is trusted here")
	}
	if h.Alg != key.alg {
		return remembered{}, fmt.Errorf("alg is not the %s of this key", key.alg)
	}
	id, err := key.verifier.Verify(ctx, token)
	if err != nil {
		return remembered{}, err
	}
	var payload json.RawMessage
	if err := id.Claims(&payload); err != nil {
		return remembered{}, fmt.Errorf("claims: %w", err)
	}
	if _, err := jcs.Transform(payload); err != nil {
		return remembered{}, fmt.Errorf("claims: %w", err)
	}
	r, err := decodeReceived(payload)
	if err != nil {
		return remembered{}, err
	}
	p, err := r.principal(v.trust.Issuer, now, id.Expiry, v.trust.MaxLifetime)
	if err != nil {
		return remembered{}, err
	}
	return remembered{p, id.Expiry}, nil
}

// header is all that a token's header may hold.
type header struct {
	Alg string `json:"alg"`
	Typ string `json:"typ"`
	Kid string `json:"kid"`
}

// checkForm reads the header of a token in compact form. It refuses members
// other than alg, typ and kid: jku, x5u, jwk and crit would let the token say
// how it wants to be believed.
func checkForm(token string) (header, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return header{}, errors.New("not three parts")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[0])
	if err != nil {
		return header{}, errors.New("the header is not base64url")
	}
	if _, err := jcs.Transform(raw); err != nil {
		return header{}, fmt.Errorf("header: %w", err)
	}
	var h map[string]json.RawMessage
	if err := json.Unmarshal(raw, &h); err != nil {
		return header{}, errors.New("the header is not an object")
	}
	var out header
	for name, value := range h {
		var member *string
		switch name {
		case "alg":
			member = &out.Alg
		case "typ":
			member = &out.Typ
		case "kid":
			member = &out.Kid
		default:
			return header{}, fmt.Errorf("header member %q is not allowed", name)
		}
		if err := json.Unmarshal(value, member); err != nil {
			return header{}, fmt.Errorf("header member %q is not text", name)
		}
	}
	if out.Typ != tokenType {
		return header{}, fmt.Errorf("typ is not %s", tokenType)
	}
	return out, nil
}
