package oidc_test

import (
	"bytes"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/adapters/oidc/issuertest"
	"strata.dev/strata/tests/testenv"
)

// outside is a verifier of an issuer that publishes its keys, with the clock in
// the test's hand.
type outside struct {
	t        *testing.T
	issuer   *issuertest.Issuer
	verifier *oidc.Verifier
	log      *bytes.Buffer // read it only when no fetch is under way

	mu  sync.Mutex
	now time.Time
}

func newOutside(t *testing.T, change ...func(*oidc.Config)) *outside {
	t.Helper()
	o := &outside{t: t, issuer: issuertest.New(t), log: &bytes.Buffer{}, now: time.Now().Truncate(time.Second)}
	config := o.issuer.Config()
	config.Now, config.Log = o.time, slog.New(slog.NewTextHandler(o.log, nil))
	for _, c := range change {
		c(&config)
	}
	var err error
	if o.verifier, err = oidc.NewVerifier(config); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *outside) time() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

func (o *outside) pass(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
}

func (o *outside) claims(pairs ...any) map[string]any {
	now := o.time()
	return with(map[string]any{
		"iss": o.issuer.URL(), "aud": issuertest.Audience, "sub": "anna", "org": "0198c0de-0000-7000-8000-00000000000a",
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "auth_time": now.Unix(),
	}, pairs...)
}

// token is a new one each time: none is answered from memory.
func (o *outside) token(key crypto.Signer, kid, alg string, pairs ...any) string {
	return issuertest.Sign(o.t, key, map[string]any{"alg": alg, "typ": "at+jwt", "kid": kid}, o.claims(append(pairs, "jti", uuid.NewString())...))
}

func (o *outside) want(token string, want error) {
	o.t.Helper()
	p, err := o.verifier.Authenticate(o.t.Context(), token)
	if !errors.Is(err, want) {
		o.t.Fatalf("got %v, want %v", err, want)
	}
	if err == nil && (p.Subject != "anna" || p.Issuer != o.issuer.URL() || p.AuthMethod != "oidc" || p.OrganizationID == uuid.Nil || p.AuthAt.IsZero()) {
		o.t.Fatalf("%+v", p)
	}
}

func TestKeysAreDiscoveredAndFollowed(t *testing.T) {
	o := newOutside(t)
	for kid, alg := range map[string]string{"e": "EdDSA", "p": "ES256", "r": "RS256"} {
		key := o.issuer.Publish(kid, alg)
		defer func() { o.want(o.token(key, kid, alg), nil) }()
	}
	second := o.issuer.Publish("second", "EdDSA")
	o.want(o.token(second, "second", "EdDSA"), nil)
	if o.issuer.Asked() != 1 {
		t.Fatalf("keys were asked for %d times", o.issuer.Asked())
	}

	// A new key is found by the first token of it, once a minute has passed.
	third := o.issuer.Publish("third", "ES256")
	o.pass(59 * time.Second)
	o.want(o.token(third, "third", "ES256"), oidc.ErrBadToken)
	o.pass(2 * time.Second)
	o.want(o.token(third, "third", "ES256"), nil)
	if o.issuer.Asked() != 2 {
		t.Errorf("keys were asked for %d times", o.issuer.Asked())
	}

	// One that is withdrawn ends with the refresh, also for tokens that are remembered.
	remembered := o.token(second, "second", "EdDSA", "exp", o.time().Add(time.Hour).Unix())
	o.want(remembered, nil)
	o.issuer.Withdraw("second")
	o.pass(16 * time.Minute)
	o.want(o.token(third, "third", "ES256"), nil) // starts the refresh
	testenv.Eventually(t, 5*time.Second, "the key is gone", func() error {
		if _, err := o.verifier.Authenticate(t.Context(), remembered); !errors.Is(err, oidc.ErrBadToken) {
			return fmt.Errorf("got %w", err)
		}
		return nil
	})
	o.want(o.token(third, "third", "ES256"), nil)
}

func TestUnknownKeysAreNoFlood(t *testing.T) {
	o := newOutside(t)
	key := o.issuer.Publish("k", "EdDSA")
	const clients = 64
	tokens := make([]string, clients)
	for i := range tokens {
		tokens[i] = o.token(key, "k", "EdDSA")
	}
	var wg sync.WaitGroup
	for _, token := range tokens { // together, with no key known yet
		wg.Go(func() {
			if _, err := o.verifier.Authenticate(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := o.issuer.Asked(); n != 1 {
		t.Errorf("%d clients made it ask for keys %d times", clients, n)
	}
	for i := range 300 {
		o.want(o.token(key, fmt.Sprint("k", i), "EdDSA"), oidc.ErrBadToken)
		o.pass(time.Second)
	}
	if n := o.issuer.Asked(); n != 5 { // at 0 s, then after each whole minute
		t.Errorf("unknown keys for 300 s made it ask %d times", n)
	}
	o.want(o.token(key, "k", "EdDSA"), nil)
}

func TestAnIssuerThatIsDownAtTheStart(t *testing.T) {
	o := newOutside(t)
	key := o.issuer.Publish("k", "EdDSA")
	o.issuer.Answer(issuertest.Down, nil)
	if err := o.verifier.Warm(t.Context()); err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("Warm: %v", err)
	}
	for range 50 {
		o.want(o.token(key, "k", "EdDSA"), oidc.ErrUnavailable)
	}
	if err := o.verifier.Status(); err == nil || !strings.Contains(err.Error(), "no keys of "+o.issuer.URL()) {
		t.Errorf("Status: %v", err)
	}
	// It heals by itself, a second after the issuer does.
	o.issuer.Answer(nil, nil)
	o.want(o.token(key, "k", "EdDSA"), oidc.ErrUnavailable)
	o.pass(time.Second)
	o.want(o.token(key, "k", "EdDSA"), nil)
	if err := o.verifier.Status(); err != nil {
		t.Errorf("Status: %v", err)
	}
	if log := o.log.String(); strings.Count(log, "cannot be fetched") != 1 || strings.Count(log, "were fetched") != 1 {
		t.Errorf("the log says\n%s", log)
	}
}

func TestAnIssuerThatGoesDownLater(t *testing.T) {
	o := newOutside(t)
	key := o.issuer.Publish("k", "EdDSA")
	o.want(o.token(key, "k", "EdDSA"), nil)
	o.issuer.Answer(nil, issuertest.Down)
	for range 23 {
		o.pass(time.Hour)
		o.want(o.token(key, "k", "EdDSA"), nil)
		testenv.Eventually(t, 5*time.Second, "the refresh failed", o.failing)
		o.want(o.token(key, "other", "EdDSA"), oidc.ErrBadToken)
	}
	o.pass(2 * time.Hour) // nobody has confirmed the keys for a day
	o.want(o.token(key, "k", "EdDSA"), oidc.ErrUnavailable)
	o.issuer.Answer(nil, nil)
	o.pass(time.Second)
	o.want(o.token(key, "k", "EdDSA"), nil)
}

func (o *outside) failing() error {
	if o.verifier.Status() == nil {
		return errors.New("nothing is wrong")
	}
	return nil
}

func TestHostileDiscoveryIsNotFollowed(t *testing.T) {
	elsewhere := issuertest.New(t)
	elsewhere.Publish("k", "EdDSA")
	metadata := func(o *outside, name string, value any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			o.issuer.JSON(w, with(map[string]any{"issuer": o.issuer.URL(), "jwks_uri": o.issuer.URL() + "/keys"}, name, value))
		}
	}
	keys := func(o *outside, keys ...any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { o.issuer.JSON(w, map[string]any{"keys": keys}) }
	}
	for name, answers := range map[string]func(o *outside) (discovery, jwks http.HandlerFunc){
		"another issuer":     func(o *outside) (d, j http.HandlerFunc) { return metadata(o, "issuer", elsewhere.URL()), nil },
		"a slash more":       func(o *outside) (d, j http.HandlerFunc) { return metadata(o, "issuer", o.issuer.URL()+"/"), nil },
		"keys without TLS":   func(o *outside) (d, j http.HandlerFunc) { return metadata(o, "jwks_uri", "http://127.0.0.1/keys"), nil },
		"keys in a file":     func(o *outside) (d, j http.HandlerFunc) { return metadata(o, "jwks_uri", "file:///etc/passwd"), nil },
		"no keys' address":   func(o *outside) (d, j http.HandlerFunc) { return metadata(o, "jwks_uri", nil), nil },
		"a redirect":         func(o *outside) (d, j http.HandlerFunc) { return redirect(elsewhere.URL()), nil },
		"a redirect of keys": func(o *outside) (d, j http.HandlerFunc) { return nil, redirect(elsewhere.URL() + "/keys") },
		"no JSON":            func(o *outside) (d, j http.HandlerFunc) { return text("<html>"), nil },
		"keys are no JSON":   func(o *outside) (d, j http.HandlerFunc) { return nil, text("<html>") },
		"no keys":            func(o *outside) (d, j http.HandlerFunc) { return nil, keys(o) },
		"a symmetric key": func(o *outside) (d, j http.HandlerFunc) {
			return nil, keys(o, jose.JSONWebKey{Key: []byte("secret"), KeyID: "k"})
		},
		"an encryption key": func(o *outside) (d, j http.HandlerFunc) { return nil, keys(o, with(o.jwk("k"), "use", "enc")) },
		"a key without kid": func(o *outside) (d, j http.HandlerFunc) { return nil, keys(o, with(o.jwk("k"), "kid", nil)) },
		"an alg of others":  func(o *outside) (d, j http.HandlerFunc) { return nil, keys(o, with(o.jwk("k"), "alg", "RS256")) },
		"a private key": func(o *outside) (d, j http.HandlerFunc) {
			return nil, keys(o, jose.JSONWebKey{Key: issuertest.NewKey(t, "EdDSA"), KeyID: "k"})
		},
		"one kid twice": func(o *outside) (d, j http.HandlerFunc) { return nil, keys(o, o.jwk("k"), o.jwk("k")) },
		"a thousand keys": func(o *outside) (d, j http.HandlerFunc) {
			many := make([]any, 1000)
			for i := range many {
				many[i] = with(o.jwk("k"), "kid", fmt.Sprint(i))
			}
			return nil, keys(o, many...)
		},
		"without end": func(*outside) (d, j http.HandlerFunc) { return nil, endless },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOutside(t)
			key := o.issuer.Publish("k", "EdDSA")
			o.issuer.Answer(answers(o))
			o.want(o.token(key, "k", "EdDSA"), oidc.ErrUnavailable)
			if log := o.log.String(); len(log) > 2000 || !strings.Contains(log, "err=") {
				t.Errorf("the log says, in %d bytes, %.2000s", len(log), log)
			}
			o.issuer.Answer(nil, nil)
			o.pass(time.Second)
			o.want(o.token(key, "k", "EdDSA"), nil)
		})
	}
}

// jwk is the published key as a map.
func (o *outside) jwk(kid string) map[string]any {
	for _, key := range o.issuer.Published().Keys {
		if key.KeyID != kid {
			continue
		}
		b, err := json.Marshal(key)
		if err != nil {
			o.t.Error(err)
		}
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			o.t.Error(err)
		}
		return m
	}
	return nil
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(s)) }
}

// endless answers until nobody listens any more.
func endless(w http.ResponseWriter, _ *http.Request) {
	for chunk := bytes.Repeat([]byte(" "), 64<<10); ; {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func TestUnusableKeysDoNotHideTheOthers(t *testing.T) {
	o := newOutside(t)
	key := o.issuer.Publish("k", "EdDSA")
	o.issuer.Answer(nil, func(w http.ResponseWriter, _ *http.Request) {
		o.issuer.JSON(w, map[string]any{"keys": []any{
			map[string]any{"kty": "AKP", "kid": "k"}, "nonsense", nil, jose.JSONWebKey{Key: []byte("secret"), KeyID: "k"}, o.jwk("k"),
		}})
	})
	o.want(o.token(key, "k", "EdDSA"), nil)
}

func TestWhatAnInstallationConfigures(t *testing.T) {
	o := newOutside(t, func(c *oidc.Config) {
		c.OrganizationClaim, c.AuthorizedParties = "https://strata.test/organization", []string{"console", "etl"}
		c.TokenTypes, c.Algorithms, c.Leeway = []string{"at+jwt", "JWT"}, []string{"ES256", "ES384"}, 5*time.Second
	})
	edwards, p256 := o.issuer.Publish("e", "EdDSA"), o.issuer.Publish("p", "ES256")
	org := o.claims()["org"]
	good := []any{"org", nil, "https://strata.test/organization", org, "azp", "console"}
	typed := func(typ any, pairs ...any) string {
		header := with(map[string]any{"alg": "ES256", "kid": "p", "x5t": "AAAA"}, "typ", typ)
		return issuertest.Sign(t, p256, header, o.claims(append(slices.Clone(good), pairs...)...))
	}
	sign := func(pairs ...any) string { return typed("JWT", pairs...) }
	o.want(sign(), nil)
	o.want(typed("application/at+jwt"), nil)
	o.want(sign("azp", nil, "client_id", "etl"), nil)
	o.want(sign("aud", []string{"other", issuertest.Audience}), nil)
	for name, token := range map[string]string{
		"an algorithm not allowed": o.token(edwards, "e", "EdDSA", good...),
		"another type":             typed("logout+jwt"),
		"no type":                  typed(nil),
		"another client":           sign("azp", "game"),
		"two clients, one foreign": sign("client_id", "game"),
		"no client":                sign("azp", nil),
		"the usual claim":          sign("org", org, "https://strata.test/organization", nil),
		"a variant of the claim":   sign("https://strata.test/Organization", uuid.NewString()),
		"a list of organizations":  sign("https://strata.test/organization", []any{org}),
		"beyond the leeway":        sign("iat", o.time().Add(10*time.Second).Unix()),
		"operator by another name": sign("operator", true, "https://strata.test/organization", nil),
	} {
		p, err := o.verifier.Authenticate(t.Context(), token)
		if !errors.Is(err, oidc.ErrBadToken) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	p, err := o.verifier.Authenticate(t.Context(), sign("strata_operator", true, "https://strata.test/organization", nil))
	if err != nil || !p.Operator || p.OrganizationID != uuid.Nil {
		t.Errorf("the operator: %+v, %v", p, err)
	}
}

// Two issuers side by side: each is believed about its own tokens only.
func TestIssuersDoNotVouchForEachOther(t *testing.T) {
	one, other := newOutside(t), newOutside(t)
	key, foreign := one.issuer.Publish("k", "EdDSA"), other.issuer.Publish("k", "EdDSA")
	a, b := one.issuer.Config(), other.issuer.Config()
	b.OperatorClaim = ""
	verifier, err := oidc.NewVerifier(a, b)
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]any{"alg": "EdDSA", "typ": "at+jwt", "kid": "k"}
	for name, c := range map[string]struct {
		token string
		want  string // the issuer; "" = refused
	}{
		"the one's own":               {issuertest.Sign(t, key, header, one.claims()), one.issuer.URL()},
		"the other's own":             {issuertest.Sign(t, foreign, header, other.claims()), other.issuer.URL()},
		"the other's key for the one": {issuertest.Sign(t, foreign, header, one.claims()), ""},
		"nobody's":                    {issuertest.Sign(t, key, header, one.claims("iss", "https://issuer.test")), ""},
		"the development issuer's":    {issuertest.Sign(t, key, header, one.claims("iss", oidc.DevIssuer)), ""},
		"an operator of the one":      {issuertest.Sign(t, key, header, one.claims("strata_operator", true, "org", nil)), one.issuer.URL()},
		"an operator of the other":    {issuertest.Sign(t, foreign, header, other.claims("strata_operator", true, "org", nil)), ""},
	} {
		p, err := verifier.Authenticate(t.Context(), c.token)
		if p.Issuer != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestUnfitConfigurationsAreRefused(t *testing.T) {
	good := oidc.Config{Issuer: "https://issuer.test", Audience: "strata"}
	for name, c := range map[string]struct {
		change func(*oidc.Config)
		says   string
	}{
		"no audience":    {func(c *oidc.Config) { c.Audience = "" }, "audience"},
		"no TLS":         {func(c *oidc.Config) { c.Issuer = "http://issuer.test" }, "https"},
		"no host":        {func(c *oidc.Config) { c.Issuer = "https://" }, "https"},
		"a query":        {func(c *oidc.Config) { c.Issuer += "?x=y" }, "query"},
		"none":           {func(c *oidc.Config) { c.Algorithms = []string{"none"} }, `"none"`},
		"HS256":          {func(c *oidc.Config) { c.Algorithms = []string{"RS256", "HS256"} }, `"HS256"`},
		"leeway":         {func(c *oidc.Config) { c.Leeway = time.Hour }, "leeway"},
		"lifetime":       {func(c *oidc.Config) { c.MaxLifetime = -1 }, "lifetime"},
		"claim sub":      {func(c *oidc.Config) { c.OrganizationClaim = "sub" }, "something else"},
		"claim for both": {func(c *oidc.Config) { c.OperatorClaim = "org" }, "both"},
		"a key of no alg": {func(c *oidc.Config) {
			c.Keys = map[string]crypto.PublicKey{"k": issuertest.NewKey(t, "ES384").Public()}
		}, "not taken"},
		"everything at one": {func(c *oidc.Config) { c.Issuer, c.Leeway = "", time.Hour }, "leeway"},
	} {
		config := good
		c.change(&config)
		if _, err := oidc.NewVerifier(config); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want a word about %q", name, err, c.says)
		}
	}
	if _, err := oidc.NewVerifier(good, good); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("the same issuer twice: %v", err)
	}
	if _, err := oidc.NewVerifier(); err == nil {
		t.Error("nobody is believed, and that is accepted")
	}
}
