// Package notekeys makes signers of notes (C2SP signed-note) of the Ed25519 keys
// in a file. All keys of the file sign: while one replaces another, both do, so
// that who verifies with the old one and who has the new one already both can.
//
// A file that cannot be read, or that others can read, is an error that says what
// to do about it: nothing is signed with part of the keys.
package notekeys

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"strata.dev/strata/adapters/internal/keyfile"
)

// Keys are the keys of a file under a name.
type Keys struct {
	Signers []note.Signer
	VKeys   []string // of each signer: name, key id and public key
}

// Options name a key file.
type Options struct {
	File   string
	Name   string // what the keys are called in signatures: no spaces, no plus sign
	Create bool   // make the file with one key if it is not there
}

// Open reads the keys.
func Open(o Options) (*Keys, error) {
	if o.Create {
		if err := keyfile.Create(o.File); err != nil {
			return nil, fmt.Errorf("ledger key: %w", err)
		}
	}
	private, err := keyfile.Read(o.File)
	if err != nil {
		return nil, fmt.Errorf("ledger key: %w", err)
	}
	keys := &Keys{}
	for _, key := range private {
		vkey, err := note.NewEd25519VerifierKey(o.Name, public(key))
		if err != nil {
			return nil, fmt.Errorf("ledger key %q: %w", o.Name, err)
		}
		if slices.Contains(keys.VKeys, vkey) {
			return nil, fmt.Errorf("ledger key: %s holds one key twice", o.File)
		}
		keys.Signers, keys.VKeys = append(keys.Signers, newSigner(o.Name, key)), append(keys.VKeys, vkey)
	}
	return keys, nil
}

// Add makes one more key in a file, which it makes if it is not there, and gives
// its verifier key.
func Add(file, name string) (vkey string, err error) {
	key, err := keyfile.Add(file)
	if err != nil {
		return "", fmt.Errorf("ledger key: %w", err)
	}
	if vkey, err = note.NewEd25519VerifierKey(name, public(key)); err != nil {
		return "", fmt.Errorf("ledger key %q: %w", name, err)
	}
	return vkey, nil
}

func public(key ed25519.PrivateKey) ed25519.PublicKey {
	return ed25519.PublicKey(key[ed25519.PrivateKeySize-ed25519.PublicKeySize:])
}

// signer is a note.Signer.
type signer struct {
	name string
	hash uint32
	key  ed25519.PrivateKey
}

const algorithmEd25519 = 1 // of C2SP signed-note

func newSigner(name string, key ed25519.PrivateKey) signer {
	sum := sha256.Sum256(append([]byte(name+"\n"+string(rune(algorithmEd25519))), public(key)...))
	return signer{name, binary.BigEndian.Uint32(sum[:]), key}
}

// Name implements note.Signer.
func (s signer) Name() string { return s.name }

// KeyHash implements note.Signer.
func (s signer) KeyHash() uint32 { return s.hash }

// Sign implements note.Signer.
func (s signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }
