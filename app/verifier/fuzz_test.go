package verifier

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// What a parser takes is what it says: written again, it is the same.
func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(line))
	f.Add([]byte(strings.Replace(line, `"commandId":"0198c0de-0000-7000-8000-000000000003",`, "", 1)))
	f.Add([]byte(`{"position":"1"}`))
	f.Add([]byte(`{"a":"\"}","b":[{}],"c":1e9 , "d" : null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEvent(b)
		if err != nil {
			return
		}
		if !json.Valid(e.Data) || !json.Valid(e.Metadata) || !bytes.Contains(b, e.Data) || !bytes.Contains(b, e.Metadata) {
			t.Errorf("data %q, metadata %q", e.Data, e.Metadata)
		}
		again, err := ParseLeaf(e.AppendLeaf(nil))
		if err != nil || again.Leaf() != e.Leaf() {
			t.Errorf("its leaf is read as %+v: %v", again, err)
		}
	})
}

func FuzzParseLeaf(f *testing.F) {
	e, err := ParseEvent([]byte(line))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(e.AppendLeaf(nil))
	f.Add([]byte(leafName))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := ParseLeaf(b); err == nil && !bytes.Equal(e.AppendLeaf(nil), b) {
			t.Errorf("%q is written as %q", b, e.AppendLeaf(nil))
		}
	})
}

func FuzzOpenCheckpoint(f *testing.F) {
	log, key := signer(f, "strata.example/log", 1)
	cosign, wkey := witness("witness.example", 7)
	text := body("strata.example/log/1", 12, Hash{})
	good := signed(f, text, log)
	f.Add(good)
	f.Add(append(bytes.Clone(good), cosign(text, time.Unix(1_900_000_000, 0))...))
	f.Add([]byte("a\n1\nAAAA\n\n— a AAAAAAAA\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := OpenCheckpoint(b, Trust{Log: []Key{key}, Witnesses: []Key{wkey}})
		if err != nil {
			return
		}
		// Nothing but the text that was signed is ever believed.
		if c.Origin != "strata.example/log/1" || c.Size != 12 || c.Root != (Hash{}) || len(c.Extensions) > 0 {
			t.Errorf("it believes %+v", c)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	_, key := signer(f, "strata.example/log", 1)
	f.Add(key.String())
	f.Add("a+00000000+AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := ParseKey(s); err == nil {
			if again, err := ParseKey(k.String()); err != nil || again.ID() != k.ID() {
				t.Errorf("%q is written as %q", s, k)
			}
		}
	})
}

func FuzzProofs(f *testing.F) {
	theirs := reference(20)
	root := hash(theirs.Hash())
	for index := range uint64(20) {
		path, err := theirs.InclusionProof(index, 20)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(index, uint64(20), bytes.Join(path, nil))
	}
	f.Fuzz(func(t *testing.T, index, size uint64, b []byte) {
		var proof []Hash
		for ; len(b) >= len(Hash{}) && len(proof) < 200; b = b[len(Hash{}):] {
			proof = append(proof, hash(b[:len(Hash{})]))
		}
		leaf := HashLeaf([]byte("not in the tree"))
		if err := CheckInclusion(index, size, leaf, proof, root); err == nil {
			t.Errorf("leaf %d of %d is in the tree", index, size)
		}
		if err := CheckConsistency(index, leaf, size, root, proof); err == nil {
			t.Errorf("a tree that is none is the beginning of it: %d, %d", index, size)
		}
	})
}

func FuzzReadSegment(f *testing.F) {
	e, err := ParseEvent([]byte(strings.Replace(line, `"position":12`, `"position":1`, 1)))
	if err != nil {
		f.Fatal(err)
	}
	header := `{"format":"strata-archive-1","epoch":1,"first":1,"last":1,"frontier":["` + e.Leaf().String() + `"],"root":"` + e.Leaf().String() + `"}` + "\n"
	f.Add([]byte(header + strings.Replace(line, `"position":12`, `"position":1`, 1) + "\n"))
	f.Add([]byte(header))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ReadSegment(bytes.NewReader(b)); err == nil && int64(len(s.Events)) != s.Last-s.First+1 {
			t.Errorf("positions %d to %d with %d events", s.First, s.Last, len(s.Events))
		}
	})
}

func FuzzCheckReceipt(f *testing.F) {
	_, key := signer(f, "strata.example/log", 1)
	f.Add([]byte(`{"format":"strata-receipt-1","commandId":"x","checkpoint":"","events":[{"position":"1","leafHash":"","proof":[]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := CheckReceipt(b, Trust{Log: []Key{key}}); err == nil {
			t.Errorf("it holds: %+v", r) // nobody has signed anything here
		}
	})
}
