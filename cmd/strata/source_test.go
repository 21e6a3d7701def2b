package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strata.dev/strata/app/ingest"
	"strata.dev/strata/domain/source"
)

const (
	testSource = "0198c0de-0000-7000-8000-00000000000b"
	testOrg    = "0198c0de-0000-7000-8000-00000000000a"
)

// sending is a source with a key.
type sending struct {
	t       *testing.T
	key     string // file
	public  ed25519.PublicKey
	message string // file
}

func newSending(t *testing.T) *sending {
	t.Helper()
	s := &sending{t: t, key: filepath.Join(t.TempDir(), "source.pem"), message: filepath.Join(t.TempDir(), "m.json")}
	code, out, errs := s.run("-o", "json", "source", "keygen", s.key)
	var made struct{ PublicKey, Fingerprint string }
	if err := json.Unmarshal([]byte(out), &made); err != nil || code != exitOK {
		t.Fatalf("%d, %s%s", code, out, errs)
	}
	if f, ok := source.Fingerprint(made.PublicKey); !ok || f != made.Fingerprint {
		t.Errorf("fingerprint %s, want %s", made.Fingerprint, f)
	}
	public, err := base64.StdEncoding.DecodeString(made.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	s.public = public
	if st, err := os.Stat(s.key); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if err := os.WriteFile(s.message, []byte(`{"measurements":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sending) run(args ...string) (code int, out, errs string) {
	s.t.Helper()
	var o, e bytes.Buffer
	code = run(s.t.Context(), args, nil, strings.NewReader(`{"measurements":[]}`), &o, &e)
	return code, o.String(), e.String()
}

func (s *sending) signed(signature, id string, body []byte) error {
	b, err := base64.StdEncoding.DecodeString(signature)
	if err == nil && !ed25519.Verify(s.public, ingest.SigningText(testSource, id, body), b) {
		err = fmt.Errorf("not a signature of %q", body)
	}
	return err
}

func TestASourceSigns(t *testing.T) {
	s := newSending(t)
	for _, file := range []string{s.message, "-"} {
		code, out, errs := s.run("source", "sign", "--key", s.key, "--source", testSource, "--message-id", "m-1", file)
		if code != exitOK {
			t.Fatalf("%d: %s", code, errs)
		}
		if err := s.signed(strings.TrimSpace(out), "m-1", []byte(`{"measurements":[]}`)); err != nil {
			t.Error(err)
		}
	}
	if code, _, errs := s.run("source", "keygen", s.key); code != exitUsage || !strings.Contains(errs, "exists") {
		t.Errorf("a key was written over: %d, %s", code, errs)
	}
	for name, args := range map[string][]string{
		"no source":   {"source", "sign", "--key", s.key, s.message},
		"no key":      {"source", "sign", "--source", testSource, s.message},
		"another key": {"source", "sign", "--key", s.message, "--source", testSource, s.message},
		"both ways":   {"source", "send", "--http", "--queue", "--key", s.key, "--source", testSource, s.message},
		"no way":      {"source", "send", "--key", s.key, "--source", testSource, s.message},
		"no org":      {"source", "send", "--http", "--key", s.key, "--source", testSource, s.message},
		"no broker":   {"source", "send", "--queue", "--key", s.key, "--source", testSource, s.message},
	} {
		if code, _, errs := s.run(args...); code != exitUsage || errs == "" {
			t.Errorf("%s: %d, %s", name, code, errs)
		}
	}
}

func TestASourceSendsOverHTTP(t *testing.T) {
	s := newSending(t)
	var ids []string
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = s.signed(r.Header.Get("Strata-Signature"), r.Header.Get("Strata-Message-Id"), body)
		}
		if err != nil || r.URL.Path != "/v1/sources/"+testSource+"/measurements" || r.Header.Get("Strata-Organization") != testOrg || r.Header.Get("Authorization") != "" {
			t.Errorf("%s, %q, %v", r.URL, r.Header, err)
		}
		ids = append(ids, r.Header.Get("Strata-Message-Id"))
		w.WriteHeader(status)
		fmt.Fprint(w, `{"recorded":1,"rejected":1,"items":[{"index":0,"status":"recorded"},{"index":1,"status":"rejected","code":"not_a_number","detail":"No."}]}`)
	}))
	defer server.Close()
	send := func() (int, string, string) {
		return s.run("source", "send", "--http", "--url", server.URL, "--org", testOrg, "--key", s.key, "--source", testSource, s.message)
	}
	for range 2 {
		code, out, errs := send()
		if code != exitOK || !strings.Contains(out, "1 recorded, 0 corrected, 0 unchanged, 1 rejected") || !strings.Contains(out, "not_a_number") {
			t.Errorf("%d, %s%s", code, out, errs)
		}
	}
	if len(ids) != 2 || ids[0] != ids[1] || !strings.HasPrefix(ids[0], "sha256:") {
		t.Errorf("message ids %q", ids)
	}
	status = http.StatusUnauthorized
	if code, _, errs := send(); code != exitFailure || !strings.Contains(errs, "fingerprint") {
		t.Errorf("%d, %s", code, errs)
	}
}
