package ledger_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"

	"strata.dev/strata/adapters/notekeys"
	"strata.dev/strata/app/ledger"
	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

// The whole service: a command's receipt is signed and cosigned, a service that is
// killed is followed by one that goes on signing, and what is tampered with stops
// the signatures, shows, and heals when it is put right.
func TestTheServiceSeals(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ledger.key")
	keys, err := notekeys.Open(notekeys.Options{File: file, Name: ledger.KeyName("strata.test"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	o := newObserver(t, keys.VKeys...)
	s, service := system.Start(t, system.Options{Env: map[string]string{
		"STRATA_LEDGER_KEY_FILE": file, "STRATA_WITNESS_URL": o.http.URL, "STRATA_WITNESS_KEY": o.cosigner.VKey(),
	}})
	receipt := func(service *system.Service) ledger.Checkpoint {
		t.Helper()
		client := s.Client(service.Base, "sam")
		done, err := client.Do(t.Context(), restclient.Request{
			Method: http.MethodPost, Path: "/v1/strategies", Key: uuid.NewString(), Body: map[string]any{"frame": map[string]string{"name": "Sealed"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		path, _, _ := strings.Cut(strings.TrimPrefix(done.Header.Get("Link"), "<"), ">")
		var r struct{ Checkpoint string }
		testenv.Eventually(t, patience, "there is a receipt", func() error {
			p := get(t, service.Base+path, client.Token)
			if p.status != http.StatusOK {
				return fmt.Errorf("%d: %s", p.status, p.body)
			}
			return json.Unmarshal(p.body, &r)
		})
		c, err := ledger.ReadCheckpoint([]byte(r.Checkpoint), known(t, keys.VKeys...))
		if err != nil || c.Origin != "strata.test/log/1" {
			t.Fatalf("%+v, %v", c, err)
		}
		if _, err := note.Open(c.Note, note.VerifierList(o.verifier())); err != nil {
			t.Errorf("not cosigned: %v\n%s", err, c.Note)
		}
		return c
	}
	first := receipt(service)
	service.Kill()

	admin := testenv.Pool(t, s.LogAdmin)
	flip := func() {
		t.Helper()
		tx, err := admin.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, sql := range []string{
			`ALTER TABLE ledger.checkpoints DISABLE TRIGGER checkpoints_insert_only`,
			`UPDATE ledger.checkpoints SET root = set_byte(root, 0, get_byte(root, 0) # 1) WHERE size = (SELECT max(size) FROM ledger.checkpoints)`,
			`ALTER TABLE ledger.checkpoints ENABLE ALWAYS TRIGGER checkpoints_insert_only`,
		} {
			if _, err := tx.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	flip()
	next := s.Service(nil)
	next.Start()
	next.Ready()
	testenv.Eventually(t, patience, "the refusal shows", func() error {
		if m := next.Metrics(); !strings.Contains(m, "strata_ledger_refused 1") {
			return fmt.Errorf("leads: %t", next.Leads("ledger"))
		}
		return nil
	})
	testenv.Eventually(t, patience, "health is degraded", func() error {
		if h := next.Health(); h != "degraded" {
			return fmt.Errorf("health is %q", h)
		}
		return nil
	})
	flip()
	testenv.Eventually(t, patience, "it heals", func() error {
		if m := next.Metrics(); !strings.Contains(m, "strata_ledger_refused 0") {
			return fmt.Errorf("still refused:\n%s", next.Log())
		}
		return nil
	})
	second := receipt(next)
	p := get(t, fmt.Sprintf("%s/v1/ledger/consistency?from=%d&to=%d", next.Base, first.Size, second.Size), "")
	if p.status != http.StatusOK || !bytes.Contains(p.body, []byte(`"fromRoot":"`+hexOf(first.Root)+`"`)) {
		t.Errorf("what the new service signs does not continue what was signed: %d %s", p.status, p.body)
	}
	for _, args := range [][]string{{"ledger", "status", "-o", "json"}, {"ledger", "keys"}} {
		r := system.CLI(t, s.Environ(nil), args...)
		if r.Code != 0 || !strings.Contains(r.Stdout, "strata.test/log") {
			t.Errorf("%v: %d %s%s", args, r.Code, r.Stdout, r.Stderr)
		}
	}
}
