package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
)

const (
	tokenType    = "at+jwt" // RFC 9068: an access token, so that no other JWT of the same key passes for one
	leeway       = 60 * time.Second
	maxSubject   = 255
	authMethod   = "bearer"
	claimOrg     = "org"
	claimOperate = "operator"
)

// numericDate is a JWT time: whole seconds since 1970.
type numericDate int64

func (n numericDate) time() time.Time { return time.Unix(int64(n), 0).UTC() }

// claims are the members of a token that Strata reads. Others are ignored.
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

// received is what is read after go-oidc has checked signature, issuer,
// audience (one string or a list, so it is not decoded again here) and expiry.
type received struct {
	Subject      string       `json:"sub"`
	IssuedAt     *numericDate `json:"iat"`
	NotBefore    *numericDate `json:"nbf"`
	AuthTime     *numericDate `json:"auth_time"`
	Organization string       `json:"org"`
	Operator     bool         `json:"operator"`
}

// principal checks what go-oidc does not, and says who it is.
func (r received) principal(issuer string, now, expiry time.Time, maxLifetime time.Duration) (command.Principal, error) {
	switch {
	case r.IssuedAt == nil:
		return command.Principal{}, errors.New("no iat")
	case r.IssuedAt.time().After(now.Add(leeway)):
		return command.Principal{}, fmt.Errorf("issued in the future, at %s", r.IssuedAt.time())
	case expiry.Sub(r.IssuedAt.time()) > maxLifetime:
		return command.Principal{}, fmt.Errorf("valid for %s, longer than %s", expiry.Sub(r.IssuedAt.time()), maxLifetime)
	case r.NotBefore != nil && r.NotBefore.time().After(now.Add(leeway)):
		return command.Principal{}, fmt.Errorf("not valid before %s", r.NotBefore.time())
	case r.AuthTime != nil && r.AuthTime.time().After(now.Add(leeway)):
		return command.Principal{}, fmt.Errorf("signed in in the future, at %s", r.AuthTime.time())
	}
	if err := checkSubject(r.Subject); err != nil {
		return command.Principal{}, err
	}
	p := command.Principal{Issuer: issuer, Subject: r.Subject, AuthMethod: authMethod, Operator: r.Operator}
	if r.AuthTime != nil {
		p.AuthAt = r.AuthTime.time()
	}
	if r.Operator {
		if r.Organization != "" {
			return command.Principal{}, fmt.Errorf("both %s and %s: an operator belongs to no organization", claimOperate, claimOrg)
		}
		return p, nil
	}
	org, err := uuid.Parse(r.Organization)
	if err != nil || org == uuid.Nil || org.String() != r.Organization {
		return command.Principal{}, fmt.Errorf("%s is not the id of an organization", claimOrg)
	}
	p.OrganizationID = org
	return p, nil
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

// decodeReceived refuses case variants of what is read here: encoding/json,
// also inside go-oidc, takes "ISS" for "iss".
func decodeReceived(b []byte) (received, error) {
	var names map[string]json.RawMessage
	if err := json.Unmarshal(b, &names); err != nil {
		return received{}, fmt.Errorf("claims: %w", err)
	}
	for name := range names {
		switch lower := strings.ToLower(name); lower {
		case "iss", "sub", "aud", "exp", "iat", "nbf", "auth_time", claimOrg, claimOperate:
			if lower != name {
				return received{}, fmt.Errorf("claim %q is a case variant of %q", name, lower)
			}
		}
	}
	var r received
	if err := json.Unmarshal(b, &r); err != nil {
		return received{}, fmt.Errorf("claims: %w", err)
	}
	return r, nil
}
