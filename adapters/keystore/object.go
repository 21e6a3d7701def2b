package keystore

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/domain/sealed"
)

// format is what every object says it is.
const format = "strata-key-1"

// maxObjectBytes bounds what is read as an object: they have 300 bytes.
const maxObjectBytes = 4 << 10

// object is a subject's key or its tombstone. It is stored as canonical JSON,
// and nothing else is read.
type object struct {
	Format string `json:"format"`

	KEK       string     `json:"kek,omitempty"`     // id of what it is wrapped under
	Wrapped   string     `json:"wrapped,omitempty"` // nonce, key and tag
	CreatedAt *time.Time `json:"createdAt,omitempty"`

	DestroyedAt *time.Time `json:"destroyedAt,omitempty"` // of a tombstone, which has nothing of the key
	RequestID   string     `json:"requestId,omitempty"`
}

// place is where an object is, and what it is bound to.
type place struct {
	organizationID uuid.UUID
	subjectID      string
}

func (p place) key() string { return p.organizationID.String() + "/" + p.subjectID }

// placeOf reads a key as place.key writes it.
func placeOf(key string) (place, error) {
	organization, subject, _ := strings.Cut(key, "/")
	id, err := uuid.Parse(organization)
	p := place{id, subject}
	if err != nil || p.key() != key || (!sealed.ValidSubject(subject) && subject != personal.Pseudonyms) {
		return place{}, fmt.Errorf("%q is no key of a subject", key)
	}
	return p, nil
}

func (o object) destroyed() bool { return o.DestroyedAt != nil }

func (o object) encode() ([]byte, error) { return eventlog.Canonical(o) }

func tombstone(requestID string, now time.Time) object {
	at := now.UTC().Truncate(time.Second)
	return object{Format: format, DestroyedAt: &at, RequestID: requestID}
}

// parseObject reads what encode writes, and refuses everything else.
func parseObject(body []byte) (object, error) {
	if len(body) > maxObjectBytes {
		return object{}, fmt.Errorf("%d bytes are too many for a key", len(body))
	}
	var o object
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil {
		return object{}, fmt.Errorf("not a key: %w", err)
	}
	if o.Format != format {
		return object{}, fmt.Errorf("its format is %q; this release knows %q", o.Format, format)
	}
	isKey := o.KEK != "" && o.Wrapped != "" && o.CreatedAt != nil
	isTombstone := o.KEK == "" && o.Wrapped == "" && o.CreatedAt == nil && o.DestroyedAt != nil
	if isKey == isTombstone || isKey && (o.DestroyedAt != nil || o.RequestID != "") {
		return object{}, errors.New("neither a key nor a tombstone")
	}
	// One way to write it: what was changed in any other way is seen, too.
	if again, err := o.encode(); err != nil || !bytes.Equal(again, body) {
		return object{}, errors.New("not in the form that keys are written in")
	}
	return o, nil
}

// keyring are the KEKs by id, and the one that wraps.
type keyring struct {
	first KEK
	byID  map[string]KEK
}

func newKeyring(keks []KEK) (keyring, error) {
	if len(keks) == 0 {
		return keyring{}, errors.New("no key-encryption key")
	}
	r := keyring{first: keks[0], byID: map[string]KEK{}}
	for _, k := range keks {
		r.byID[k.ID] = k
	}
	return r, nil
}

// wrap makes the object of a key. Nonces are random: a KEK wraps far fewer than
// 2^32 keys.
func (r keyring) wrap(p place, key personal.Key, createdAt time.Time) (object, error) {
	nonce := make([]byte, r.first.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return object{}, fmt.Errorf("wrap the key of %s: %w", p.subjectID, err)
	}
	wrapped := r.first.aead.Seal(nonce, nonce, key[:], []byte(p.key()))
	at := createdAt.UTC().Truncate(time.Second)
	return object{Format: format, KEK: r.first.ID, Wrapped: base64.RawURLEncoding.EncodeToString(wrapped), CreatedAt: &at}, nil
}

// errUnknownKEK: what the key is wrapped under is not in the file.
var errUnknownKEK = errors.New("the key-encryption key is not in the file")

func (r keyring) unwrap(p place, o object) (personal.Key, error) {
	kek, ok := r.byID[o.KEK]
	if !ok {
		return personal.Key{}, fmt.Errorf("the key of %s is wrapped under %s: %w", p.key(), o.KEK, errUnknownKEK)
	}
	wrapped, err := base64.RawURLEncoding.Strict().DecodeString(o.Wrapped)
	if err != nil || len(wrapped) != kek.aead.NonceSize()+personal.KeyBytes+kek.aead.Overhead() {
		return personal.Key{}, fmt.Errorf("the key of %s is damaged", p.key())
	}
	n := kek.aead.NonceSize()
	secret, err := kek.aead.Open(nil, wrapped[:n], wrapped[n:], []byte(p.key()))
	if err != nil {
		return personal.Key{}, fmt.Errorf("the key of %s does not open under %s: it was changed, or belongs elsewhere", p.key(), o.KEK)
	}
	return personal.Key(secret), nil
}
