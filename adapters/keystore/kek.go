package keystore

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"strata.dev/strata/app/personal"
)

// kekPrefix begins every line of a file of KEKs.
const kekPrefix = "strata-kek-1 "

// KEK is a key-encryption key: with it, and the store, all names can be read.
type KEK struct {
	ID   string // follows from the key: the same key has the same id everywhere
	aead cipher.AEAD
}

// String names the key and never shows it.
func (k KEK) String() string { return "KEK " + k.ID }

func newKEK(secret []byte) (KEK, error) {
	if len(secret) != personal.KeyBytes {
		return KEK{}, fmt.Errorf("%d bytes, want %d", len(secret), personal.KeyBytes)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return KEK{}, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return KEK{}, err
	}
	id := sha256.Sum256(append([]byte(kekPrefix), secret...))
	return KEK{ID: base64.RawURLEncoding.EncodeToString(id[:9]), aead: aead}, nil
}

// AddKEK makes a new KEK and puts it in front of those in the file, so that it
// wraps from now on; the file is made, with mode 0600, if there is none. The file
// is whole at any moment. It gives the new key's id.
func AddKEK(path string) (id string, err error) {
	before, err := os.ReadFile(path)
	switch {
	case err == nil:
		if _, err := ReadKEKs(path); err != nil {
			return "", err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	line, id, err := newLine()
	if err != nil {
		return "", err
	}
	return id, write(path, append(line, before...), os.Rename)
}

// CreateKEKs makes a file with one new KEK unless there is a file: of several
// that start together, one wins and all use its key.
func CreateKEKs(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	line, _, err := newLine()
	if err != nil {
		return err
	}
	return write(path, line, func(temp, path string) error {
		if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return os.Remove(temp)
	})
}

func newLine() (line []byte, id string, err error) {
	secret := make([]byte, personal.KeyBytes)
	if _, err := rand.Read(secret); err != nil {
		return nil, "", fmt.Errorf("generate a key-encryption key: %w", err)
	}
	kek, err := newKEK(secret)
	if err != nil {
		return nil, "", fmt.Errorf("generate a key-encryption key: %w", err)
	}
	return fmt.Appendf(nil, "%s%s\n", kekPrefix, base64.RawURLEncoding.EncodeToString(secret)), kek.ID, nil
}

// write puts a whole file in place, of mode 0600, or nothing.
func write(path string, text []byte, place func(temp, path string) error) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".kek-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", f.Name(), err)
	}
	return place(f.Name(), path)
}

// ReadKEKs gives the KEKs of a file, at least one, the one that wraps first. It
// refuses a file that others can read. Errors hold nothing of the keys.
func ReadKEKs(path string) ([]KEK, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %o: whoever reads it can read names. Run: chmod 600 %s", path, mode, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	keks, err := parseKEKs(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keks, nil
}

// parseKEKs reads lines "strata-kek-1 <key>"; empty ones and those that begin
// with # say nothing.
func parseKEKs(text []byte) ([]KEK, error) {
	var keks []KEK
	seen := map[string]bool{}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		s := strings.TrimSpace(string(line))
		if s == "" || s[0] == '#' {
			continue
		}
		encoded, ok := strings.CutPrefix(s, kekPrefix)
		secret, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
		if !ok || err != nil {
			return nil, fmt.Errorf("line %d is no key-encryption key. Make one with: strata keys keygen", n)
		}
		kek, err := newKEK(secret)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if seen[kek.ID] {
			return nil, fmt.Errorf("line %d: key %s is there already", n, kek.ID)
		}
		seen[kek.ID] = true
		keks = append(keks, kek)
	}
	if len(keks) == 0 {
		return nil, errors.New("there is no key-encryption key. Make one with: strata keys keygen")
	}
	return keks, nil
}
