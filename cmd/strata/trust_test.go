package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/oidc"
)

// issuer publishes one key, over TLS with a certificate of its own authority.
type issuer struct {
	url, authority string // authority: a file
	key            ed25519.PrivateKey
}

func newOIDC(t *testing.T) issuer {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q,"authorization_endpoint":"https://x","response_types_supported":["code"],`+
			`"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["EdDSA"]}`, server.URL, server.URL+"/keys")
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: "k1", Algorithm: "EdDSA", Use: "sig"}}}
		if err := json.NewEncoder(w).Encode(set); err != nil {
			t.Error(err)
		}
	})
	authority := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return issuer{server.URL, authority, private}
}

func (i issuer) token(t *testing.T, organization uuid.UUID) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: i.key, KeyID: "k1"}}, (&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Unix()
	claims, err := json.Marshal(map[string]any{
		"iss": i.url, "aud": "strata-api", "sub": "alice", "iat": now, "exp": now + 600, "auth_time": now, "tenant": organization.String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// The settings reach the verifier: in production it believes the issuer they
// name and nobody else, in development the development issuer, too.
func TestWhoseTokensAreBelieved(t *testing.T) {
	outside, organization := newOIDC(t), uuid.New()
	keyFile := filepath.Join(t.TempDir(), "issuer.key")
	inside, err := oidc.Open(oidc.Options{Env: development, KeyFile: keyFile})
	if err != nil {
		t.Fatal(err)
	}
	dev, err := inside.Issue(oidc.Claims{Organization: organization, Subject: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	configured := []string{
		"STRATA_OIDC_ISSUER=" + outside.url, "STRATA_OIDC_AUDIENCE=strata-api", "STRATA_OIDC_ORGANIZATION_CLAIM=tenant",
		"STRATA_OIDC_CA_FILE=" + outside.authority, "STRATA_DEV_KEY_FILE=" + keyFile,
	}
	for _, c := range []struct {
		name            string
		environ         []string
		outside, inside bool
	}{
		{"production", configured, true, false},
		{"development", append(configured, "STRATA_ENV=development"), true, true},
		{"development without an issuer", []string{"STRATA_ENV=development", "STRATA_DEV_KEY_FILE=" + keyFile}, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, err := loadConfig(c.environ)
			if err != nil {
				t.Fatal(err)
			}
			verifier, err := openVerifier(cfg, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			for token, believed := range map[string]bool{outside.token(t, organization): c.outside, dev: c.inside} {
				who, err := verifier.Authenticate(t.Context(), token)
				if (err == nil) != believed || believed && (who.Subject != "alice" || who.OrganizationID != organization) {
					t.Errorf("%+v, %v; want believed: %t", who, err, believed)
				}
			}
		})
	}
}

func TestIssuerSettingsThatCannotBe(t *testing.T) {
	noCertificate := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(noCertificate, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	for says, environ := range map[string][]string{
		"STRATA_OIDC_ISSUER not set": nil,
		"audience":                   {"STRATA_OIDC_ISSUER=https://issuer.example"},
		"STRATA_OIDC_CA_FILE: open /does/not/exist": {"STRATA_OIDC_ISSUER=https://issuer.example", "STRATA_OIDC_AUDIENCE=x", "STRATA_OIDC_CA_FILE=/does/not/exist"},
		noCertificate + " holds no certificate":     {"STRATA_OIDC_ISSUER=https://issuer.example", "STRATA_OIDC_AUDIENCE=x", "STRATA_OIDC_CA_FILE=" + noCertificate},
		"STRATA_OIDC_*: ":                           {"STRATA_OIDC_ISSUER=http://issuer.example", "STRATA_OIDC_AUDIENCE=x"},
		"algorithm \"none\"":                        {"STRATA_OIDC_ISSUER=https://x", "STRATA_OIDC_AUDIENCE=x", "STRATA_OIDC_ALGORITHMS=none"},
	} {
		cfg, err := loadConfig(environ)
		if err != nil {
			t.Fatal(err)
		}
		var usage usageError
		if _, err := openVerifier(cfg, slog.New(slog.DiscardHandler)); !errors.As(err, &usage) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %v, want a usage error that says %q", environ, err, says)
		}
	}
}

// The key for second persons is made in development only: in production every
// instance must have the same.
func TestCountersignKey(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	open := func(environ ...string) (configured bool, err error) {
		log.Reset()
		cfg, err := loadConfig(environ)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := openCountersigner(t.Context(), cfg, slog.New(slog.NewTextHandler(&log, nil)))
		return err == nil && signer.Configured(), err
	}
	if configured, err := open("STRATA_ENV=development", "STRATA_DEV_KEY_FILE="+filepath.Join(dir, "issuer.key")); !configured {
		t.Errorf("development has no key: %v", err)
	}
	made := filepath.Join(dir, "countersign.key")
	if st, err := os.Stat(made); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	if configured, err := open("STRATA_COUNTERSIGN_KEY_FILE=" + made); !configured {
		t.Errorf("production does not take the key: %v", err)
	}
	if configured, err := open(); configured || err != nil || !strings.Contains(log.String(), "STRATA_COUNTERSIGN_KEY_FILE") {
		t.Errorf("production without a key: %t, %v, said %q", configured, err, log.String())
	}
	var usage usageError
	if _, err := open("STRATA_COUNTERSIGN_KEY_FILE=" + filepath.Join(dir, "other.key")); !errors.As(err, &usage) {
		t.Errorf("production with a key that is not there: %v", err)
	}
}
