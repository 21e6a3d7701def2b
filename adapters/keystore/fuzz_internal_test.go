package keystore

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/personal"
)

func sample(f *testing.F) ([]byte, keyring, place) {
	f.Helper()
	line, _, err := newLine()
	if err != nil {
		f.Fatal(err)
	}
	keks, err := parseKEKs(line)
	if err != nil {
		f.Fatal(err)
	}
	ring, err := newKeyring(keks)
	if err != nil {
		f.Fatal(err)
	}
	p := place{uuid.New(), uuid.NewString()}
	o, err := ring.wrap(p, personal.Key{1, 2, 3}, time.Now())
	if err != nil {
		f.Fatal(err)
	}
	body, err := o.encode()
	if err != nil {
		f.Fatal(err)
	}
	return body, ring, p
}

// Whatever is read as an object is written in one way, and nothing but what was
// wrapped for this place unwraps.
func FuzzParseObject(f *testing.F) {
	good, ring, p := sample(f)
	f.Add(good)
	stone, err := tombstone("request", time.Now()).encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stone)
	f.Add([]byte(`{"format":"strata-key-1","kek":"a","wrapped":"b","createdAt":"2026-03-01T12:00:00Z"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := parseObject(body)
		if err != nil {
			return
		}
		if again, err := o.encode(); err != nil || !bytes.Equal(again, body) {
			t.Errorf("%q is another way to write %q, %v", body, again, err)
		}
		if o.destroyed() && (o.KEK != "" || o.Wrapped != "") {
			t.Errorf("%q is destroyed, and holds a key", body)
		}
		if key, err := ring.unwrap(p, o); err == nil && key != (personal.Key{1, 2, 3}) {
			t.Errorf("%q unwraps to %x", body, key)
		}
	})
}

func FuzzParseKEKs(f *testing.F) {
	line, _, err := newLine()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte("# comment\n\n" + string(line)))
	f.Add([]byte("strata-kek-1 AAAA"))
	f.Fuzz(func(t *testing.T, text []byte) {
		keks, err := parseKEKs(text)
		if err != nil {
			return
		}
		for i, k := range keks {
			if k.ID == "" || k.aead == nil {
				t.Errorf("key %d of %q is none", i, text)
			}
		}
	})
}

func FuzzPlaceOf(f *testing.F) {
	f.Add(place{uuid.New(), uuid.NewString()}.key())
	f.Add(place{uuid.New(), personal.Pseudonyms}.key())
	f.Add("x/y/z")
	f.Fuzz(func(t *testing.T, key string) {
		if p, err := placeOf(key); err == nil && p.key() != key {
			t.Errorf("%q is another way to write %q", key, p.key())
		}
	})
}
