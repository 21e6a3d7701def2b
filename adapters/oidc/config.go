package oidc

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
)

// Defaults of a Config.
const (
	DefaultMaxLifetime = time.Hour
	DefaultLeeway      = time.Minute
	maxLeeway          = 5 * time.Minute
)

// Config is an issuer whose tokens are believed, and how far.
type Config struct {
	Issuer   string // exact value of iss; with discovery an https URL
	Audience string // what aud must contain: a token for another service is not for us

	// Keys by kid: ed25519.PublicKey, *ecdsa.PublicKey or *rsa.PublicKey. nil =
	// those that the issuer publishes, found by discovery and followed as they change.
	Keys map[string]crypto.PublicKey

	// Algorithms that a key may be for; empty = EdDSA, ES256, RS256. A key is
	// always bound to one algorithm: whoever made the token does not choose.
	Algorithms []string
	// TokenTypes are the accepted values of the header typ; empty = at+jwt, which
	// keeps out the other kinds of tokens that an issuer signs with the same key
	// (RFC 9068). Add JWT for an issuer that knows no better: then only the
	// audience tells an access token from an ID token.
	TokenTypes []string
	// OrganizationClaim holds the id of the organization; empty = org.
	OrganizationClaim string
	// OperatorClaim is true for operators, who register organizations; empty =
	// this issuer vouches for none.
	OperatorClaim string
	// AuthorizedParties are the clients (azp, client_id) whose tokens are taken;
	// empty = all clients that the issuer gives tokens of the audience to.
	AuthorizedParties []string

	MaxLifetime time.Duration // longest exp − iat; 0 = DefaultMaxLifetime. A token is valid until exp, whatever happens meanwhile
	Leeway      time.Duration // how far the issuer's clock may be ahead of ours; 0 = DefaultLeeway, at most 5 min. exp gets none

	Client *http.Client     // for discovery; nil = NewClient(nil)
	Log    *slog.Logger     // where keys that cannot be fetched are told of; nil = nowhere
	Now    func() time.Time // nil = time.Now
}

// supported are the signature algorithms there is code and a reason for.
var supported = []string{gooidc.EdDSA, gooidc.ES256, gooidc.ES384, gooidc.RS256, gooidc.PS256}

// withDefaults checks everything at once.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	if c.Issuer == "" || c.Audience == "" {
		errs = append(errs, errors.New("issuer and audience are required"))
	}
	if len(c.Algorithms) == 0 {
		c.Algorithms = []string{gooidc.EdDSA, gooidc.ES256, gooidc.RS256}
	}
	for _, a := range c.Algorithms {
		if !slices.Contains(supported, a) {
			errs = append(errs, fmt.Errorf("algorithm %q: take some of %s", a, strings.Join(supported, ", ")))
		}
	}
	if len(c.TokenTypes) == 0 {
		c.TokenTypes = []string{tokenType}
	}
	if c.OrganizationClaim == "" {
		c.OrganizationClaim = claimOrg
	}
	for _, name := range []string{c.OrganizationClaim, c.OperatorClaim} {
		if slices.Contains(registered, strings.ToLower(name)) {
			errs = append(errs, fmt.Errorf("claim %q means something else", name))
		}
	}
	if c.OrganizationClaim == c.OperatorClaim {
		errs = append(errs, errors.New("one claim cannot hold both the organization and whether it is an operator"))
	}
	switch {
	case c.MaxLifetime == 0:
		c.MaxLifetime = DefaultMaxLifetime
	case c.MaxLifetime < 0:
		errs = append(errs, fmt.Errorf("longest lifetime %s", c.MaxLifetime))
	}
	switch {
	case c.Leeway == 0:
		c.Leeway = DefaultLeeway
	case c.Leeway < 0 || c.Leeway > maxLeeway:
		errs = append(errs, fmt.Errorf("leeway %s: 0 to %s", c.Leeway, maxLeeway))
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Keys == nil {
		u, err := url.Parse(c.Issuer)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			errs = append(errs, fmt.Errorf("issuer %q is not an https URL without query: whoever is between us and it could hand out keys", c.Issuer))
		}
		if c.Client == nil {
			c.Client = NewClient(nil)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return c, fmt.Errorf("oidc: %w", err)
	}
	return c, nil
}

const (
	fetchTimeout  = 5 * time.Second // of one document
	maxDocument   = 512 << 10       // bytes of one
	maxKeys       = 64              // of one issuer
	maxCauseBytes = 500             // of what an issuer answers instead, in the log
)

// NewClient is what discovery talks through: with time limits, bounded answers,
// no redirects, TLS 1.2 or newer, and the given authorities instead of the
// system's if not nil.
func NewClient(authorities *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout: fetchTimeout,
		Transport: bounded{&http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    fetchTimeout,
			MaxResponseHeaderBytes: 32 << 10,
			DisableKeepAlives:      true, // two requests in a quarter of an hour
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("the issuer redirects: name the address that answers")
		},
	}
}

// bounded cuts answers off at maxDocument, since go-oidc reads to their end.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, maxDocument), response.Body}
	return response, nil
}
