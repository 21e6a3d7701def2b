package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
)

const (
	tokenType    = "at+jwt" // RFC 9068: an access token, so that no other JWT of the same key passes for one
	maxSubject   = 255
	methodBearer = "bearer" // the development issuer's tokens
	methodOIDC   = "oidc"
	claimOrg     = "org"
	claimOperate = "operator"
)

// registered are the claims whose names are not for an installation to give.
var registered = []string{"iss", "sub", "aud", "exp", "iat", "nbf", "auth_time", "jti", "azp", "client_id"}

// numericDate is a JWT time: whole seconds since 1970.
type numericDate int64

func (n numericDate) time() time.Time { return time.Unix(int64(n), 0).UTC() }

// claims are the members of a token of the development issuer.
type claims struct {
	Issuer       string       `json:"iss"`
	Subject      string       `json:"sub"`
	Audience     string       `json:"aud"`
	Expiry       numericDate  `json:"exp"`
	IssuedAt     numericDate  `json:"iat"`
	NotBefore    *numericDate `json:"nbf,omitempty"`
	AuthTime     *numericDate `json:"auth_time,omitempty"`
	ID           string       `json:"jti,omitempty"`
	Organization string       `json:"org,omitempty"`
	Operator     bool         `json:"operator,omitempty"`
}

// received is what is read of a token after go-oidc has checked signature,
// issuer, audience (one string or a list, so it is not decoded again here) and
// expiry.
type received struct {
	Subject         string       `json:"sub"`
	IssuedAt        *numericDate `json:"iat"`
	NotBefore       *numericDate `json:"nbf"`
	AuthTime        *numericDate `json:"auth_time"`
	AuthorizedParty *string      `json:"azp"`
	ClientID        *string      `json:"client_id"`

	organization string
	operator     bool
}

// received refuses case variants of what is read here: encoding/json, also
// inside go-oidc, takes "ISS" for "iss".
func (c Config) received(b []byte) (received, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return received{}, fmt.Errorf("claims: %w", err)
	}
	own := append([]string{c.OrganizationClaim, c.OperatorClaim}, registered...)
	for name := range members {
		for _, known := range own {
			if name != known && strings.EqualFold(name, known) {
				return received{}, fmt.Errorf("claim %q is a case variant of %q", name, known)
			}
		}
	}
	var r received
	if err := json.Unmarshal(b, &r); err != nil {
		return received{}, fmt.Errorf("claims: %w", err)
	}
	if org, ok := members[c.OrganizationClaim]; ok {
		if err := json.Unmarshal(org, &r.organization); err != nil {
			return received{}, fmt.Errorf("claim %q: %w", c.OrganizationClaim, err)
		}
	}
	if operator, ok := members[c.OperatorClaim]; ok && c.OperatorClaim != "" {
		if err := json.Unmarshal(operator, &r.operator); err != nil {
			return received{}, fmt.Errorf("claim %q: %w", c.OperatorClaim, err)
		}
	}
	return r, nil
}

// principal checks what go-oidc does not, and says who it is.
func (i *issuer) principal(r received, now, expiry time.Time) (command.Principal, error) {
	c, latest := i.config, now.Add(i.config.Leeway)
	switch {
	case r.IssuedAt == nil:
		return command.Principal{}, errors.New("no iat")
	case r.IssuedAt.time().After(latest):
		return command.Principal{}, fmt.Errorf("issued in the future, at %s", r.IssuedAt.time())
	case expiry.Sub(r.IssuedAt.time()) > c.MaxLifetime:
		return command.Principal{}, fmt.Errorf("valid for %s, longer than %s", expiry.Sub(r.IssuedAt.time()), c.MaxLifetime)
	case r.NotBefore != nil && r.NotBefore.time().After(latest):
		return command.Principal{}, fmt.Errorf("not valid before %s", r.NotBefore.time())
	case r.AuthTime != nil && r.AuthTime.time().After(latest):
		return command.Principal{}, fmt.Errorf("signed in in the future, at %s", r.AuthTime.time())
	}
	if err := c.checkParty(r.AuthorizedParty, r.ClientID); err != nil {
		return command.Principal{}, err
	}
	if err := checkSubject(r.Subject); err != nil {
		return command.Principal{}, err
	}
	p := command.Principal{Issuer: c.Issuer, Subject: r.Subject, AuthMethod: i.method, Operator: r.operator}
	if r.AuthTime != nil {
		p.AuthAt = r.AuthTime.time()
	}
	if r.operator {
		if r.organization != "" {
			return command.Principal{}, fmt.Errorf("both %s and %s: an operator belongs to no organization", c.OperatorClaim, c.OrganizationClaim)
		}
		return p, nil
	}
	org, err := uuid.Parse(r.organization)
	if err != nil || org == uuid.Nil || org.String() != r.organization {
		return command.Principal{}, fmt.Errorf("%s is not the id of an organization", c.OrganizationClaim)
	}
	p.OrganizationID = org
	return p, nil
}

// checkParty holds the client that asked for the token against those that may.
func (c Config) checkParty(stated ...*string) error {
	if len(c.AuthorizedParties) == 0 {
		return nil
	}
	found := false
	for _, party := range stated {
		if party == nil {
			continue
		}
		if !slices.Contains(c.AuthorizedParties, *party) {
			return fmt.Errorf("client %.100q is not one whose tokens are taken", *party)
		}
		found = true
	}
	if !found {
		return errors.New("neither azp nor client_id")
	}
	return nil
}

func checkSubject(s string) error {
	if s == "" || len(s) > maxSubject {
		return fmt.Errorf("sub has %d bytes, want 1 to %d", len(s), maxSubject)
	}
	for _, r := range s {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return errors.New("sub holds characters that cannot be printed")
		}
	}
	return nil
}
