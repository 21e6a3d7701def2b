package source

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/ident"
	"strata.dev/strata/domain/internal/check"
)

// Limits of the terms of a source.
const (
	MaxAllowed = 1_000  // indicators
	MaxRate    = 60_000 // messages per minute
)

// Fingerprint is how a public key is known: the SHA-256 of its 32 bytes, in
// lower-case hexadecimal; ok = false if it is no Ed25519 key in base64.
func Fingerprint(publicKey string) (fingerprint string, ok bool) {
	key, err := base64.StdEncoding.Strict().DecodeString(publicKey)
	// Decoding skips line breaks; one key has one text.
	if err != nil || len(key) != ed25519.PublicKeySize || base64.StdEncoding.EncodeToString(key) != publicKey {
		return "", false
	}
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:]), true
}

func (s State) register(c RegisterSource) ([]Event, error) {
	if s.Registered() {
		return nil, ErrRegistered.Detailf("This source is registered already: register another one under its own id.")
	}
	var f check.Form
	f.ID("#/sourceId", c.SourceID)
	f.Name("#/name", c.Name)
	f.Name("#/system", c.System)
	f.ID("#/stewardId", c.StewardID)
	f.Short("#/schemaRef", c.SchemaRef)
	oneOf(&f, "channel", string(c.Channel), string(HTTP), string(AMQP), string(File))
	terms := Terms{PublicKey: c.PublicKey, AllowedIndicators: slices.Clone(c.AllowedIndicators), MaxRatePerMin: c.MaxRatePerMin}
	terms.check(&f)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if !slices.Contains(c.StewardRoles, authz.DataSteward) {
		return nil, ErrSteward.Detailf("Member %s is no person with the role %s here: name somebody who is.", c.StewardID, authz.DataSteward)
	}
	if err := known(c.UnknownIndicators); err != nil {
		return nil, err
	}
	return []Event{Registered{
		SourceID: c.SourceID, Name: c.Name, System: c.System, Channel: c.Channel, StewardID: c.StewardID, SchemaRef: c.SchemaRef, Terms: terms,
	}}, nil
}

// check completes the terms with the fingerprint of their key.
func (t *Terms) check(f *check.Form) {
	var ok bool
	if t.CredentialFingerprint, ok = Fingerprint(t.PublicKey); !ok {
		f.Object("#/publicKey", "format", "Give the 32 bytes of an Ed25519 public key in base64.")
	}
	if t.MaxRatePerMin < 1 || t.MaxRatePerMin > MaxRate {
		f.Object("#/maxRatePerMin", "maximum", "Give a whole number from 1 to %d.", MaxRate)
	}
	if len(t.AllowedIndicators) > MaxAllowed {
		f.Object("#/allowedIndicators", "maxItems", "At most %d indicators, not %d: register a second source.", MaxAllowed, len(t.AllowedIndicators))
		return
	}
	seen := map[string]bool{}
	for i, a := range t.AllowedIndicators {
		at := fmt.Sprintf("#/allowedIndicators/%d/indicatorId", i)
		switch {
		case !ident.Valid(a.IndicatorID):
			f.Object(at, "format", "Give a lower-case UUID.")
		case seen[a.IndicatorID]:
			f.Object(at, "uniqueItems", "Name each indicator once.")
		}
		seen[a.IndicatorID] = true
	}
	slices.SortFunc(t.AllowedIndicators, func(a, b Allowed) int { return strings.Compare(a.IndicatorID, b.IndicatorID) })
}

func known(unknownIndicators []string) error {
	if len(unknownIndicators) > 0 {
		return ErrIndicator.Detailf("There is no indicator %s here: name those that are.", unknownIndicators[0])
	}
	return nil
}

func (s State) suspend(c SuspendSource) ([]Event, error) {
	var f check.Form
	f.Reason(c.Reason)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if s.Status == Suspended {
		return nil, ErrSuspended.Detailf("The source is suspended already.")
	}
	return []Event{StatusChanged{From: s.Status, To: Suspended, Reason: c.Reason}}, nil
}

func (s State) reinstate(c ReinstateSource) ([]Event, error) {
	terms := s.Terms
	if c.PublicKey != "" {
		terms.PublicKey = c.PublicKey
	}
	if len(c.AllowedIndicators) > 0 {
		terms.AllowedIndicators = slices.Clone(c.AllowedIndicators)
	}
	if c.MaxRatePerMin != 0 {
		terms.MaxRatePerMin = c.MaxRatePerMin
	}
	var f check.Form
	f.Reason(c.Reason)
	terms.check(&f)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if s.Status != Suspended {
		return nil, ErrActive.Detailf("The source is active: suspend it first, and reinstate it with other terms.")
	}
	if err := known(c.UnknownIndicators); err != nil {
		return nil, err
	}
	e := StatusChanged{From: s.Status, To: Active, Reason: c.Reason}
	if !terms.equal(s.Terms) {
		before := s.Terms
		e.OldTerms, e.Terms = &before, &terms
	}
	return []Event{e}, nil
}

func (t Terms) equal(o Terms) bool {
	return t.PublicKey == o.PublicKey && t.MaxRatePerMin == o.MaxRatePerMin && slices.Equal(t.AllowedIndicators, o.AllowedIndicators)
}
