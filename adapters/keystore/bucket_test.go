package keystore_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/blob"
	"strata.dev/strata/adapters/keystore"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/tests/testenv"
)

// In a bucket, too, instances that race share one key, and what is destroyed is
// replaced for good, also under a rotation.
func TestKeysInABucket(t *testing.T) {
	t.Parallel()
	bucket := testenv.StartBucket(t, false)
	url := strings.Replace(bucket.URL(""), "/archive?", "/keys?", 1)
	objects, err := blob.Open(t.Context(), url, blob.Credentials{AccessKey: bucket.AccessKey, SecretKey: bucket.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	_, add := kekFile(t)
	add()
	keks := add()
	s := open(t, objects, keks, nil)
	ids := make([]string, 12)
	for i := range ids {
		ids[i] = uuid.NewString()
		keys := make([]personal.Key, 4)
		var wg sync.WaitGroup
		for j := range keys {
			instance := open(t, objects, keks, nil)
			wg.Go(func() {
				k, err := instance.Make(t.Context(), organization, ids[i])
				if err != nil {
					t.Error(err)
				}
				keys[j] = k
			})
		}
		wg.Wait()
		for _, k := range keys {
			if k != keys[0] {
				t.Fatalf("%s has two keys", ids[i])
			}
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := open(t, objects, []keystore.KEK{keks[1], keks[0]}, nil).Rotate(t.Context(), nil); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		for _, id := range ids[:6] {
			if err := s.Destroy(t.Context(), organization, id, "r"); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	st, err := s.Status(t.Context())
	if err != nil || st.Keys != 6 || st.Destroyed != 6 || st.ByKEK[keks[1].ID] != 6 || st.UnusableCount() != 0 {
		t.Errorf("%+v, %v", st, err)
	}
	bucket.Stop()
	if _, err := s.Key(t.Context(), organization, uuid.NewString()); !errors.Is(err, personal.ErrUnavailable) {
		t.Errorf("with the bucket away: %v", err)
	}
}
