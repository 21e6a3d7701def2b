package keystore_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/blob"
	"strata.dev/strata/adapters/keystore"
	"strata.dev/strata/app/objectstore"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/domain/fault"
)

var (
	organization = uuid.MustParse("0198c0de-0000-7000-8000-00000000000a")
	ada          = "0198c0de-0000-8000-8000-0000000000ad"
)

func directory(t *testing.T) (objectstore.Mutable, string) {
	t.Helper()
	dir := t.TempDir()
	objects, err := blob.Open(t.Context(), "file://"+dir, blob.Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	return objects, dir
}

// kekFile is a file of KEKs, and what adds one in front.
func kekFile(t *testing.T) (path string, add func() []keystore.KEK) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "keys", "kek")
	return path, func() []keystore.KEK {
		t.Helper()
		id, err := keystore.AddKEK(path)
		if err != nil {
			t.Fatal(err)
		}
		keks, err := keystore.ReadKEKs(path)
		if err != nil {
			t.Fatal(err)
		}
		if keks[0].ID != id {
			t.Fatalf("the new key is %s, and %s wraps", id, keks[0].ID)
		}
		return keks
	}
}

func open(t *testing.T, objects objectstore.Mutable, keks []keystore.KEK, clock func() time.Time) *keystore.Store {
	t.Helper()
	s, err := keystore.New(keystore.Options{Objects: objects, KEKs: keks, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func make1(t *testing.T, s *keystore.Store, subject string) personal.Key {
	t.Helper()
	k, err := s.Make(t.Context(), organization, subject)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAKeyIsMadeOnceAndKept(t *testing.T) {
	t.Parallel()
	objects, dir := directory(t)
	_, add := kekFile(t)
	keks := add()
	s := open(t, objects, keks, nil)
	if _, err := s.Key(t.Context(), organization, ada); !errors.Is(err, personal.ErrNoKey) {
		t.Errorf("before it is made: %v", err)
	}
	k := make1(t, s, ada)
	if k == (personal.Key{}) || make1(t, s, ada) != k || make1(t, s, personal.Pseudonyms) == k {
		t.Error("keys are not one each")
	}
	if other, err := s.Make(t.Context(), uuid.New(), ada); err != nil || other == k {
		t.Errorf("another organization has the same key: %v", err)
	}
	again := open(t, objects, keks, nil)
	if got, err := again.Key(t.Context(), organization, ada); err != nil || got != k {
		t.Errorf("after a restart: %t, %v", got == k, err)
	}
	// Nothing in the store is the key.
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if bytes.Contains(body, k[:]) {
			t.Errorf("%s holds the key in clear", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Many instances make one key at the same moment, and all get the same.
func TestInstancesThatRaceShareOneKey(t *testing.T) {
	t.Parallel()
	objects, _ := directory(t)
	_, add := kekFile(t)
	keks := add()
	const instances = 8
	for range 20 {
		subject := uuid.NewString()
		keys := make([]personal.Key, instances)
		var ready sync.WaitGroup
		ready.Add(instances)
		var wg sync.WaitGroup
		for i := range keys {
			s := open(t, objects, keks, nil)
			wg.Go(func() {
				ready.Done()
				ready.Wait()
				k, err := s.Make(t.Context(), organization, subject)
				if err != nil {
					t.Error(err)
				}
				keys[i] = k
			})
		}
		wg.Wait()
		for i, k := range keys {
			if k != keys[0] {
				t.Fatalf("instance %d has another key", i)
			}
		}
	}
}

func TestDestroyedIsDestroyed(t *testing.T) {
	t.Parallel()
	objects, _ := directory(t)
	_, add := kekFile(t)
	keks := add()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	s, other := open(t, objects, keks, clock), open(t, objects, keks, clock)
	k := make1(t, s, ada)
	if got := make1(t, other, ada); got != k {
		t.Fatal("two keys")
	}
	for range 2 {
		if err := s.Destroy(t.Context(), organization, ada, "request-1"); err != nil {
			t.Fatal(err)
		}
	}
	body, err := objects.Get(t.Context(), organization.String()+"/"+ada)
	if want := `{"destroyedAt":"2026-03-01T12:00:00Z","format":"strata-key-1","requestId":"request-1"}`; err != nil || string(body) != want {
		t.Errorf("the tombstone is %s, %v", body, err)
	}
	destroyed := func(who string, s *keystore.Store) {
		t.Helper()
		if _, err := s.Key(t.Context(), organization, ada); !errors.Is(err, personal.ErrDestroyed) {
			t.Errorf("%s reads: %v", who, err)
		}
		if _, err := s.Make(t.Context(), organization, ada); !errors.Is(err, personal.ErrDestroyed) {
			t.Errorf("%s makes: %v", who, err)
		}
	}
	destroyed("who destroyed it", s)
	destroyed("who comes later", open(t, objects, keks, clock))
	// Who has it in memory has it no longer than that.
	now = now.Add(keystore.CacheAge - time.Nanosecond)
	if got, err := other.Key(t.Context(), organization, ada); err != nil || got != k {
		t.Errorf("within %s: %v", keystore.CacheAge, err)
	}
	now = now.Add(time.Nanosecond)
	destroyed("who remembered it", other)

	// Also where there never was one.
	nobody := uuid.NewString()
	if err := s.Destroy(t.Context(), organization, nobody, "request-2"); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Make(t.Context(), organization, nobody); !errors.Is(err, personal.ErrDestroyed) {
		t.Errorf("a key that was destroyed before it was made: %v", err)
	}
	if err := s.Destroy(t.Context(), organization, "../x", "r"); err == nil {
		t.Error("a key elsewhere was destroyed")
	}
}

func TestAnotherKEKTakesOver(t *testing.T) {
	t.Parallel()
	objects, _ := directory(t)
	path, add := kekFile(t)
	first := add()
	s := open(t, objects, first, nil)
	keys := map[string]personal.Key{}
	for range 30 {
		id := uuid.NewString()
		keys[id] = make1(t, s, id)
	}
	gone := uuid.NewString()
	make1(t, s, gone)
	if err := s.Destroy(t.Context(), organization, gone, "r"); err != nil {
		t.Fatal(err)
	}

	both := add()
	if len(both) != 2 || both[1].ID != first[0].ID {
		t.Fatalf("%v, want a new one before %v", both, first)
	}
	s = open(t, objects, both, nil)
	st, err := s.Status(t.Context())
	if want := (keystore.Status{Keys: 30, Destroyed: 1, ByKEK: map[string]int{first[0].ID: 30}, Wrapping: both[0].ID}); err != nil || !cmp.Equal(want, st, statusOptions) {
		t.Errorf("before: %v: %s", err, cmp.Diff(want, st, statusOptions))
	}

	// It dies halfway, at any write, and another one finishes.
	for writes := 3; ; writes += 7 {
		dying := open(t, &failing{Mutable: objects, writes: writes}, both, nil)
		_, err := dying.Rotate(t.Context(), nil)
		if err == nil {
			break
		}
		if !errors.Is(err, errDied) {
			t.Fatal(err)
		}
	}
	wrapped, err := s.Rotate(t.Context(), nil)
	if err != nil || wrapped != 0 {
		t.Errorf("%d were left, %v", wrapped, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(path, []byte("# the first one is gone\n"+line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	second, err := keystore.ReadKEKs(path)
	if err != nil || len(second) != 1 {
		t.Fatal(second, err)
	}
	s = open(t, objects, second, nil)
	for id, k := range keys {
		if got, err := s.Key(t.Context(), organization, id); err != nil || got != k {
			t.Fatalf("%s under the new one alone: %v", id, err)
		}
	}
	if _, err := s.Make(t.Context(), organization, gone); !errors.Is(err, personal.ErrDestroyed) {
		t.Errorf("rotation brought back what was destroyed: %v", err)
	}
	if st, err := s.Status(t.Context()); err != nil || st.Keys != 30 || st.UnusableCount() != 0 || st.ByKEK[second[0].ID] != 30 {
		t.Errorf("after: %+v, %v", st, err)
	}
}

// Rotation and destruction of the same keys, at the same time: destroyed wins.
func TestRotationBringsNothingBack(t *testing.T) {
	t.Parallel()
	objects, _ := directory(t)
	_, add := kekFile(t)
	add()
	add()
	keks := add()
	s := open(t, objects, keks, nil)
	ids := make([]string, 40)
	for i := range ids {
		ids[i] = uuid.NewString()
		make1(t, s, ids[i])
	}
	var wg sync.WaitGroup
	for i := range keks {
		rotating := open(t, objects, append(keks[i:len(keks):len(keks)], keks[:i]...), nil)
		wg.Go(func() {
			if _, err := rotating.Rotate(t.Context(), nil); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			for _, id := range ids {
				if err := s.Destroy(t.Context(), organization, id, "r"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	st, err := s.Status(t.Context())
	if err != nil || st.Keys != 0 || st.Destroyed != len(ids) {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestALostKEKIsNamed(t *testing.T) {
	t.Parallel()
	objects, _ := directory(t)
	_, add := kekFile(t)
	keks := add()
	make1(t, open(t, objects, keks, nil), ada)
	_, elsewhere := kekFile(t)
	s := open(t, objects, elsewhere(), nil)
	for what, ask := range map[string]func() (personal.Key, error){
		"read": func() (personal.Key, error) { return s.Key(t.Context(), organization, ada) },
		"make": func() (personal.Key, error) { return s.Make(t.Context(), organization, ada) },
	} {
		k, err := ask()
		var f *fault.Fault
		if !errors.As(err, &f) || f.Kind != fault.Unavailable || !errors.Is(err, personal.ErrUnavailable) || !strings.Contains(err.Error(), keks[0].ID) || k != (personal.Key{}) {
			t.Errorf("%s: %v", what, err)
		}
	}
	st, err := s.Status(t.Context())
	if err != nil || st.Keys != 0 || st.UnusableCount() != 1 || !strings.Contains(st.Unusable[0], keks[0].ID) {
		t.Errorf("status: %+v, %v", st, err)
	}
	if _, err := s.Rotate(t.Context(), nil); err == nil || !strings.Contains(err.Error(), keks[0].ID) {
		t.Errorf("rotation: %v", err)
	}
}

// What is not exactly a key is never taken for one, nor for a free place.
func TestDamagedObjectsAreNoKeys(t *testing.T) {
	t.Parallel()
	objects, _ := directory(t)
	_, add := kekFile(t)
	keks := add()
	s := open(t, objects, keks, nil)
	make1(t, s, ada)
	good, err := objects.Get(t.Context(), organization.String()+"/"+ada)
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"nothing":             "",
		"half of it":          string(good[:len(good)/2]),
		"no JSON":             "key",
		"other spacing":       strings.Replace(string(good), ":", ": ", 1),
		"a member more":       strings.Replace(string(good), "{", `{"a":1,`, 1),
		"a tombstone's mark":  strings.Replace(string(good), `"format"`, `"destroyedAt":"2026-03-01T12:00:00Z","format"`, 1),
		"another format":      strings.Replace(string(good), "strata-key-1", "strata-key-2", 1),
		"somebody else's key": string(good),
	} {
		id := uuid.NewString()
		if err := objects.Put(t.Context(), organization.String()+"/"+id, []byte(body)); err != nil {
			t.Fatal(err)
		}
		if k, err := s.Make(t.Context(), organization, id); !errors.Is(err, personal.ErrUnavailable) || !strings.Contains(err.Error(), id) {
			t.Errorf("%s: %v, %v", name, k != personal.Key{}, err)
		}
		if err := s.Destroy(t.Context(), organization, id, "r"); err != nil {
			t.Errorf("%s: it cannot be destroyed: %v", name, err)
		}
	}
	if err := objects.Put(t.Context(), "readme", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if st, err := s.Status(t.Context()); err != nil || st.UnusableCount() != 1 || st.Keys != 1 || !strings.Contains(st.Unusable[0], "readme") {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestTheStoreIsAway(t *testing.T) {
	t.Parallel()
	objects, _ := directory(t)
	_, add := kekFile(t)
	keks := add()
	away := &failing{Mutable: objects, away: true}
	s := open(t, away, keks, nil)
	for what, do := range map[string]func() error{
		"read":    func() error { _, err := s.Key(t.Context(), organization, ada); return err },
		"make":    func() error { _, err := s.Make(t.Context(), organization, ada); return err },
		"destroy": func() error { return s.Destroy(t.Context(), organization, ada, "r") },
		"check":   func() error { return s.Check(t.Context()) },
	} {
		if err := do(); !errors.Is(err, personal.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	away.away = false
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	make1(t, s, ada) // nothing was remembered of that
}
