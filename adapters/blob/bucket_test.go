package blob_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"strata.dev/strata/adapters/blob"
	"strata.dev/strata/app/objectstore"
	"strata.dev/strata/tests/testenv"
)

// TestALockedObjectStays puts an object under retention and then tries, as the
// bucket's owner and beside the adapter, to be rid of it.
func TestALockedObjectStays(t *testing.T) {
	b := testenv.StartBucket(t, true)
	s := open(t, b, "&retain=24h")
	ctx, key := t.Context(), "epoch-0001/segments/00000000000000000001.ndjson.zst"
	d, err := s.Describe(ctx)
	if err != nil || !d.ObjectLock || d.Retain != 24*time.Hour || !strings.Contains(d.Location, b.Name) {
		t.Fatalf("%+v %v", d, err)
	}
	if err := s.Put(ctx, key, []byte("segment")); err != nil {
		t.Fatal(err)
	}
	o, err := s.Stat(ctx, key)
	if err != nil || o.RetentionMode != "COMPLIANCE" || time.Until(o.RetainUntil) < 23*time.Hour || time.Until(o.RetainUntil) > 25*time.Hour {
		t.Fatalf("%+v %v", o, err)
	}

	client, err := b.Client()
	if err != nil {
		t.Fatal(err)
	}
	name := "archive/" + key
	if err := s.Put(ctx, key, []byte("another")); !errors.Is(err, objectstore.ErrExists) {
		t.Errorf("put again: %v", err)
	}
	if err := s.Delete(ctx, key); err == nil {
		t.Error("it was deleted")
	}
	for _, o := range []minio.RemoveObjectOptions{{}, {ForceDelete: true}, {GovernanceBypass: true}} {
		if err := client.RemoveObject(ctx, b.Name, name, o); err == nil {
			t.Errorf("it was removed with %+v", o)
		}
	}
	if _, err := client.PutObject(ctx, b.Name, name, strings.NewReader("overwritten"), 11, minio.PutObjectOptions{SendContentMd5: true}); err == nil {
		t.Error("it was overwritten without a condition")
	}
	sooner, mode := time.Now().Add(time.Minute), minio.Governance
	if err := client.PutObjectRetention(ctx, b.Name, name, minio.PutObjectRetentionOptions{Mode: &mode, RetainUntilDate: &sooner, GovernanceBypass: true}); err == nil {
		t.Error("its retention was taken back")
	}
	if got, err := s.Get(ctx, key); err != nil || string(got) != "segment" {
		t.Errorf("%q %v", got, err)
	}
}

func TestABucketIsListedInPages(t *testing.T) {
	b := testenv.StartBucket(t, false)
	s := open(t, b, "")
	const n = 1_205
	var group sync.WaitGroup
	next := make(chan int)
	failures := make(chan error, n)
	for range 8 {
		group.Go(func() {
			for i := range next {
				if err := s.Put(t.Context(), fmt.Sprintf("segments/%020d", i), nil); err != nil {
					failures <- err
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	group.Wait()
	close(failures)
	for err := range failures {
		t.Fatal(err)
	}
	all := list(t, s, "segments/", "", 10_000)
	if len(all) != n || !slices.IsSorted(all) || all[n-1] != fmt.Sprintf("segments/%020d", n-1) {
		t.Fatalf("%d keys", len(all))
	}
	if got := list(t, s, "segments/", all[99], 1_050); !slices.Equal(got, all[100:1_150]) {
		t.Errorf("a page of %d", len(got))
	}
	if got := list(t, s, "segments/", all[n-2], 1_000); !slices.Equal(got, all[n-1:]) {
		t.Errorf("the last page is %q", got)
	}
}

func TestABucketThatCannotBeUsedSaysWhy(t *testing.T) {
	b := testenv.StartBucket(t, false)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	refused := func(what, url string, c blob.Credentials, says string) {
		t.Helper()
		s, err := blob.Open(ctx, url, c)
		if err != nil {
			t.Fatal(err)
		}
		_, described := s.Describe(ctx)
		put := s.Put(ctx, "x", []byte("x"))
		_, got := s.Get(ctx, "x")
		for _, err := range []error{described, put, got} {
			if err == nil || errors.Is(err, objectstore.ErrExists) || errors.Is(err, objectstore.ErrNotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if !strings.Contains(fmt.Sprint(put), says) {
			t.Errorf("%s: %v does not say %q", what, put, says)
		}
	}
	good := blob.Credentials{AccessKey: b.AccessKey, SecretKey: b.SecretKey}
	refused("a wrong secret", b.URL(""), blob.Credentials{AccessKey: b.AccessKey, SecretKey: "no"}, "signature")
	refused("no such bucket", strings.Replace(b.URL(""), "s3://strata/", "s3://absent/", 1), good, "bucket")

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	away := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	refused("a server that is away", strings.Replace(b.URL(""), b.Endpoint, away, 1), good, "refused")

	s := open(t, b, "")
	if err := s.Put(ctx, "before", []byte("x")); err != nil {
		t.Fatal(err)
	}
	b.Stop()
	if err := s.Put(ctx, "meanwhile", []byte("x")); err == nil {
		t.Error("put without a server")
	}
	b.Restart()
	if got, err := s.Get(ctx, "before"); err != nil || string(got) != "x" {
		t.Errorf("%q %v", got, err)
	}
}
