package verifier

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// zeros is a source of keys that are the same in every run.
type seeded byte

func (s seeded) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s)
	}
	return len(b), nil
}

// signer is a signer of another implementation, and the public key as ours.
func signer(t testing.TB, name string, seed byte) (note.Signer, Key) {
	t.Helper()
	private, public, err := note.GenerateKey(seeded(seed), name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParseKey(public)
	if err != nil {
		t.Fatal(err)
	}
	if k.String() != public {
		t.Errorf("key %s is written as %s", public, k)
	}
	return s, k
}

// witness cosigns as C2SP tlog-cosignature says.
func witness(name string, seed byte) (cosign func(text string, at time.Time) string, k Key) {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
	k = Key{Name: name, alg: algCosignature, public: private.Public().(ed25519.PublicKey)}
	return func(text string, at time.Time) string {
		sig := binary.BigEndian.AppendUint32(nil, k.ID())
		sig = binary.BigEndian.AppendUint64(sig, uint64(at.Unix()))
		sig = append(sig, ed25519.Sign(private, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at.Unix(), text))...)
		return fmt.Sprintf("— %s %s\n", name, base64.StdEncoding.EncodeToString(sig))
	}, k
}

func signed(t testing.TB, text string, signers ...note.Signer) []byte {
	t.Helper()
	b, err := note.Sign(&note.Note{Text: text}, signers...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func body(origin string, size int64, root Hash) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, size, root.Base64())
}

func TestCheckpointIsBelievedIfItsLogSigned(t *testing.T) {
	log, key := signer(t, "strata.example/log", 1)
	next, nextKey := signer(t, "strata.example/log", 2)
	stranger, strangerKey := signer(t, "elsewhere.example/log", 3)
	text := body("strata.example/log/1", 12, sha256.Sum256([]byte("x")))
	c, err := OpenCheckpoint(signed(t, text, stranger, log), Trust{Log: []Key{key}})
	if err != nil || c.Size != 12 || c.Root != sha256.Sum256([]byte("x")) || len(c.SignedBy) != 1 {
		t.Fatalf("%+v: %v", c, err)
	}
	if name, epoch := c.Log(); name != "strata.example/log" || epoch != 1 {
		t.Errorf("log %s, epoch %d", name, epoch)
	}
	// While keys change both sign, and who has either believes.
	for _, k := range []Key{key, nextKey} {
		if _, err := OpenCheckpoint(signed(t, text, log, next), Trust{Log: []Key{k}}); err != nil {
			t.Errorf("with key %08x: %v", k.ID(), err)
		}
	}
	_, err = OpenCheckpoint(signed(t, text, stranger), Trust{Log: []Key{key, strangerKey}})
	if !errors.Is(err, ErrUnsigned) {
		t.Errorf("a key of another log signed: %v", err)
	}
	_, err = OpenCheckpoint(signed(t, text, log), Trust{Log: []Key{nextKey}})
	if !errors.Is(err, ErrUnsigned) {
		t.Errorf("a key that is not trusted signed: %v", err)
	}
	forged := bytes.Replace(signed(t, text, log), []byte("\n12\n"), []byte("\n13\n"), 1)
	if _, err := OpenCheckpoint(forged, Trust{Log: []Key{key}}); !errors.Is(err, ErrForged) {
		t.Errorf("a changed text: %v", err)
	}
}

func TestCheckpointNeedsItsWitnesses(t *testing.T) {
	log, key := signer(t, "strata.example/log", 1)
	cosign, wkey := witness("witness.example", 7)
	other, okey := witness("other.example", 8)
	at := time.Unix(1_900_000_000, 0).UTC()
	text := body("strata.example/log/1", 12, Hash{})
	plain := string(signed(t, text, log))
	trust := Trust{Log: []Key{key}, Witnesses: []Key{wkey, okey}, Quorum: 1}

	if _, err := OpenCheckpoint([]byte(plain), trust); !errors.Is(err, ErrQuorum) {
		t.Errorf("without a cosignature: %v", err)
	}
	c, err := OpenCheckpoint([]byte(plain+cosign(text, at)), trust)
	if err != nil || len(c.Seen) != 1 || c.Seen[0] != (Cosignature{Witness: "witness.example", At: at}) {
		t.Errorf("with one: %+v, %v", c.Seen, err)
	}
	trust.Quorum = 2
	if _, err := OpenCheckpoint([]byte(plain+cosign(text, at)+cosign(text, at.Add(1e9))), trust); !errors.Is(err, ErrQuorum) {
		t.Errorf("one witness, twice: %v", err)
	}
	if _, err := OpenCheckpoint([]byte(plain+cosign(text, at)+other(text, at)), trust); err != nil {
		t.Errorf("with both: %v", err)
	}
	if _, err := OpenCheckpoint([]byte(plain+cosign(body("strata.example/log/1", 11, Hash{}), at)), trust); !errors.Is(err, ErrForged) {
		t.Errorf("a cosignature of another checkpoint: %v", err)
	}
	if k, err := ParseKey(wkey.String()); err != nil || !k.Witness() || k.ID() != wkey.ID() {
		t.Errorf("the witness's key: %v", err)
	}
	// A witness is no log.
	if _, err := OpenCheckpoint([]byte(text+"\n"+cosign(text, at)), Trust{Log: []Key{wkey}}); !errors.Is(err, ErrUnsigned) {
		t.Errorf("a witness alone: %v", err)
	}
}

func TestMalformedNotesAreRefused(t *testing.T) {
	log, key := signer(t, "strata.example/log", 1)
	good := string(signed(t, body("strata.example/log/1", 12, Hash{}), log))
	for name, change := range map[string][2]string{
		"no signature":        {good[strings.Index(good, "—"):], ""},
		"no empty line":       {"\n\n", "\n"},
		"a carriage return":   {"\n12\n", "\r\n12\r\n"},
		"no final newline":    {good, strings.TrimSuffix(good, "\n")},
		"a hyphen":            {"— ", "- "},
		"no base64":           {"=\n", "\n"},
		"a leading zero":      {"\n12\n", "\n012\n"},
		"a sign":              {"\n12\n", "\n+12\n"},
		"a negative size":     {"\n12\n", "\n-12\n"},
		"no size":             {"\n12\n", "\n\n"},
		"a short root":        {"\nAAAA", "\n"},
		"no UTF-8":            {"strata.example/log/1", "\xff"},
		"too many signatures": {good[strings.Index(good, "—"):], strings.Repeat(good[strings.Index(good, "—"):], 101)},
		"a note that is long": {"strata.example/log/1", strings.Repeat("a", maxNote)},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(good, change[0], change[1], 1)
			if changed == good {
				t.Fatal("nothing was changed")
			}
			if c, err := OpenCheckpoint([]byte(changed), Trust{Log: []Key{key}}); err == nil {
				t.Errorf("it was taken: %+v", c)
			}
		})
	}
	for name, vkey := range map[string]string{
		"empty": "", "two parts": "a+b", "another id": strings.Replace(key.String(), "+", "+0", 1), "a private key": "PRIVATE+KEY+a+00000000+AAAA",
		"another name": "x" + key.String(), "an algorithm nobody knows": "a+00000000+" + base64.StdEncoding.EncodeToString(append([]byte{9}, make([]byte, 32)...)),
	} {
		if k, err := ParseKey(vkey); err == nil {
			t.Errorf("%s: it was taken: %s", name, k)
		}
	}
	keys, err := ParseKeys([]byte("# keys\n\n" + key.String() + "\n"))
	if err != nil || len(keys) != 1 || keys[0].String() != key.String() {
		t.Errorf("a file of keys: %v, %v", keys, err)
	}
}
