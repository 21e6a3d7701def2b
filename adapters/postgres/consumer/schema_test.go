package consumer

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	wsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/tests/relay/logfill"
	"strata.dev/strata/tests/testenv"
)

func testReader(g Group) *reader {
	g.Handler = func(context.Context, []eventlog.Event) error { return nil }
	return newReader(g.withDefaults(), Options{Logger: slog.New(slog.DiscardHandler)}.withDefaults(), nil)
}

// TestThePageIsReadByKey looks at the plan on tables that were never analysed,
// with much behind the cursor: neither sort nor scan of the backlog.
func TestThePageIsReadByKey(t *testing.T) {
	log := testenv.Log(t)
	pool := testenv.Pool(t, log.Admin)
	if _, err := pool.Exec(t.Context(), `ALTER TABLE events SET (autovacuum_enabled = off)`); err != nil {
		t.Fatal(err)
	}
	logfill.Append(t, pool, 20_000)
	r := testReader(Group{Name: "all"})
	for name, offsets := range map[string]wsql.OffsetsAdapter{"log": logOffsets{reader: r}, "checkpoint": checkpointOffsets{reader: r}} {
		q := schema{r}.SelectQuery(topic, "all", offsets)
		for _, mode := range []string{"force_generic_plan", "force_custom_plan"} {
			conn, err := pool.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), `SET plan_cache_mode = `+mode); err != nil {
				t.Fatal(err)
			}
			rows, err := conn.Query(t.Context(), `EXPLAIN (ANALYZE, TIMING off) `+q.Query, q.Args...)
			if err != nil {
				t.Fatal(err)
			}
			var plan strings.Builder
			for rows.Next() {
				var line string
				if err := rows.Scan(&line); err != nil {
					t.Fatal(err)
				}
				plan.WriteString(line + "\n")
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			conn.Release()
			if p := plan.String(); !strings.Contains(p, "Index Scan using events_pkey") || strings.Contains(p, "Sort") || !strings.Contains(p, "rows=1000 loops=1") {
				t.Errorf("%s, %s:\n%s", name, mode, p)
			}
		}
	}
}

// TestACursorNeverGoesBack: a deposed leader may write late.
func TestACursorNeverGoesBack(t *testing.T) {
	pool := testenv.Pool(t, testenv.Log(t).App)
	for _, step := range []struct{ write, want int64 }{{5, 5}, {9, 9}, {7, 9}, {9, 9}, {10, 10}} {
		if _, err := pool.Exec(t.Context(), moveCursor, "all", step.write); err != nil {
			t.Fatal(err)
		}
		var at int64
		if err := pool.QueryRow(t.Context(), `SELECT position FROM cursors WHERE consumer_group = 'all'`).Scan(&at); err != nil {
			t.Fatal(err)
		}
		if at != step.want {
			t.Errorf("after %d the cursor is at %d, want %d", step.write, at, step.want)
		}
	}
}

func TestWatermillCannotWriteTheLog(t *testing.T) {
	if _, err := (schema{}).InsertQuery(topic, nil); err == nil {
		t.Error("InsertQuery did not refuse")
	}
	if _, err := (schema{testReader(Group{Name: "a"})}).UnmarshalMessage(nil); !errors.Is(err, errRowsType) {
		t.Errorf("a foreign scanner: %v", err)
	}
}

func TestPayloadsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.Custom(func(t *rapid.T) uuid.UUID {
			return uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))
		})
		text := rapid.SliceOfN(rapid.Byte(), 1, 50)
		var want []eventlog.Event
		var payload []byte
		for range rapid.IntRange(0, 5).Draw(t, "events") {
			e := eventlog.Event{
				Position: rapid.Int64Min(1).Draw(t, "position"), OrganizationSequence: rapid.Int64Min(1).Draw(t, "sequence"),
				Version: rapid.Int64Min(1).Draw(t, "version"), SchemaVersion: rapid.IntRange(1, 1<<30).Draw(t, "schema"),
				RecordedAt:     time.UnixMicro(rapid.Int64Range(0, 1<<52).Draw(t, "at")).UTC(),
				OrganizationID: id.Draw(t, "organization"), ID: id.Draw(t, "id"),
				StreamID: rapid.String().Draw(t, "stream"), Type: rapid.String().Draw(t, "type"),
				Data: text.Draw(t, "data"), Metadata: text.Draw(t, "metadata"),
			}
			var command []byte
			if rapid.Bool().Draw(t, "first of a command") {
				e.CommandID, e.CommandHash = id.Draw(t, "command"), text.Draw(t, "hash")
				command = e.CommandID[:]
			}
			payload = appendNumbers(payload, e.Position, e.OrganizationSequence, e.Version, int64(e.SchemaVersion), e.RecordedAt.UnixMicro())
			payload = appendFields(payload, e.OrganizationID[:], e.ID[:], command, []byte(e.StreamID), []byte(e.Type), e.Data, e.Metadata, e.CommandHash)
			want = append(want, e)
		}
		got, err := Events(message.NewMessage("m", payload))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) || (len(want) > 0 && !reflect.DeepEqual(got, want)) {
			t.Fatalf("got %+v\nwant %+v", got, want)
		}
		if len(payload) > 0 {
			if _, err := Events(message.NewMessage("m", payload[:len(payload)-1])); err == nil {
				t.Fatal("a truncated payload was read")
			}
		}
	})
}

func TestLockKeysDiffer(t *testing.T) {
	if lockKey("plans") == lockKey("audit") || lockKey("plans") != lockKey("plans") {
		t.Error("lock keys do not tell groups apart")
	}
}
