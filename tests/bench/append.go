package main

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/migrations"
)

// eventsPerStream is how long the streams grow that the appends go to.
const eventsPerStream = 10

// benchAppend measures commands per second with one event each, beside a plain
// transaction per command and a raw single-row INSERT per transaction.
func (b *bench) benchAppend(ctx context.Context) error {
	urls, err := b.servers.database(ctx, migrations.Log, "bench_append")
	if err != nil {
		return err
	}
	rivalsPool, err := pool(ctx, urls[""], 128)
	if err != nil {
		return err
	}
	defer rivalsPool.Close()
	if _, err := rivalsPool.Exec(ctx, plainSchema); err != nil {
		return err
	}
	log, err := postgres.Open(ctx, urls["strata_log"], postgres.Options{})
	if err != nil {
		return err
	}
	defer log.Close()
	organization := uuid.New()
	t := b.table("Append: commands of one event per second", "clients", "raw INSERT", "plain transaction", "Strata", "× plain", "× raw", "p99 raw", "p99 plain", "p99 Strata")
	for _, clients := range []int{1, 8, 32, 128} {
		run := func(appendOne func(context.Context, event) error) func(context.Context) (sample, error) {
			return func(ctx context.Context) (sample, error) {
				streams := make([]string, clients)
				return closedLoop(ctx, clients, b.warm, b.duration, func(ctx context.Context, w, n int) error {
					version := int64(n%eventsPerStream) + 1
					if version == 1 {
						streams[w] = "indicator-" + uuid.NewString()
					}
					return appendOne(ctx, newEvent(organization, streams[w], version))
				})
			}
		}
		got, err := interleave(ctx, b.reps, []rival{
			{"raw", run(func(ctx context.Context, e event) error { return rawInsert(ctx, rivalsPool, e) })},
			{"plain", run(func(ctx context.Context, e event) error { return plainAppend(ctx, rivalsPool, e) })},
			{"strata", run(func(ctx context.Context, e event) error { return strataAppend(ctx, log, e) })},
		})
		if err != nil {
			return err
		}
		raw, plain, ours := got["raw"], got["plain"], got["strata"]
		t.row(fmt.Sprint(clients), rate(raw.perSecond), rate(plain.perSecond), rate(ours.perSecond),
			ratio(ours.perSecond, plain.perSecond), ratio(ours.perSecond, raw.perSecond), ms(raw.p99), ms(plain.p99), ms(ours.p99))
		switch clients {
		case 1:
			b.target("append at 1 client not slower than plain", ours.perSecond/plain.perSecond, 1)
		case 128:
			b.target("append at 128 clients ≥ 4 × plain", ours.perSecond/plain.perSecond, 4)
			b.target("append at 128 clients ≥ 1.5 × raw INSERT", ours.perSecond/raw.perSecond, 1.5)
		}
	}
	return nil
}

// strataAppend is the same event through the append lane, as a command.
func strataAppend(ctx context.Context, log eventlog.Appender, e event) error {
	hash := sha256.Sum256(e.data)
	_, err := log.Append(ctx, eventlog.Command{
		ID: e.id, Hash: hash[:], OrganizationID: e.organization, StreamID: e.stream, ExpectedVersion: e.version - 1,
		Events: []eventlog.NewEvent{{ID: e.id, Type: eventType, SchemaVersion: 1, Data: e.data, Metadata: e.metadata}},
	})
	return err
}
