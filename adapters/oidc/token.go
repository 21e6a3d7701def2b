package oidc

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gowebpki/jcs"
)

// header is what counts of a token's header.
type header struct{ Alg, Typ, Kid string }

// read takes a token in compact form apart, without believing any of it: its
// header, and who it says has issued it.
func read(token string) (h header, iss string, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return header{}, "", errors.New("not three parts")
	}
	if h, err = readHeader(parts[0]); err != nil {
		return header{}, "", err
	}
	claims, err := object(parts[1])
	if err != nil {
		return header{}, "", fmt.Errorf("claims: %w", err)
	}
	if json.Unmarshal(claims["iss"], &iss) != nil || iss == "" {
		return header{}, "", errors.New("iss is not text")
	}
	return h, iss, nil
}

// object decodes a part that must be a JSON object with unique members: two
// readers could take different ones of two.
func object(part string) (map[string]json.RawMessage, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, errors.New("not base64url")
	}
	if _, err := jcs.Transform(raw); err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return nil, errors.New("not an object")
	}
	return members, nil
}

// readHeader refuses members other than alg, typ, kid and the fingerprints of
// the key, which nothing here follows: jku, x5u, jwk and crit would let the
// token say how it wants to be believed.
func readHeader(part string) (h header, err error) {
	members, err := object(part)
	if err != nil {
		return header{}, fmt.Errorf("header: %w", err)
	}
	for name, value := range members {
		var member *string
		switch name {
		case "alg":
			member = &h.Alg
		case "typ":
			member = &h.Typ
		case "kid":
			member = &h.Kid
		case "x5t", "x5t#S256":
			continue
		default:
			return header{}, fmt.Errorf("header member %q is not allowed", name)
		}
		if json.Unmarshal(value, member) != nil || *member == "" {
			return header{}, fmt.Errorf("header member %q is not text", name)
		}
	}
	return h, nil
}

// accepts says whether a token with this header can be one of this issuer's
// access tokens.
func (c Config) accepts(h header) error {
	switch {
	case !slices.Contains(c.Algorithms, h.Alg):
		return errors.New("alg is not one that is allowed")
	case h.Kid == "":
		return errors.New("no kid")
	case !slices.Contains(c.TokenTypes, strings.TrimPrefix(h.Typ, "application/")):
		return fmt.Errorf("typ is not %s", strings.Join(c.TokenTypes, " or "))
	}
	return nil
}
