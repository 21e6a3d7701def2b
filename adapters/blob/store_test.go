package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"strata.dev/strata/adapters/blob"
	"strata.dev/strata/app/objectstore"
	"strata.dev/strata/tests/testenv"
)

func directory(t *testing.T) (blob.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a", "store")
	s, err := blob.Open(t.Context(), (&url.URL{Scheme: "file", Path: dir}).String(), blob.Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func open(t *testing.T, b *testenv.Bucket, parameters string) blob.Store {
	t.Helper()
	s, err := blob.Open(t.Context(), b.URL(parameters), blob.Credentials{AccessKey: b.AccessKey, SecretKey: b.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestADirectoryIsAStore(t *testing.T) {
	s, _ := directory(t)
	contract(t, s)
}

func TestABucketIsAStore(t *testing.T) {
	contract(t, open(t, testenv.StartBucket(t, false), ""))
}

// contract is what app/objectstore promises, whatever the place.
func contract(t *testing.T, s blob.Store) {
	t.Helper()
	ctx := t.Context()
	if _, err := s.Describe(ctx); err != nil {
		t.Fatal(err)
	}
	want := func(err, target error, doing string) {
		t.Helper()
		if !errors.Is(err, target) {
			t.Errorf("%s: %v", doing, err)
		}
	}
	body := bytes.Repeat([]byte("bytes \x00\xff "), 50_000)
	want(s.Put(ctx, "a/b/c", body), nil, "put")
	want(s.Put(ctx, "a/b/c", []byte("other")), objectstore.ErrExists, "put again")
	want(s.Put(ctx, "empty", nil), nil, "put nothing")
	for _, tt := range []struct {
		key  string
		body []byte
	}{{"a/b/c", body}, {"empty", nil}} {
		got, err := s.Get(ctx, tt.key)
		if err != nil || !bytes.Equal(got, tt.body) {
			t.Errorf("get %s: %d bytes, %v", tt.key, len(got), err)
		}
		o, err := s.Stat(ctx, tt.key)
		if err != nil || o.Key != tt.key || o.Size != int64(len(tt.body)) || time.Since(o.ModifiedAt) > time.Hour || o.ModifiedAt.Location() != time.UTC {
			t.Errorf("stat %s: %+v, %v", tt.key, o, err)
		}
	}
	for _, key := range []string{"a/b", "a", "none", "a/b/c/d"} {
		_, err := s.Get(ctx, key)
		want(err, objectstore.ErrNotFound, "get "+key)
		_, err = s.Stat(ctx, key)
		want(err, objectstore.ErrNotFound, "stat "+key)
	}
	for _, key := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", ".tmp/x", "a/.b", "a b", "ä", "a\\b", strings.Repeat("x", 600)} {
		want(s.Put(ctx, key, body), objectstore.ErrKey, "put "+key)
		_, err := s.Get(ctx, key)
		want(err, objectstore.ErrKey, "get "+key)
		want(s.Delete(ctx, key), objectstore.ErrKey, "delete "+key)
	}
	want(s.Put(ctx, "large", make([]byte, objectstore.MaxBytes+1)), objectstore.ErrTooLarge, "put too much")

	t.Run("of those who race one wins", func(t *testing.T) {
		const racers = 8
		results := make([]error, racers)
		var group sync.WaitGroup
		for i := range racers {
			group.Go(func() { results[i] = s.Put(ctx, "race/1", fmt.Appendf(nil, "by %d", i)) })
		}
		group.Wait()
		winner := -1
		for i, err := range results {
			if err == nil && winner < 0 {
				winner = i
			} else if !errors.Is(err, objectstore.ErrExists) {
				t.Errorf("racer %d: %v", i, err)
			}
		}
		if got, err := s.Get(ctx, "race/1"); err != nil || winner < 0 || string(got) != fmt.Sprintf("by %d", winner) {
			t.Errorf("winner %d, and %q is there: %v", winner, got, err)
		}
	})

	t.Run("lists are of whole keys in their order", func(t *testing.T) {
		keys := []string{"l/a", "l/a-b", "l/a.b", "l/a/1", "l/a/2", "l/a0", "l/b/c/d"}
		for _, key := range keys {
			if key == "l/a" { // a folder, elsewhere
				continue
			}
			want(s.Put(ctx, key, []byte(key)), nil, "put "+key)
		}
		keys = keys[1:]
		for _, tt := range []struct {
			prefix, after string
			limit         int
			want          []string
		}{
			{"l/", "", 100, keys},
			{"l/", "", 3, keys[:3]},
			{"l/", "l/a.b", 100, keys[2:]},
			{"l/", "l/a/1", 2, keys[3:5]},
			{"l/a/", "", 100, keys[2:4]},
			{"l/a", "", 100, keys[:5]},
			{"l/b/c", "", 100, keys[5:]},
			{"l/", "l/z", 100, nil},
			{"nothing/", "", 100, nil},
		} {
			if got := list(t, s, tt.prefix, tt.after, tt.limit); !slices.Equal(got, tt.want) {
				t.Errorf("list %q after %q: %q, want %q", tt.prefix, tt.after, got, tt.want)
			}
		}
	})

	t.Run("a version is replaced once", func(t *testing.T) {
		want(s.Put(ctx, "k/1", []byte("one")), nil, "put")
		_, version, err := s.Load(ctx, "k/1")
		want(err, nil, "load")
		results := make([]error, 4)
		var group sync.WaitGroup
		for i := range results {
			group.Go(func() { results[i] = s.Replace(ctx, "k/1", version, fmt.Appendf(nil, "two by %d", i)) })
		}
		group.Wait()
		won := 0
		for _, err := range results {
			if err == nil {
				won++
			} else if !errors.Is(err, objectstore.ErrChanged) {
				t.Error(err)
			}
		}
		if body, next, err := s.Load(ctx, "k/1"); won != 1 || err != nil || !strings.HasPrefix(string(body), "two by ") || next == version {
			t.Errorf("%d have won, %q is there: %v", won, body, err)
		}
		want(s.Replace(ctx, "k/none", version, nil), objectstore.ErrChanged, "replace nothing")
		want(s.Delete(ctx, "k/1"), nil, "delete")
		want(s.Delete(ctx, "k/1"), nil, "delete again")
		_, err = s.Get(ctx, "k/1")
		want(err, objectstore.ErrNotFound, "get what was deleted")
	})

	ended, cancel := context.WithCancel(ctx)
	cancel()
	want(s.Put(ended, "late", body), context.Canceled, "put late")
	_, err := s.Get(ctx, "late")
	want(err, objectstore.ErrNotFound, "get what came late")
}

func list(t *testing.T, s blob.Store, prefix, after string, limit int) (keys []string) {
	t.Helper()
	objects, err := s.List(t.Context(), prefix, after, limit)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		keys = append(keys, o.Key)
	}
	return keys
}

func TestWhatIsNoStoreIsRefusedInOneLine(t *testing.T) {
	for _, u := range []string{
		"", "archive", "/var/archive", "file://relative/path", "file:relative", "http://bucket/x", "s3:///prefix?endpoint=x", "s3://b/p?endpoint=x&retain=soon",
		"s3://b/p?endpoint=x&colour=red", "s3://key:secret@b/p?endpoint=x", "s3://b/..?endpoint=x", "file:///x?y=z",
	} {
		if s, err := blob.Open(t.Context(), u, blob.Credentials{}); err == nil || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, %v", u, s, err)
		}
	}
}

func TestWhatADirectoryForgetsIsOverwritten(t *testing.T) {
	s, dir := directory(t)
	if err := s.Put(t.Context(), "k", []byte("a secret")); err != nil {
		t.Fatal(err)
	}
	// Another name for the same bytes shows what becomes of them.
	kept := filepath.Join(t.TempDir(), "kept")
	if err := os.Link(filepath.Join(dir, "k"), kept); err != nil {
		t.Fatal(err)
	}
	_, version, err := s.Load(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Replace(t.Context(), "k", version, []byte("a tombstone")); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadFile(kept); err != nil || len(bytes.Trim(left, "\x00")) > 0 {
		t.Errorf("%q is left: %v", left, err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, ".tmp")); err != nil || len(left) != 1 || left[0].Name() != "lock" {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestADirectoryThatWasTakenAwayIsNotMadeAgain: an unmounted disk must not pass
// for an empty archive.
func TestADirectoryThatWasTakenAwayIsNotMadeAgain(t *testing.T) {
	s, dir := directory(t)
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "a/b", []byte("x")); err == nil {
		t.Error("put")
	}
	if _, err := s.List(t.Context(), "", "", 10); err == nil {
		t.Error("list")
	}
	if _, err := s.Describe(t.Context()); err == nil {
		t.Error("describe")
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "a/b", []byte("x")); err != nil {
		t.Error(err)
	}
}

func TestWhatAKilledProcessLeftIsSwept(t *testing.T) {
	_, dir := directory(t)
	old, fresh := filepath.Join(dir, ".tmp", "object-1"), filepath.Join(dir, ".tmp", "object-2")
	for _, f := range []string{old, fresh} {
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := blob.Open(t.Context(), "file://"+dir, blob.Credentials{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Error(err)
	}
}
