package main

import (
	"context"
	"fmt"
	"time"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/migrations"
)

// benchPoll times the query that a consumer group sends, a batch of 1,000, at a
// short and a long backlog.
func (b *bench) benchPoll(ctx context.Context) error {
	urls, err := b.servers.database(ctx, migrations.Log, "bench_poll")
	if err != nil {
		return err
	}
	log, err := postgres.Open(ctx, urls["strata_log"], postgres.Options{Logger: quiet})
	if err != nil {
		return err
	}
	defer log.Close()
	t := b.table("Poll: reading the next 1,000 events", "backlog", "p50", "p99")
	filled, medians := 0, map[int]time.Duration{}
	for _, backlog := range []int{1_000, 1_000_000} {
		if err := fillFast(ctx, urls[""], filled, backlog); err != nil {
			return err
		}
		filled = backlog
		var took []time.Duration
		for range 200 {
			start := time.Now()
			events, err := log.Read(ctx, 0, 1000)
			if err != nil {
				return err
			}
			if len(events) != 1000 {
				return fmt.Errorf("%d events of %d read, want 1000", len(events), backlog)
			}
			took = append(took, time.Since(start))
		}
		medians[backlog] = percentile(took, 0.5)
		t.row(fmt.Sprint(backlog), ms(percentile(took, 0.5)), ms(percentile(took, 0.99)))
	}
	b.bound("poll at 1,000,000 beside 1,000 (ratio of medians)", float64(medians[1_000_000])/float64(medians[1_000]), 1.2)
	return nil
}

// fillFast extends a log to n events by one INSERT … SELECT per 100,000, with
// the numbering that the table's own guard checks: filling is not what is measured.
func fillFast(ctx context.Context, url string, have, n int) error {
	p, err := pool(ctx, url, 1)
	if err != nil {
		return err
	}
	defer p.Close()
	for from := have; from < n; from += 100_000 {
		_, err := p.Exec(ctx, `INSERT INTO events (position, organization_sequence, version, recorded_at, organization_id, event_id, schema_version, stream_id, type, data, metadata)
			SELECT g, g, g, clock_timestamp(), '0191f9a0-0000-7000-8000-00000000000a', gen_random_uuid(), 1, 'indicator-0191f9a0-0000-7000-8000-00000000000b',
				'indicator.measurement-recorded', convert_to('{"note":"' || repeat('x', 560) || '"}', 'UTF8'), convert_to('{"actor":{"id":"' || repeat('y', 250) || '"}}', 'UTF8')
			FROM generate_series($1::bigint + 1, $2::bigint) g ORDER BY g`, from, min(from+100_000, n))
		if err != nil {
			return fmt.Errorf("fill: %w", err)
		}
	}
	// What the filling leaves to do (vacuum, flushing) is not to fall into what is timed.
	for _, q := range []string{"VACUUM (ANALYZE) events", "CHECKPOINT"} {
		if _, err := p.Exec(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return nil
}
