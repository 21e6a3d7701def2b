package witness

import (
	"bytes"
	"testing"

	"strata.dev/strata/app/ledger"
)

// What is read is what would be written: no two requests are understood alike.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("old 0\n\ncheckpoint"))
	f.Add(encodeRequest(17, []ledger.Hash{{1}, {2}}, []byte("a\n1\nb\n\n— x y\n")))
	f.Add([]byte("old 00\n\n"))
	f.Add([]byte("old -1\n\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		old, proof, checkpoint, err := parseRequest(body)
		if err != nil {
			return
		}
		if old < 0 || len(proof) > maxProof {
			t.Fatalf("old %d, %d hashes", old, len(proof))
		}
		if again := encodeRequest(old, proof, checkpoint); !bytes.Equal(again, body) {
			t.Fatalf("%q is read as %q", body, again)
		}
	})
}

// A verifier key of another kind, or of another name, is none.
func TestVerifierKeys(t *testing.T) {
	cosigner, err := OpenCosigner(t.TempDir()+"/key", "w.test")
	if err != nil {
		t.Fatal(err)
	}
	vkey := cosigner.VKey()
	if _, err := NewVerifier(vkey); err != nil {
		t.Error(err)
	}
	for _, wrong := range []string{"", "w.test", vkey[:len(vkey)-4], "x" + vkey, vkey + "AAAA", "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"} {
		if _, err := NewVerifier(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
	for _, name := range []string{"", "a b", "a+b"} {
		if _, err := OpenCosigner(t.TempDir()+"/key", name); err == nil {
			t.Errorf("a witness called %q", name)
		}
	}
}
