package keyfile_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"strata.dev/strata/adapters/internal/keyfile"
)

func encoded(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func generated(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestAKeyIsMadeOnceAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "key.pem")
	keys := make([]ed25519.PrivateKey, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() { // as processes that start together
			if err := keyfile.Create(path); err != nil {
				t.Error(err)
			}
			got, err := keyfile.Read(path)
			if err != nil || len(got) != 1 {
				t.Errorf("%d keys, %v", len(got), err)
				return
			}
			keys[i] = got[0]
		})
	}
	wg.Wait()
	for _, key := range keys {
		if !key.Equal(keys[0]) {
			t.Error("two processes have different keys")
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".key-*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestSeveralKeysKeepTheirOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.pem")
	first, second := generated(t), generated(t)
	if err := os.WriteFile(path, []byte("\n"+encoded(t, first)+"\n\n"+encoded(t, second)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := keyfile.Read(path)
	if err != nil || len(keys) != 2 || !keys[0].Equal(first) || !keys[1].Equal(second) {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	if a, b := keyfile.ID(first.Public().(ed25519.PublicKey)), keyfile.ID(second.Public().(ed25519.PublicKey)); a == b || len(a) != 12 {
		t.Errorf("ids %q and %q", a, b)
	}
}

func TestFilesThatAreNoKeysAreRefused(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := encoded(t, generated(t))
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		says string
	}{
		"readable by all":      {good, 0o644, "chmod 600"},
		"readable by a group":  {good, 0o640, "chmod 600"},
		"empty":                {" \n", 0o600, "openssl genpkey"},
		"no PEM":               {"x", 0o600, "openssl genpkey"},
		"something behind":     {good + "x", 0o600, "openssl genpkey"},
		"another block behind": {good + strings.ReplaceAll(good, "PRIVATE", "PUBLIC"), 0o600, "PEM blocks"},
		"not a key":            {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0o600, "asn1"},
		"another kind of key":  {encoded(t, p256), 0o600, "want an Ed25519 key"},
	} {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := keyfile.Read(path); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want a word about %q", name, err, c.says)
		}
		if err := keyfile.Create(path); err != nil {
			t.Errorf("%s: create beside it: %v", name, err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != c.text {
			t.Errorf("%s: the file was replaced (%v)", name, err)
		}
	}
	if _, err := keyfile.Read(filepath.Join(t.TempDir(), "nothing")); !os.IsNotExist(err) {
		t.Errorf("no file: %v", err)
	}
}

// One more key joins those that are there, which stay as they are.
func TestAddKeepsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deeper", "key")
	var made []ed25519.PrivateKey
	for range 3 {
		key, err := keyfile.Add(path)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, key)
		keys, err := keyfile.Read(path)
		if err != nil || len(keys) != len(made) {
			t.Fatalf("%d keys, %v; want %d", len(keys), err, len(made))
		}
		for i, key := range keys {
			if !key.Equal(made[i]) {
				t.Errorf("key %d is another one", i)
			}
		}
	}
	if err := os.WriteFile(path, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keyfile.Add(path); err == nil {
		t.Error("added to a file that is no key file")
	}
}
