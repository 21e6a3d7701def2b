package oidc_test

import (
	"bytes"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
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
