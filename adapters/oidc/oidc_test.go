package oidc_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/domain/fault"
)

const (
	kid   = "k1"
	other = "k2"
	iss   = "https://issuer.test"
	aud   = "strata"
)

// fixture is a verifier that trusts one key, whose clock a test moves.
type fixture struct {
	private  ed25519.PrivateKey
	verifier *oidc.Verifier
	now      time.Time
	org      string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{private: private, now: time.Now().Truncate(time.Second), org: uuid.NewString()}
	f.verifier, err = oidc.NewVerifier(oidc.Config{
		Issuer: iss, Audience: aud, MaxLifetime: time.Hour, OperatorClaim: "operator", Now: func() time.Time { return f.now },
		Keys: map[string]crypto.PublicKey{kid: public, other: &p256.PublicKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) header() map[string]any {
	return map[string]any{"alg": "EdDSA", "typ": "at+jwt", "kid": kid}
}

func (f *fixture) claims() map[string]any {
	return map[string]any{
		"iss": iss, "aud": aud, "sub": "anna", "org": f.org,
		"iat": f.now.Unix(), "exp": f.now.Add(time.Hour).Unix(), "auth_time": f.now.Add(-time.Minute).Unix(),
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	if raw, ok := v.(string); ok {
		return base64.RawURLEncoding.EncodeToString([]byte(raw))
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// sign makes a token of any header and claims (maps, or JSON text).
func (f *fixture) sign(t *testing.T, header, claims any) string {
	t.Helper()
	text := encode(t, header) + "." + encode(t, claims)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(f.private, []byte(text)))
}

func with(m map[string]any, pairs ...any) map[string]any {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(m, pairs[i].(string))
			continue
		}
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

func TestAGoodTokenSaysWhoItIs(t *testing.T) {
	f := newFixture(t)
	for range 2 { // the second time from memory
		p, err := f.verifier.Authenticate(t.Context(), f.sign(t, f.header(), f.claims()))
		if err != nil {
			t.Fatal(err)
		}
		if p.OrganizationID.String() != f.org || p.Subject != "anna" || p.Issuer != iss || p.Operator || !p.AuthAt.Equal(f.now.Add(-time.Minute)) {
			t.Errorf("%+v", p)
		}
	}
	for name, claims := range map[string]map[string]any{
		"audience in a list":  with(f.claims(), "aud", []string{"x", aud}),
		"without auth_time":   with(f.claims(), "auth_time", nil),
		"clock a bit ahead":   with(f.claims(), "iat", f.now.Add(50*time.Second).Unix()),
		"nbf within leeway":   with(f.claims(), "nbf", f.now.Add(50*time.Second).Unix()),
		"more claims":         with(f.claims(), "email", "anna@example.org"),
		"operator":            with(f.claims(), "operator", true, "org", nil),
		"expires this second": with(f.claims(), "exp", f.now.Add(time.Second).Unix()),
	} {
		if _, err := f.verifier.Authenticate(t.Context(), f.sign(t, f.header(), claims)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBadTokensAreRefused(t *testing.T) {
	f := newFixture(t)
	good := f.sign(t, f.header(), f.claims())
	parts := strings.Split(good, ".")
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	strangers := &fixture{private: stranger, now: f.now, org: f.org}
	strangersKey, err := json.Marshal(jose.JSONWebKey{Key: stranger.Public(), KeyID: kid})
	if err != nil {
		t.Fatal(err)
	}
	unsigned := func(header map[string]any) string { return encode(t, header) + "." + parts[1] + "." }
	hs := func(alg string, key []byte) string {
		text := encode(t, with(f.header(), "alg", alg)) + "." + parts[1]
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	flipped := []byte(parts[2])
	flipped[5] ^= 1
	claimsText := func(format string, a ...any) string {
		b, err := json.Marshal(f.claims())
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(string(b), "}") + fmt.Sprintf(format, a...) + "}"
	}
	bad := map[string]string{
		"empty":                        "",
		"garbage":                      "garbage",
		"two parts":                    parts[0] + "." + parts[1],
		"four parts":                   good + ".x",
		"five parts (JWE)":             good + ".x.y",
		"JSON serialization":           `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"too long":                     good + strings.Repeat("A", 9000),
		"alg none":                     unsigned(with(f.header(), "alg", "none")),
		"alg None":                     unsigned(with(f.header(), "alg", "None")),
		"no alg":                       unsigned(with(f.header(), "alg", nil)),
		"HS256 with the public key":    hs("HS256", f.private.Public().(ed25519.PublicKey)),
		"HS256 with an empty key":      hs("HS256", nil),
		"alg of another key":           f.sign(t, with(f.header(), "alg", "ES256"), f.claims()),
		"alg not text":                 f.sign(t, `{"alg":["EdDSA"],"typ":"at+jwt","kid":"k1"}`, f.claims()),
		"kid of another key":           f.sign(t, with(f.header(), "kid", other), f.claims()),
		"kid nobody knows":             f.sign(t, with(f.header(), "kid", "k9"), f.claims()),
		"kid is a path":                f.sign(t, with(f.header(), "kid", "../../../dev/null"), f.claims()),
		"kid is SQL":                   f.sign(t, with(f.header(), "kid", "k1' OR '1'='1"), f.claims()),
		"no kid":                       f.sign(t, with(f.header(), "kid", nil), f.claims()),
		"another key":                  strangers.sign(t, f.header(), f.claims()),
		"another key in jwk":           strangers.sign(t, with(f.header(), "jwk", json.RawMessage(strangersKey)), f.claims()),
		"jku":                          f.sign(t, with(f.header(), "jku", "https://evil.test/keys"), f.claims()),
		"x5u":                          f.sign(t, with(f.header(), "x5u", "https://evil.test/cert"), f.claims()),
		"crit":                         f.sign(t, with(f.header(), "crit", []string{"exp"}), f.claims()),
		"typ JWT":                      f.sign(t, with(f.header(), "typ", "JWT"), f.claims()),
		"no typ":                       f.sign(t, with(f.header(), "typ", nil), f.claims()),
		"duplicate alg":                f.sign(t, `{"alg":"EdDSA","alg":"none","typ":"at+jwt","kid":"k1"}`, f.claims()),
		"case variant of alg":          f.sign(t, `{"ALG":"EdDSA","typ":"at+jwt","kid":"k1"}`, f.claims()),
		"header is an array":           f.sign(t, `[]`, f.claims()),
		"signature cut":                parts[0] + "." + parts[1] + "." + parts[2][:20],
		"signature changed":            parts[0] + "." + parts[1] + "." + string(flipped),
		"no signature":                 parts[0] + "." + parts[1] + ".",
		"claims changed":               parts[0] + "." + encode(t, with(f.claims(), "sub", "eve")) + "." + parts[2],
		"claims are no object":         f.sign(t, f.header(), `"anna"`),
		"duplicate claim":              f.sign(t, f.header(), claimsText(`,"org":%q`, uuid.NewString())),
		"case variant of a claim":      f.sign(t, f.header(), claimsText(`,"ORG":%q`, uuid.NewString())),
		"wrong issuer":                 f.sign(t, f.header(), with(f.claims(), "iss", iss+"/")),
		"no issuer":                    f.sign(t, f.header(), with(f.claims(), "iss", nil)),
		"wrong audience":               f.sign(t, f.header(), with(f.claims(), "aud", "strata-admin")),
		"no audience":                  f.sign(t, f.header(), with(f.claims(), "aud", nil)),
		"expired":                      f.sign(t, f.header(), with(f.claims(), "exp", f.now.Add(-time.Second).Unix(), "iat", f.now.Add(-time.Minute).Unix())),
		"no expiry":                    f.sign(t, f.header(), with(f.claims(), "exp", nil)),
		"lives too long":               f.sign(t, f.header(), with(f.claims(), "exp", f.now.Add(2*time.Hour).Unix())),
		"never expires":                f.sign(t, f.header(), with(f.claims(), "exp", int64(1)<<60)),
		"issued in the future":         f.sign(t, f.header(), with(f.claims(), "iat", f.now.Add(2*time.Minute).Unix())),
		"no iat":                       f.sign(t, f.header(), with(f.claims(), "iat", nil)),
		"not yet valid":                f.sign(t, f.header(), with(f.claims(), "nbf", f.now.Add(2*time.Minute).Unix())),
		"signed in in the future":      f.sign(t, f.header(), with(f.claims(), "auth_time", f.now.Add(2*time.Minute).Unix())),
		"no subject":                   f.sign(t, f.header(), with(f.claims(), "sub", nil)),
		"subject with a line":          f.sign(t, f.header(), with(f.claims(), "sub", "anna\nroot")),
		"long subject":                 f.sign(t, f.header(), with(f.claims(), "sub", strings.Repeat("a", 256))),
		"no organization":              f.sign(t, f.header(), with(f.claims(), "org", nil)),
		"organization of another form": f.sign(t, f.header(), with(f.claims(), "org", "{"+f.org+"}")),
		"nil organization":             f.sign(t, f.header(), with(f.claims(), "org", uuid.Nil.String())),
		"operator of an organization":  f.sign(t, f.header(), with(f.claims(), "operator", true)),
		"operator as text":             f.sign(t, f.header(), with(f.claims(), "operator", "true", "org", nil)),
	}
	for name, token := range bad {
		t.Run(name, func(t *testing.T) {
			p, err := f.verifier.Authenticate(t.Context(), token)
			if !errors.Is(err, oidc.ErrBadToken) {
				t.Fatalf("%+v, %v", p, err)
			}
			if refused, _ := errors.AsType[*fault.Fault](err); refused.Kind != fault.Unauthenticated || refused.Detail != "" {
				t.Errorf("the caller would learn why: %+v", refused)
			}
		})
	}
	if _, err := f.verifier.Authenticate(t.Context(), good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestARememberedTokenExpires(t *testing.T) {
	f := newFixture(t)
	token := f.sign(t, f.header(), f.claims())
	if _, err := f.verifier.Authenticate(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(time.Hour - time.Second)
	if _, err := f.verifier.Authenticate(t.Context(), token); err != nil {
		t.Errorf("a second before its end: %v", err)
	}
	f.now = f.now.Add(2 * time.Second)
	if _, err := f.verifier.Authenticate(t.Context(), token); !errors.Is(err, oidc.ErrBadToken) {
		t.Errorf("a second after its end: %v", err)
	}
}

func TestTheDevelopmentIssuer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "key.pem")
	issuer, err := oidc.Open(oidc.Options{Env: "development", KeyFile: path})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	org := uuid.New()
	token, err := issuer.Issue(oidc.Claims{Organization: org, Subject: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	// After a restart, tokens issued before are still good.
	again, err := oidc.Open(oidc.Options{Env: "development", KeyFile: path})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := again.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	p, err := verifier.Authenticate(t.Context(), token)
	if err != nil || p.OrganizationID != org || p.Issuer != oidc.DevIssuer || time.Since(p.AuthAt) > time.Minute {
		t.Errorf("%+v, %v", p, err)
	}
	for name, c := range map[string]oidc.Claims{
		"too long":                 {Organization: org, Subject: "anna", Lifetime: 61 * time.Minute},
		"negative":                 {Organization: org, Subject: "anna", Lifetime: -1},
		"nobody":                   {Organization: org},
		"no organization":          {Subject: "anna"},
		"operator of organization": {Organization: org, Subject: "anna", Operator: true},
	} {
		if token, err := issuer.Issue(c); err == nil {
			t.Errorf("%s: issued %s", name, token)
		}
	}
}

func TestTheDevelopmentIssuerIsRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	production := filepath.Join(dir, "production")
	for name, c := range map[string]struct {
		options oidc.Options
		says    string
	}{
		"production":    {oidc.Options{Env: "production", KeyFile: production}, "STRATA_ENV=production"},
		"no file":       {oidc.Options{}, "STRATA_DEV_KEY_FILE"},
		"open to all":   {oidc.Options{KeyFile: write("open", "", 0o644)}, "chmod 600"},
		"damaged":       {oidc.Options{KeyFile: write("damaged", "x", 0o600)}, "PEM blocks"},
		"not a key":     {oidc.Options{KeyFile: write("pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0o600)}, "asn1"},
		"a folder":      {oidc.Options{KeyFile: dir}, "mode"},
		"nowhere to be": {oidc.Options{KeyFile: filepath.Join(dir, "open", "key")}, "not a directory"},
	} {
		if _, err := oidc.Open(c.options); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want a word about %q", name, err, c.says)
		}
	}
	if _, err := os.Stat(production); err == nil {
		t.Error("a key was made in production")
	}
}

func TestTwoThatStartTogetherShareTheKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	issuers := make([]*oidc.Issuer, 8)
	var wg sync.WaitGroup
	for i := range issuers {
		wg.Go(func() {
			issuer, err := oidc.Open(oidc.Options{KeyFile: path})
			if err != nil {
				t.Error(err)
			}
			issuers[i] = issuer
		})
	}
	wg.Wait()
	verifier, err := issuers[0].Verifier()
	if err != nil {
		t.Fatal(err)
	}
	for _, issuer := range issuers {
		token, err := issuer.Issue(oidc.Claims{Operator: true, Subject: "root"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verifier.Authenticate(t.Context(), token); err != nil {
			t.Error(err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".key-*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	issuer, err := oidc.Open(oidc.Options{KeyFile: filepath.Join(b.TempDir(), "key")})
	if err != nil {
		b.Fatal(err)
	}
	verifier, err := issuer.Verifier()
	if err != nil {
		b.Fatal(err)
	}
	token, err := issuer.Issue(oidc.Claims{Organization: uuid.New(), Subject: "anna"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := verifier.Authenticate(context.Background(), token); err != nil {
			b.Fatal(err)
		}
	}
}
