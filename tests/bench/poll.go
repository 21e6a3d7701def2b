package main

import (
	"context"
	"fmt"
	"time"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/migrations"
)

// benchPoll times reading the next 1,000 events at a short and at a long
// backlog, in turn.
func (b *bench) benchPoll(ctx context.Context) error {
	backlogs := []int{1_000, 1_000_000}
	logs, took := make([]*postgres.Log, len(backlogs)), make([][]time.Duration, len(backlogs))
	for i, backlog := range backlogs {
		urls, err := b.servers.database(ctx, migrations.Log, fmt.Sprintf("bench_poll_%d", backlog))
		if err != nil {
			return err
		}
		if err := fillFast(ctx, urls[""], backlog); err != nil {
			return err
		}
		if logs[i], err = postgres.Open(ctx, urls["strata_log"], postgres.Options{Logger: quiet}); err != nil {
			return err
		}
		defer logs[i].Close()
	}
	const rounds, warm = 300, 20
	for n := range rounds {
		for i, log := range logs {
			start := time.Now()
			events, err := log.Read(ctx, 0, 1000)
			if err != nil {
				return err
			}
			if len(events) != 1000 {
				return fmt.Errorf("%d events of %d read, want 1000", len(events), backlogs[i])
			}
			if n >= warm {
				took[i] = append(took[i], time.Since(start))
			}
		}
	}
	t := b.table("Poll: reading the next 1,000 events", "backlog", "p50", "p99")
	for i, backlog := range backlogs {
		t.row(fmt.Sprint(backlog), ms(percentile(took[i], 0.5)), ms(percentile(took[i], 0.99)))
	}
	b.bound("poll at 1,000,000 beside 1,000 (ratio of medians)", float64(percentile(took[1], 0.5))/float64(percentile(took[0], 0.5)), 1.2)
	return nil
}

// fillFast makes a log of n events by one INSERT … SELECT per 100,000, with the
// numbering that the table's own guard checks: filling is not what is measured.
func fillFast(ctx context.Context, url string, n int) error {
	p, err := pool(ctx, url, 1)
	if err != nil {
		return err
	}
	defer p.Close()
	for from := 0; from < n; from += 100_000 {
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
