package oidc

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
)

const (
	// DevIssuer and DevAudience are iss and aud of the development issuer.
	DevIssuer   = "https://issuer.strata.local"
	DevAudience = "strata"

	// MaxDevLifetime is the longest validity of a development token.
	MaxDevLifetime = time.Hour

	pemType = "PRIVATE KEY"
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
	key, err := loadOrCreate(o.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("development key: %w", err)
	}
	public := key.Public().(ed25519.PublicKey)
	sum := sha256.Sum256(public)
	kid := "dev-" + base64.RawURLEncoding.EncodeToString(sum[:9])
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
	return NewVerifier(Trust{
		Issuer: DevIssuer, Audience: DevAudience, MaxLifetime: MaxDevLifetime, Now: i.now,
		Keys: map[string]crypto.PublicKey{i.kid: i.public},
	})
}

func loadOrCreate(path string) (ed25519.PrivateKey, error) {
	if path == "" {
		return nil, errors.New("no file is named: set STRATA_DEV_KEY_FILE")
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, err
		}
	}
	return load(path)
}

// create puts a whole key there or nothing: a process killed halfway leaves no
// half key, and of two that start together one wins and both read its key.
func create(path string) (err error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	err = pem.Encode(f, &pem.Block{Type: pemType, Bytes: der})
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", f.Name(), err)
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func load(path string) (ed25519.PrivateKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %o: others can read it and be anyone. Run: chmod 600 %s", path, mode, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != pemType || len(rest) != 0 {
		return nil, fmt.Errorf("%s holds no single PEM block %q. Delete it to get a new key", path, pemType)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a %T, want an Ed25519 key", path, parsed)
	}
	return key, nil
}
