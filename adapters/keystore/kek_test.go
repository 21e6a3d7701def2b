package keystore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"strata.dev/strata/adapters/keystore"
)

func TestAFileOfKEKs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "deep", "kek")
	if _, err := keystore.ReadKEKs(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	ids := make([]string, 6)
	var wg sync.WaitGroup
	for i := range ids { // as processes that start together
		wg.Go(func() {
			if err := keystore.CreateKEKs(path); err != nil {
				t.Error(err)
			}
			keks, err := keystore.ReadKEKs(path)
			if err != nil || len(keks) != 1 {
				t.Errorf("%v, %v", keks, err)
				return
			}
			ids[i] = keks[0].ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("different keys: %v", ids)
		}
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the file: %v, %v", left, err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if keks, err := keystore.ReadKEKs(path); err != nil || strings.Contains(keks[0].String(), strings.Fields(string(good))[1]) {
		t.Errorf("%v shows the key, %v", keks, err)
	}
	for name, text := range map[string]string{
		"empty": "", "comments only": "# one\n\n", "twice the same": string(good) + string(good), "too short": "strata-kek-1 AAAA\n",
		"no key": "strata-kek-1 \n", "another kind": "-----BEGIN PRIVATE KEY-----\n", "padded": strings.TrimSpace(string(good)) + "=\n",
	} {
		bad := filepath.Join(t.TempDir(), "kek")
		if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := keystore.ReadKEKs(bad)
		if err == nil || !strings.Contains(err.Error(), bad) || strings.Contains(err.Error(), strings.Fields(string(good))[1]) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := keystore.AddKEK(bad); err == nil {
			t.Errorf("%s: a key was added to it", name)
		}
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := keystore.ReadKEKs(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("readable by others: %v", err)
	}
}
