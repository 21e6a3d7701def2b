package verifier

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The signature algorithms of signed notes that this package knows.
const (
	algEd25519     = 0x01
	algCosignature = 0x04 // cosignature/v1: Ed25519 over the note and a time
)

// Key is a public key with the name of who signs with it.
type Key struct {
	Name   string
	alg    byte
	public ed25519.PublicKey
}

// ParseKey reads a key as it is handed out, <name>+<id>+<base64 of algorithm and
// key>, and checks that the id is the key's.
func ParseKey(vkey string) (Key, error) {
	name, rest, ok := strings.Cut(vkey, "+")
	id, encoded, ok2 := strings.Cut(rest, "+")
	if !ok || !ok2 || !validName(name) {
		return Key{}, fmt.Errorf("%.80q is no public key (<name>+<id>+<key>)", vkey)
	}
	if strings.HasPrefix(vkey, "PRIVATE+") {
		return Key{}, errors.New("this is a private key: nobody who verifies needs it")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize {
		return Key{}, fmt.Errorf("key %s is not base64 of an algorithm and %d bytes", name, ed25519.PublicKeySize)
	}
	if raw[0] != algEd25519 && raw[0] != algCosignature {
		return Key{}, fmt.Errorf("key %s has algorithm %d, which is neither Ed25519 (1) nor cosignature/v1 (4)", name, raw[0])
	}
	k := Key{Name: name, alg: raw[0], public: ed25519.PublicKey(raw[1:])}
	given, err := strconv.ParseUint(id, 16, 32)
	if err != nil || len(id) != 8 || uint32(given) != k.ID() {
		return Key{}, fmt.Errorf("key %s has id %s, but its bytes make it %08x", name, id, k.ID())
	}
	return k, nil
}

// ID is the key's id: the first four bytes of a hash over name, algorithm and key.
func (k Key) ID() uint32 {
	h := sha256.Sum256(append([]byte(k.Name+"\n"+string(rune(k.alg))), k.public...))
	return binary.BigEndian.Uint32(h[:])
}

// String is the key as ParseKey reads it.
func (k Key) String() string {
	return fmt.Sprintf("%s+%08x+%s", k.Name, k.ID(), base64.StdEncoding.EncodeToString(append([]byte{k.alg}, k.public...)))
}

// Witness says whether the key is one that witnesses cosign with.
func (k Key) Witness() bool { return k.alg == algCosignature }

// ParseKeys reads keys, one a line; empty lines and those with # are passed over.
func ParseKeys(text []byte) (keys []Key, err error) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, err := ParseKey(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		keys = append(keys, k)
	}
	return keys, lines.Err()
}

func validName(name string) bool {
	return name != "" && len(name) <= 255 && utf8.ValidString(name) && !strings.ContainsRune(name, '+') &&
		strings.IndexFunc(name, unicode.IsSpace) < 0
}
