package witness

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"strata.dev/strata/adapters/internal/keyfile"
)

const (
	algorithmCosignature = 0x04 // cosignature/v1 of C2SP tlog-cosignature
	timestampSize        = 8
)

// message is what a cosignature signs.
func message(at int64, body []byte) []byte {
	return append([]byte("cosignature/v1\ntime "+strconv.FormatInt(at, 10)+"\n"), body...)
}

func keyHash(name string, key ed25519.PublicKey) uint32 {
	h := sha256.New()
	h.Write([]byte(name + "\n" + string(rune(algorithmCosignature))))
	h.Write(key)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// Cosigner signs as a witness. It is a note.Signer.
type Cosigner struct {
	name string
	key  ed25519.PrivateKey
	now  func() time.Time
}

// OpenCosigner reads the witness's key, the first of the file, and makes the file
// if it is not there.
func OpenCosigner(file, name string) (*Cosigner, error) {
	if err := keyfile.Create(file); err != nil {
		return nil, fmt.Errorf("witness key: %w", err)
	}
	keys, err := keyfile.Read(file)
	if err != nil {
		return nil, fmt.Errorf("witness key: %w", err)
	}
	if name == "" || strings.ContainsAny(name, " +\t\n") {
		return nil, fmt.Errorf("witness: %q is no name of a key: no spaces and no plus sign", name)
	}
	return &Cosigner{name: name, key: keys[0], now: time.Now}, nil
}

func (c *Cosigner) public() ed25519.PublicKey {
	return ed25519.PublicKey(c.key[ed25519.PrivateKeySize-ed25519.PublicKeySize:])
}

// VKey is the verifier key: name, key id and public key.
func (c *Cosigner) VKey() string {
	return fmt.Sprintf("%s+%08x+%s", c.name, c.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{algorithmCosignature}, c.public()...)))
}

// Name implements note.Signer.
func (c *Cosigner) Name() string { return c.name }

// KeyHash implements note.Signer.
func (c *Cosigner) KeyHash() uint32 { return keyHash(c.name, c.public()) }

// Sign implements note.Signer: a time, and a signature over it and the message.
func (c *Cosigner) Sign(body []byte) ([]byte, error) {
	at := c.now().Unix()
	sig := binary.BigEndian.AppendUint64(nil, uint64(at))
	return append(sig, ed25519.Sign(c.key, message(at, body))...), nil
}

// Verifier verifies a witness's cosignatures. It is a note.Verifier.
type Verifier struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

var errVerifierKey = errors.New("not a witness's verifier key: <name>+<key id>+<key>, of a cosignature/v1 key")

// NewVerifier reads a verifier key.
func NewVerifier(vkey string) (*Verifier, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	id, text, _ := strings.Cut(rest, "+")
	hash, err1 := strconv.ParseUint(id, 16, 32)
	data, err2 := base64.StdEncoding.DecodeString(text)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("%w: %w", errVerifierKey, err)
	}
	if name == "" || len(id) != 8 || len(data) != 1+ed25519.PublicKeySize || data[0] != algorithmCosignature {
		return nil, errVerifierKey
	}
	v := &Verifier{name: name, hash: uint32(hash), key: data[1:]}
	if v.hash != keyHash(name, v.key) {
		return nil, fmt.Errorf("%w: the key id is not that of the key", errVerifierKey)
	}
	return v, nil
}

// Name implements note.Verifier.
func (v *Verifier) Name() string { return v.name }

// KeyHash implements note.Verifier.
func (v *Verifier) KeyHash() uint32 { return v.hash }

// Verify implements note.Verifier.
func (v *Verifier) Verify(body, sig []byte) bool {
	if len(sig) != timestampSize+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(sig)
	return at < 1<<62 && ed25519.Verify(v.key, message(int64(at), body), sig[timestampSize:])
}

// When says when a signed note was cosigned, by the witness's clock.
func (v *Verifier) When(signed []byte) (time.Time, error) {
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return time.Time{}, fmt.Errorf("cosignature: %w", err)
	}
	sig, err := base64.StdEncoding.DecodeString(n.Sigs[0].Base64)
	if err != nil {
		return time.Time{}, fmt.Errorf("cosignature: %w", err)
	}
	return time.Unix(int64(binary.BigEndian.Uint64(sig[4:])), 0).UTC(), nil
}

var (
	_ note.Signer   = (*Cosigner)(nil)
	_ note.Verifier = (*Verifier)(nil)
)
