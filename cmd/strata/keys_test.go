package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/app/personal"
)

// keysAt is an operator with a key store of their own.
func keysAt(t *testing.T) (environ []string, kekFile string) {
	t.Helper()
	dir := t.TempDir()
	kekFile = filepath.Join(dir, "kek")
	return []string{"STRATA_KEYS_URL=file://" + filepath.Join(dir, "keys"), "STRATA_KEYS_KEK_FILE=" + kekFile}, kekFile
}

func strata(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, environ, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func statusOfKeys(t *testing.T, environ []string, want int) keysState {
	t.Helper()
	code, out, errs := strata(t, environ, "keys", "status", "-o", "json")
	var st keysState
	if err := json.Unmarshal([]byte(out), &st); err != nil || code != want {
		t.Fatalf("exit code %d, want %d: %s%s%v", code, want, out, errs, err)
	}
	return st
}

// What the runbook says about replacing a key-encryption key works as it says.
func TestReplacingAKeyEncryptionKey(t *testing.T) {
	environ, file := keysAt(t)
	if code, _, errs := strata(t, environ, "keys", "status"); code != exitUsage || !strings.Contains(errs, "STRATA_KEYS_KEK_FILE") {
		t.Errorf("before there is a key: %d, %s", code, errs)
	}
	code, first, errs := strata(t, environ, "keys", "keygen")
	if code != 0 {
		t.Fatal(errs)
	}
	cfg, err := loadConfig(environ)
	if err != nil {
		t.Fatal(err)
	}
	keys, _, err := openKeyStore(t.Context(), cfg, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	organization, ids := uuid.New(), make([]string, 5)
	before := map[string]personal.Key{}
	for i := range ids {
		ids[i] = uuid.NewString()
		if before[ids[i]], err = keys.Make(t.Context(), organization, ids[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := keys.Destroy(t.Context(), organization, ids[0], "request"); err != nil {
		t.Fatal(err)
	}
	first = strings.TrimSpace(first)
	if st := statusOfKeys(t, environ, 0); st.Keys != 4 || st.Destroyed != 1 || st.ByKEK[first] != 4 || st.Wrapping != first {
		t.Errorf("%+v, the key is %s", st, first)
	}

	code, second, errs := strata(t, environ, "keys", "keygen")
	if code != 0 || strings.TrimSpace(second) == first {
		t.Fatal(second, errs)
	}
	second = strings.TrimSpace(second)
	if st := statusOfKeys(t, environ, 0); st.ByKEK[first] != 4 || st.Wrapping != second {
		t.Errorf("before the rotation: %+v", st)
	}
	for _, want := range []string{"4", "0"} {
		if code, out, errs := strata(t, environ, "keys", "rotate"); code != 0 || strings.TrimSpace(out) != want {
			t.Errorf("rotation: %d, %s, %s; want %s", code, out, errs, want)
		}
	}
	// The old line goes, and all keys are as they were.
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	if err := os.WriteFile(file, []byte(lines[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	if st := statusOfKeys(t, environ, 0); st.Keys != 4 || st.ByKEK[second] != 4 || len(st.ByKEK) != 1 {
		t.Errorf("after the rotation: %+v", st)
	}
	if keys, _, err = openKeyStore(t.Context(), cfg, false, nil); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids[1:] {
		if k, err := keys.Key(t.Context(), organization, id); err != nil || k != before[id] {
			t.Errorf("%s: %v", id, err)
		}
	}

	// The wrong file, and the one that is lost: named, and nothing is made up.
	if err := os.WriteFile(file, []byte(lines[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	st := statusOfKeys(t, environ, exitDiverged)
	if st.Unusable != 4 || !strings.Contains(strings.Join(st.Named, " "), second) {
		t.Errorf("with the old key alone: %+v", st)
	}
	if found := examineKeyStore(t.Context(), cfg); found[len(found)-1].Status != findingFail || !strings.Contains(found[len(found)-1].Detail, second) {
		t.Errorf("doctor: %+v", found)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := strata(t, environ, "keys", "rotate"); code != exitUsage || !strings.Contains(errs, file) {
		t.Errorf("without the file: %d, %s", code, errs)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a new key was made up")
	}
}

func TestHalfAKeyStoreIsNone(t *testing.T) {
	environ, _ := keysAt(t)
	for i, want := range []string{"STRATA_KEYS_KEK_FILE not set", "STRATA_KEYS_URL not set"} {
		if code, _, errs := strata(t, environ[i:i+1], "keys", "status"); code != exitUsage || !strings.Contains(errs, want) {
			t.Errorf("with %s alone: %d, %s", environ[i], code, errs)
		}
	}
	if code, _, errs := strata(t, nil, "keys", "status"); code != exitUsage || !strings.Contains(errs, "no key store") {
		t.Errorf("with neither: %d, %s", code, errs)
	}
	cfg, err := loadConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	if found := examineKeyStore(t.Context(), cfg); len(found) != 1 || found[0].Status != findingWarn || found[0].Advice == "" {
		t.Errorf("doctor: %+v", found)
	}
	// Development has one of its own, beside the issuer's key, from the first start on.
	dev := []string{"STRATA_ENV=development", "STRATA_DEV_KEY_FILE=" + filepath.Join(t.TempDir(), "issuer.key")}
	if cfg, err = loadConfig(dev); err != nil {
		t.Fatal(err)
	}
	if keys, _, err := openKeyStore(t.Context(), cfg, false, nil); err != nil || keys != nil {
		t.Errorf("looking makes one: %v", err)
	}
	if keys, _, err := openKeyStore(t.Context(), cfg, true, nil); err != nil || keys == nil {
		t.Errorf("the service makes none: %v", err)
	}
	if found := examineKeyStore(t.Context(), cfg); len(found) != 2 || found[0].Status != findingOK || found[1].Status != findingOK {
		t.Errorf("doctor: %+v", found)
	}
}
