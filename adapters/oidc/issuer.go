package oidc

import (
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/internal/keyfile"
)

const (
	// DevIssuer and DevAudience are iss and aud of the development issuer.
	DevIssuer   = "https://issuer.strata.local"
	DevAudience = "strata"

	// MaxDevLifetime is the longest validity of a development token.
	MaxDevLifetime = time.Hour
)

// ErrProduction: the development issuer was asked for in production.
var ErrProduction = errors.New("the development issuer is refused when STRATA_ENV=production: " +
	"whoever reads its key file can be anyone. Configure an OpenID Connect issuer, or set STRATA_ENV=development on a machine of your own")

// Options configure the development issuer.
type Options struct {
	Env     string           // STRATA_ENV; "production" is refused
	KeyFile string           // created with mode 0600 if it is not there
	Now     func() time.Time // nil = time.Now
}

// Issuer issues tokens for development and tests. Safe for concurrent use.
type Issuer struct {
	public ed25519.PublicKey
	kid    string
	signer jose.Signer
	now    func() time.Time
}

// Claims are what a token is to say.
type Claims struct {
	Organization uuid.UUID     // whose member the subject is; zero for operators
	Subject      string        // the member's subject at this issuer
	Operator     bool          // may register organizations; belongs to none
	Lifetime     time.Duration // 0 = MaxDevLifetime, more is refused
	AuthAt       time.Time     // when the subject signed in; zero = now
}

// Open reads the key file, or creates it. Errors say what to do about them.
func Open(o Options) (*Issuer, error) {
	if o.Env == "production" {
		return nil, ErrProduction
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	key, err := open(o.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("development key: %w", err)
	}
	public := key.Public().(ed25519.PublicKey)
	kid := "dev-" + keyfile.ID(public)
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: key, KeyID: kid}},
		(&jose.SignerOptions{}).WithType(tokenType))
	if err != nil {
		return nil, fmt.Errorf("development key: signer: %w", err)
	}
	return &Issuer{public: public, kid: kid, signer: signer, now: o.Now}, nil
}

// Issue makes a token.
func (i *Issuer) Issue(c Claims) (string, error) {
	switch {
	case c.Lifetime == 0:
		c.Lifetime = MaxDevLifetime
	case c.Lifetime < 0 || c.Lifetime > MaxDevLifetime:
		return "", fmt.Errorf("a development token lives at most %s, not %s", MaxDevLifetime, c.Lifetime)
	}
	if err := checkSubject(c.Subject); err != nil {
		return "", err
	}
	if c.Operator != (c.Organization == uuid.Nil) {
		return "", errors.New("a token is either an operator's or names one organization")
	}
	now := i.now().UTC().Truncate(time.Second)
	if c.AuthAt.IsZero() {
		c.AuthAt = now
	}
	authTime := numericDate(c.AuthAt.Unix())
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("token id: %w", err)
	}
	body := claims{
		Issuer: DevIssuer, Subject: c.Subject, Audience: DevAudience,
		Expiry: numericDate(now.Add(c.Lifetime).Unix()), IssuedAt: numericDate(now.Unix()), AuthTime: &authTime,
		ID: id.String(), Operator: c.Operator,
	}
	if !c.Operator {
		body.Organization = c.Organization.String()
	}
	payload, err := json.Marshal(body)
	if err != nil {
		return "", fmt.Errorf("claims: %w", err)
	}
	signed, err := i.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return signed.CompactSerialize()
}

// Verifier believes this issuer and nobody else.
func (i *Issuer) Verifier() (*Verifier, error) {
	return NewVerifier(i.Config())
}

// Config is this issuer as a Verifier takes it, beside others.
func (i *Issuer) Config() Config {
	return Config{
		Issuer: DevIssuer, Audience: DevAudience, MaxLifetime: MaxDevLifetime, OperatorClaim: claimOperate, Now: i.now,
		Keys: map[string]crypto.PublicKey{i.kid: i.public},
	}
}

// open reads the one key of the file, or makes it.
func open(path string) (ed25519.PrivateKey, error) {
	if path == "" {
		return nil, errors.New("no file is named: set STRATA_DEV_KEY_FILE")
	}
	if err := keyfile.Create(path); err != nil {
		return nil, err
	}
	keys, err := keyfile.Read(path)
	if err != nil {
		return nil, err
	}
	if len(keys) != 1 {
		return nil, fmt.Errorf("%s holds %d keys, want one. Delete it to get a new one", path, len(keys))
	}
	return keys[0], nil
}
