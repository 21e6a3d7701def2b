package notekeys_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"strata.dev/strata/adapters/notekeys"
)

// What these keys sign verifies by the standard's own code, one signature a key.
func TestNotesVerifyElsewhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if _, err := notekeys.Open(notekeys.Options{File: file, Name: "x/log"}); err == nil {
		t.Error("a file that is not there is opened")
	}
	keys, err := notekeys.Open(notekeys.Options{File: file, Name: "x/log", Create: true})
	if err != nil || len(keys.Signers) != 1 {
		t.Fatalf("%+v, %v", keys, err)
	}
	added, err := notekeys.Add(file, "x/log")
	if err != nil {
		t.Fatal(err)
	}
	keys, err = notekeys.Open(notekeys.Options{File: file, Name: "x/log", Create: true})
	if err != nil || len(keys.VKeys) != 2 || keys.VKeys[1] != added {
		t.Fatalf("%+v, %v", keys, err)
	}
	signed, err := note.Sign(&note.Note{Text: "x/log/1\n1\nAAAA\n"}, keys.Signers...)
	if err != nil {
		t.Fatal(err)
	}
	for _, vkey := range keys.VKeys {
		v, err := note.NewVerifier(vkey)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := note.Open(signed, note.VerifierList(v)); err != nil || len(n.Sigs) != 1 || v.Name() != "x/log" {
			t.Errorf("%s: %v", vkey, err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, text...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := notekeys.Open(notekeys.Options{File: file, Name: "x/log"}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a key that is there twice: %v", err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := notekeys.Open(notekeys.Options{File: file, Name: "x/log"}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
}
