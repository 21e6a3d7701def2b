package postgres_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/tests/testenv"
)

// BenchmarkAppend compares the log with what it replaces, in one database server:
// a transaction per command with the same promises (plain), and a single-row
// INSERT per transaction with none (raw).
func BenchmarkAppend(b *testing.B) {
	for _, clients := range []int{1, 8, 32, 128} {
		for _, kind := range []string{"log", "plain", "raw"} {
			b.Run(fmt.Sprintf("%s/clients=%d", kind, clients), func(b *testing.B) {
				appendOne := contender(b, kind, clients)
				b.ResetTimer()
				var left atomic.Int64
				left.Store(int64(b.N))
				var wg sync.WaitGroup
				for range clients {
					wg.Go(func() {
						for left.Add(-1) >= 0 {
							stream := "indicator-" + uuid.NewString()
							for version := range int64(10) { // ten commands per stream
								if err := appendOne(b.Context(), stream, version); err != nil {
									b.Error(err)
									return
								}
								if left.Add(-1) < 0 {
									return
								}
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
			})
		}
	}
}

func contender(b *testing.B, kind string, clients int) func(ctx context.Context, stream string, version int64) error {
	urls := testenv.Log(b)
	organization := uuid.New()
	hash := sha256.Sum256([]byte("body"))
	data := fmt.Appendf(nil, `{"key":"2024-01-01/2024-12-31|area=north|group=all","note":"%0500d","value":"1234.50"}`, 0)
	metadata := fmt.Appendf(nil, `{"actor":{"id":"0191f9a0","kind":"person"},"correlationId":"%0100d"}`, 0)
	if kind == "log" {
		log := open(b, urls.App, postgres.Options{})
		return func(ctx context.Context, stream string, version int64) error {
			_, err := log.Append(ctx, eventlog.Command{
				ID: uuid.New(), Hash: hash[:], OrganizationID: organization, StreamID: stream, ExpectedVersion: version,
				Events: []eventlog.NewEvent{{ID: uuid.Must(uuid.NewV7()), Type: "indicator.measurement-recorded", SchemaVersion: 1, Data: data, Metadata: metadata}},
			})
			return err
		}
	}
	cfg, err := pgxpool.ParseConfig(urls.Admin)
	if err != nil {
		b.Fatal(err)
	}
	cfg.MaxConns = int32(min(clients, 64))
	pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	if _, err := pool.Exec(b.Context(), `
		CREATE TABLE rival (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, organization_id uuid NOT NULL,
			stream_id text COLLATE "C" NOT NULL, version bigint NOT NULL, event_id uuid NOT NULL UNIQUE, type text NOT NULL, schema_version int NOT NULL,
			data bytea NOT NULL, metadata bytea NOT NULL, recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(), UNIQUE (stream_id, version));
		CREATE TABLE rival_commands (command_id uuid PRIMARY KEY, command_hash bytea NOT NULL)`); err != nil {
		b.Fatal(err)
	}
	insert := func(ctx context.Context, q interface {
		Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	}, stream string, version int64,
	) error {
		_, err := q.Exec(ctx, `INSERT INTO rival (organization_id, stream_id, version, event_id, type, schema_version, data, metadata) VALUES ($1,$2,$3,$4,$5,1,$6,$7)`,
			organization, stream, version+1, uuid.Must(uuid.NewV7()), "indicator.measurement-recorded", data, metadata)
		return err
	}
	if kind == "raw" {
		return func(ctx context.Context, stream string, version int64) error {
			return insert(ctx, pool, stream, version)
		}
	}
	return func(ctx context.Context, stream string, version int64) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			tag, err := tx.Exec(ctx, `INSERT INTO rival_commands VALUES ($1, $2) ON CONFLICT DO NOTHING`, uuid.New(), hash[:])
			if err != nil {
				return err
			}
			var head int64
			if err := tx.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM rival WHERE stream_id = $1`, stream).Scan(&head); err != nil {
				return err
			}
			if head != version || tag.RowsAffected() != 1 {
				return errors.New("conflict")
			}
			return insert(ctx, tx, stream, version)
		})
	}
}
