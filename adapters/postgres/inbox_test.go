package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ingest"
	"strata.dev/strata/tests/testenv"
)

func openInbox(t *testing.T, url string) *postgres.Inbox {
	t.Helper()
	inbox, err := postgres.OpenInbox(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(inbox.Close)
	return inbox
}

// Both inboxes keep the contract.
func TestInbox(t *testing.T) {
	t.Parallel()
	urls := testenv.Log(t)
	for name, inboxes := range map[string][2]ingest.Inbox{
		"memory":     {&memory.Inbox{}, nil},
		"PostgreSQL": {openInbox(t, urls.App), openInbox(t, urls.App)},
	} {
		if inboxes[1] == nil {
			inboxes[1] = inboxes[0]
		}
		t.Run(name, func(t *testing.T) {
			remembersWhatWasSettled(t, inboxes)
			oneAtATime(t, inboxes)
		})
	}
}

func remembersWhatWasSettled(t *testing.T, inboxes [2]ingest.Inbox) {
	key := func(message string) ingest.MessageKey {
		return ingest.MessageKey{OrganizationID: uuid.New(), SourceID: uuid.MustParse("0198c0de-0000-7000-8000-000000000001"), MessageID: message}
	}
	settle := func(message string, e *ingest.Entry, fails error) (known ingest.Known, err error) {
		err = inboxes[0].Serially(t.Context(), key(message), func(_ context.Context, k ingest.Known) (*ingest.Entry, error) {
			known = k
			return e, fails
		})
		return known, err
	}
	first := &ingest.Entry{SHA256: make([]byte, 32), Sequence: 7, Answer: []byte(`{"a":1}`)}
	if k, err := settle("m-1", first, nil); err != nil || k.Entry != nil || k.Sequence != 0 {
		t.Fatalf("%+v, %v", k, err)
	}
	second := &ingest.Entry{SHA256: make([]byte, 32), Refused: true, Answer: []byte(`{}`)}
	refused := errors.New("refused")
	if k, err := settle("m-2", second, refused); !errors.Is(err, refused) || k.Entry != nil || k.Sequence != 7 {
		t.Fatalf("%+v, %v", k, err)
	}
	if k, err := settle("m-2", second, nil); err != nil || k.Entry != nil {
		t.Fatalf("what was not settled is remembered: %+v, %v", k, err)
	}
	for message, want := range map[string]*ingest.Entry{"m-1": first, "m-2": second} {
		err := inboxes[1].Serially(t.Context(), key(message), func(_ context.Context, k ingest.Known) (*ingest.Entry, error) {
			if diff := cmp.Diff(ingest.Known{Entry: want, Sequence: 7}, k); diff != "" {
				t.Errorf("%s: %s", message, diff)
			}
			return nil, nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	for _, back := range []int64{7, 6} {
		if _, err := settle("m-3", &ingest.Entry{SHA256: make([]byte, 32), Sequence: back, Answer: []byte(`{}`)}, nil); err == nil {
			t.Errorf("sequence %d after 7 was taken", back)
		}
	}
}

func oneAtATime(t *testing.T, inboxes [2]ingest.Inbox) {
	source := uuid.New()
	var inside, done atomic.Int32
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			key := ingest.MessageKey{OrganizationID: uuid.New(), SourceID: source, MessageID: fmt.Sprint(n)}
			err := inboxes[n%2].Serially(t.Context(), key, func(_ context.Context, k ingest.Known) (*ingest.Entry, error) {
				if inside.Add(1) != 1 {
					t.Error("two at a time")
				}
				if k.Sequence != int64(done.Load()) {
					t.Errorf("knows sequence %d of %d", k.Sequence, done.Load())
				}
				defer inside.Add(-1)
				return &ingest.Entry{SHA256: make([]byte, 32), Sequence: int64(done.Add(1)), Answer: []byte(`{}`)}, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// Nobody changes an answer that was given, nor lets a sequence go back: not the
// service's role, and not the owner by mistake.
func TestInboxIsInsertOnly(t *testing.T) {
	t.Parallel()
	urls := testenv.Log(t)
	inbox := openInbox(t, urls.App)
	key := ingest.MessageKey{OrganizationID: uuid.New(), SourceID: uuid.New(), MessageID: "m"}
	err := inbox.Serially(t.Context(), key, func(context.Context, ingest.Known) (*ingest.Entry, error) {
		return &ingest.Entry{SHA256: make([]byte, 32), Sequence: 7, Answer: []byte(`{}`)}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	service, owner := testenv.Pool(t, urls.App), testenv.Pool(t, urls.Admin)
	back := fmt.Sprintf(`INSERT INTO inbox (source_id, message_id, organization_id, sha256, sequence, refused, answer)
SELECT source_id, 'n', organization_id, sha256, %d, false, answer FROM inbox`, 6)
	for sql, want := range map[string][2]string{
		`UPDATE inbox SET answer = '{}'`:        {"permission denied", "insert-only"},
		`DELETE FROM inbox`:                     {"permission denied", "insert-only"},
		`TRUNCATE inbox`:                        {"permission denied", "insert-only"},
		`ALTER TABLE inbox DISABLE TRIGGER ALL`: {"must be owner", ""},
		back:                                    {"goes back", "goes back"},
		strings.Replace(back, "6, false", "7, false", 1):                                                        {"goes back", "goes back"},
		`INSERT INTO inbox SELECT * FROM inbox ON CONFLICT (source_id, message_id) DO UPDATE SET answer = '{}'`: {"permission denied", ""},
	} {
		if _, err := service.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), want[0]) {
			t.Errorf("the service: %s: %v", sql, err)
		}
		if want[1] == "" {
			continue
		}
		if _, err := owner.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), want[1]) {
			t.Errorf("the owner: %s: %v", sql, err)
		}
	}
}

// Without its database nothing is settled, and it says what came of it.
func TestInboxWithoutDatabase(t *testing.T) {
	t.Parallel()
	urls := testenv.Log(t)
	inbox, admin := openInbox(t, urls.App), testenv.Pool(t, urls.Admin)
	key := ingest.MessageKey{OrganizationID: uuid.New(), SourceID: uuid.New(), MessageID: "m"}
	err := inbox.Serially(t.Context(), key, func(ctx context.Context, _ ingest.Known) (*ingest.Entry, error) {
		if _, err := admin.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'strata inbox' AND datname = current_database()`); err != nil {
			t.Error(err)
		}
		return &ingest.Entry{SHA256: make([]byte, 32), Answer: []byte(`{}`)}, nil
	})
	if !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	err = inbox.Serially(t.Context(), key, func(_ context.Context, k ingest.Known) (*ingest.Entry, error) {
		if k.Entry != nil {
			t.Errorf("it was entered: %+v", k)
		}
		return nil, nil
	})
	if err != nil && !errors.Is(err, eventlog.ErrUnavailable) {
		t.Error(err)
	}
}
