// Package issuertest is an OpenID Connect issuer in the test's own process, over
// TLS: discovery, keys that a test rotates, failures that it orders, and tokens
// of any header and claims, good or not.
package issuertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"strata.dev/strata/adapters/oidc"
)

// Audience is the service that Config takes tokens for.
const Audience = "strata-test"

// Issuer is the server and its keys. Safe for concurrent use.
type Issuer struct {
	t      testing.TB
	server *httptest.Server

	mu        sync.Mutex
	keys      map[string]crypto.Signer // published, by kid
	discovery func(w http.ResponseWriter, r *http.Request)
	jwks      func(w http.ResponseWriter, r *http.Request)
	asked     int // for keys
}

// New starts an issuer, stopped when the test ends, that has published no key.
func New(t testing.TB) *Issuer {
	t.Helper()
	i := &Issuer{t: t, keys: map[string]crypto.Signer{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		answer := i.discovery
		i.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		i.JSON(w, map[string]any{"issuer": i.URL(), "jwks_uri": i.URL() + "/keys", "id_token_signing_alg_values_supported": []string{"none", "HS256"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		i.asked++
		answer := i.jwks
		i.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		i.JSON(w, i.Published())
	})
	i.server = httptest.NewTLSServer(mux)
	t.Cleanup(i.server.Close)
	return i
}

// URL is the issuer's iss.
func (i *Issuer) URL() string { return i.server.URL }

// Config believes this issuer, through its own certificate.
func (i *Issuer) Config() oidc.Config {
	client := oidc.NewClient(nil)
	client.Transport = i.server.Client().Transport
	return oidc.Config{Issuer: i.URL(), Audience: Audience, OperatorClaim: "strata_operator", Client: client}
}

// Answer replaces what discovery and keys are answered with; nil = the truth.
func (i *Issuer) Answer(discovery, jwks http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.discovery, i.jwks = discovery, jwks
}

// Down is an answer of a server that has more than enough of it.
func Down(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "out of order", http.StatusBadGateway)
}

// Asked says how often keys were asked for.
func (i *Issuer) Asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// Publish adds a new key for alg under kid.
func (i *Issuer) Publish(kid, alg string) crypto.Signer {
	i.t.Helper()
	key := NewKey(i.t, alg)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys[kid] = key
	return key
}

// Withdraw publishes the key no more.
func (i *Issuer) Withdraw(kid string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.keys, kid)
}

// NewKey makes a key for EdDSA, ES256, ES384 or RS256.
func NewKey(t testing.TB, alg string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch alg {
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "RS256", "PS256":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		err = fmt.Errorf("no keys for %s", alg)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Published is the set of keys as it is served.
func (i *Issuer) Published() jose.JSONWebKeySet {
	i.mu.Lock()
	defer i.mu.Unlock()
	var set jose.JSONWebKeySet
	for kid, key := range i.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: "sig"})
	}
	return set
}

// JSON answers with v.
func (i *Issuer) JSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		i.t.Errorf("issuer: %v", err)
	}
}

// Encode is one part of a token: a JSON text as it is, or v as JSON.
func Encode(t testing.TB, v any) string {
	t.Helper()
	text, ok := v.(string)
	if !ok {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// Sign makes a token of any header and claims (maps, or JSON text) by hand, so
// that no library keeps it from being a bad one. The signature is of the key's
// own algorithm, whatever the header says.
func Sign(t testing.TB, key crypto.Signer, header, claims any) string {
	t.Helper()
	text := Encode(t, header) + "." + Encode(t, claims)
	var signature []byte
	var err error
	sum := sha256.Sum256([]byte(text))
	switch k := key.(type) {
	case ed25519.PrivateKey:
		signature = ed25519.Sign(k, []byte(text))
	case *ecdsa.PrivateKey:
		r, s, e := ecdsa.Sign(rand.Reader, k, sum[:])
		signature, err = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), e
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, sum[:])
	default:
		err = fmt.Errorf("no signature with %T", key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}
