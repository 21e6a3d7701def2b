package oidc_test

import (
	"crypto"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/adapters/oidc/issuertest"
)

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
