package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"slices"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
)

// keyName is what a token says about its key. Some issuers use one kid for keys
// of several kinds.
type keyName struct{ kid, alg string }

// verifyingKey checks the tokens of one key under the one algorithm it is for.
type verifyingKey struct {
	public   crypto.PublicKey
	verifier *gooidc.IDTokenVerifier
	ever     *gooidc.IDTokenVerifier // takes tokens that have expired: to say whose they were
}

func (c Config) verifyingKey(public crypto.PublicKey, alg string) verifyingKey {
	keys := &gooidc.StaticKeySet{PublicKeys: []crypto.PublicKey{public}}
	config := gooidc.Config{ClientID: c.Audience, SupportedSigningAlgs: []string{alg}, Now: c.Now}
	late := config
	late.SkipExpiryCheck = true
	return verifyingKey{public, gooidc.NewVerifier(c.Issuer, keys, &config), gooidc.NewVerifier(c.Issuer, keys, &late)}
}

// keySource finds the key of a name. ok = false: the issuer has no such key.
// An error is a fault: it cannot be told now.
type keySource interface {
	find(ctx context.Context, name keyName) (key verifyingKey, ok bool, err error)
}

// staticKeys are those of a Config.
type staticKeys map[keyName]verifyingKey

func newStaticKeys(c Config) (staticKeys, error) {
	keys := staticKeys{}
	for kid, public := range c.Keys {
		alg, err := c.algorithm(public, "")
		if err != nil {
			return nil, fmt.Errorf("oidc: key %q: %w", kid, err)
		}
		keys[keyName{kid, alg}] = c.verifyingKey(public, alg)
	}
	return keys, nil
}

func (s staticKeys) find(_ context.Context, name keyName) (verifyingKey, bool, error) {
	key, ok := s[name]
	return key, ok, nil
}

// algorithm binds a key to one of the allowed algorithms: to the stated one, or
// to the first of its kind.
func (c Config) algorithm(public crypto.PublicKey, stated string) (string, error) {
	var fit []string
	switch k := public.(type) {
	case ed25519.PublicKey:
		fit = []string{gooidc.EdDSA}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			fit = []string{gooidc.ES256}
		case elliptic.P384():
			fit = []string{gooidc.ES384}
		}
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits >= 2048 && bits <= 8192 { // larger ones cost a request too much
			fit = []string{gooidc.RS256, gooidc.PS256}
		}
	}
	for _, alg := range fit {
		if (stated == "" || stated == alg) && slices.Contains(c.Algorithms, alg) {
			return alg, nil
		}
	}
	return "", fmt.Errorf("%T of this size or curve, for algorithm %q, is not taken", public, stated)
}
