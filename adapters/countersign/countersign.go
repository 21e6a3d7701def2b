package countersign

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/gowebpki/jcs"

	"strata.dev/strata/adapters/internal/keyfile"
	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/fault"
)

const (
	// Lifetime is how long a countersignature can be used (S8).
	Lifetime = 24 * time.Hour

	tokenType  = "strata-countersignature+jwt"
	leeway     = time.Minute // between the clocks of instances
	maxBytes   = 10 << 10    // it travels in a header, of which there may be 16 kB in all
	maxMeaning = 500         // bytes of a meaning,
	maxText    = 255         // and of an issuer or a subject: whatever they hold, the token stays below maxBytes
)

// Refusals. The cause of ErrRefused says why: for the log, never for the caller.
var (
	ErrRefused     = fault.New(fault.Invalid, "countersignature-refused", "The countersignature is not accepted.")
	ErrUnavailable = fault.New(fault.Unavailable, "countersigning-unavailable", "This service has no key for countersignatures.")
)

// Options configure a Signer.
type Options struct {
	KeyFile string           // see the package's documentation; "" = none: nothing is signed or accepted
	Create  bool             // make the file if it is not there: for installations of one machine
	Now     func() time.Time // nil = time.Now
}

// Signer signs and verifies. Safe for concurrent use.
type Signer struct {
	now    func() time.Time
	signer jose.Signer // nil = no key
	// keys by the header of the tokens they sign, as it is on the wire: a header
	// is one written here byte for byte, or it is refused unread.
	keys map[string]ed25519.PublicKey
}

// Open reads the keys. A file that is named and cannot be read is an error, so
// that a service does not start without a key that its operator believes in.
func Open(o Options) (*Signer, error) {
	s := &Signer{now: o.Now, keys: map[string]ed25519.PublicKey{}}
	if s.now == nil {
		s.now = time.Now
	}
	if o.KeyFile == "" {
		return s, nil
	}
	if o.Create {
		if err := keyfile.Create(o.KeyFile); err != nil {
			return nil, fmt.Errorf("countersigning key: %w", err)
		}
	}
	keys, err := keyfile.Read(o.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("countersigning key: %w", err)
	}
	for _, key := range keys {
		public := key.Public().(ed25519.PublicKey)
		signer, err := jose.NewSigner(
			jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: key, KeyID: "cs-" + keyfile.ID(public)}},
			(&jose.SignerOptions{}).WithType(tokenType))
		if err != nil {
			return nil, fmt.Errorf("countersigning key: %w", err)
		}
		sample, err := sign(signer, nil)
		if err != nil {
			return nil, fmt.Errorf("countersigning key: %w", err)
		}
		header, _, _ := strings.Cut(sample, ".")
		s.keys[header] = public
		if s.signer == nil {
			s.signer = signer
		}
	}
	return s, nil
}

func sign(s jose.Signer, payload []byte) (string, error) {
	jws, err := s.Sign(payload)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

var _ command.Countersigner = (*Signer)(nil)

// Configured says whether there is a key.
func (s *Signer) Configured() bool { return s.signer != nil }

// claims are the members of a token, all of them.
type claims struct {
	ID           string `json:"jti"`
	IssuedAt     int64  `json:"iat"`
	Expiry       int64  `json:"exp"`
	Organization string `json:"org"`
	Issuer       string `json:"idp"` // who vouches for sub
	Subject      string `json:"sub"`
	AuthTime     int64  `json:"auth_time"`
	AuthMethod   string `json:"auth_method,omitempty"`
	Hash         string `json:"cmd"` // base64url of the SHA-256 that names the command
	Meaning      string `json:"meaning"`
}

// Sign makes the token for what c says and gives c completed: ID, SignedAt (now,
// in whole seconds) and ExpiresAt are Sign's own. Errors that are no faults are
// the caller's mistakes: an incomplete c.
func (s *Signer) Sign(_ context.Context, c command.Countersignature) (token string, signed command.Countersignature, err error) {
	if s.signer == nil {
		return "", command.Countersignature{}, ErrUnavailable
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", command.Countersignature{}, fmt.Errorf("countersign: id: %w", err)
	}
	c.ID = id.String()
	c.SignedAt = s.now().UTC().Truncate(time.Second)
	c.ExpiresAt = c.SignedAt.Add(Lifetime)
	c.Principal.AuthAt = c.Principal.AuthAt.UTC().Truncate(time.Second)
	p := c.Principal
	body := claims{
		ID: c.ID, IssuedAt: c.SignedAt.Unix(), Expiry: c.ExpiresAt.Unix(),
		Organization: p.OrganizationID.String(), Issuer: p.Issuer, Subject: p.Subject,
		AuthTime: p.AuthAt.Unix(), AuthMethod: p.AuthMethod,
		Hash: base64.RawURLEncoding.EncodeToString(c.Hash), Meaning: c.Meaning,
	}
	if err := body.check(p.OrganizationID, c.SignedAt); err != nil {
		return "", command.Countersignature{}, fmt.Errorf("countersign: %w", err)
	}
	payload, err := json.Marshal(body)
	if err != nil {
		return "", command.Countersignature{}, fmt.Errorf("countersign: %w", err)
	}
	if token, err = sign(s.signer, payload); err != nil {
		return "", command.Countersignature{}, fmt.Errorf("countersign: %w", err)
	}
	return token, c, nil
}

// Verify gives back what was signed, if it was signed here and for this
// organization. Whether it still counts (ExpiresAt), for this command (Hash) and
// beside this person is for the decision on the command to say, so that the
// repetition of a recorded command gets its first answer also a week later.
func (s *Signer) Verify(_ context.Context, token string, organization uuid.UUID) (command.Countersignature, error) {
	if s.signer == nil {
		return command.Countersignature{}, ErrUnavailable
	}
	body, err := s.open(token)
	if err != nil {
		return command.Countersignature{}, ErrRefused.Because(err)
	}
	if err := body.check(organization, s.now()); err != nil {
		return command.Countersignature{}, ErrRefused.Because(err)
	}
	hash, err := body.hash()
	if err != nil {
		return command.Countersignature{}, ErrRefused.Because(err)
	}
	return command.Countersignature{
		ID: body.ID,
		Principal: command.Principal{
			OrganizationID: organization, Issuer: body.Issuer, Subject: body.Subject,
			AuthMethod: body.AuthMethod, AuthAt: time.Unix(body.AuthTime, 0).UTC(),
		},
		Hash: hash, Meaning: body.Meaning,
		SignedAt: time.Unix(body.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(body.Expiry, 0).UTC(),
	}, nil
}

// open gives the claims of a token that one of the keys has signed.
func (s *Signer) open(token string) (claims, error) {
	if len(token) > maxBytes {
		return claims{}, fmt.Errorf("%d bytes", len(token))
	}
	header, _, _ := strings.Cut(token, ".")
	key, ok := s.keys[header]
	if !ok {
		return claims{}, errors.New("the header is none of those written here")
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return claims{}, err
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return claims{}, err
	}
	// Only what Sign wrote gets here; checked all the same, since a second
	// reading of the same bytes is how signatures are got around.
	if _, err := jcs.Transform(payload); err != nil {
		return claims{}, err
	}
	var c claims
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return claims{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return claims{}, errors.New("something behind the claims")
	}
	return c, nil
}

// check says what is wrong with claims, made or received.
func (c claims) check(organization uuid.UUID, now time.Time) error {
	if _, err := c.hash(); err != nil {
		return err
	}
	issued := time.Unix(c.IssuedAt, 0)
	switch {
	case organization == uuid.Nil || c.Organization != organization.String():
		return errors.New("it is of another organization")
	case c.Subject == "" || c.Issuer == "" || len(c.Subject) > maxText || len(c.Issuer) > maxText:
		return errors.New("it names no person")
	case c.Meaning == "" || len(c.Meaning) > maxMeaning || !utf8.ValidString(c.Meaning):
		return fmt.Errorf("the meaning is not of 1 to %d bytes", maxMeaning)
	case c.ID == "":
		return errors.New("it has no id")
	case issued.After(now.Add(leeway)):
		return errors.New("it is signed in the future")
	case c.Expiry <= c.IssuedAt || c.Expiry-c.IssuedAt > int64(Lifetime/time.Second):
		return fmt.Errorf("it would be valid for longer than %s", Lifetime)
	case c.AuthTime <= 0 || time.Unix(c.AuthTime, 0).After(issued.Add(leeway)):
		return errors.New("it does not say when its signer was authenticated")
	}
	return nil
}

func (c claims) hash() ([]byte, error) {
	hash, err := base64.RawURLEncoding.Strict().DecodeString(c.Hash)
	if err != nil || len(hash) != sha256.Size {
		return nil, errors.New("it names no command")
	}
	return hash, nil
}
