package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// benchIdle watches a service that nobody asks anything.
func (b *bench) benchIdle(ctx context.Context) error {
	strata, err := b.startStrata(ctx, "bench_idle", allGroups)
	if err != nil {
		return err
	}
	defer func() { _ = strata.stop() }() // measured already; its log is on stderr
	const settle, watch, groups = 5 * time.Second, 20 * time.Second, 3
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return ctx.Err()
	}
	before, err := b.transactions(ctx, strata.databases)
	if err != nil {
		return err
	}
	select {
	case <-time.After(watch):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := b.transactions(ctx, strata.databases)
	if err != nil {
		return err
	}
	rss, err := strata.rss()
	if err != nil {
		return err
	}
	perGroup, megabytes := float64(after-before)/watch.Seconds()/groups, float64(rss)/1e6
	t := b.table("Idle", "transactions/s per consumer group, all databases", "resident memory")
	t.row(fmt.Sprintf("%.2f", perGroup), fmt.Sprintf("%.0f MB", megabytes))
	b.bound("idle transactions/s per group", perGroup, 2)
	b.bound("idle memory, MB", megabytes, 100)
	return nil
}

// transactions counts what the databases have finished so far, after their
// sessions have reported (they do so when idle, at most a second late).
func (b *bench) transactions(ctx context.Context, databases []string) (n int64, err error) {
	c, err := pgx.Connect(ctx, b.servers.pg.URL("postgres"))
	if err != nil {
		return 0, err
	}
	defer c.Close(ctx)
	err = c.QueryRow(ctx, `SELECT coalesce(sum(xact_commit + xact_rollback), 0)::bigint FROM pg_stat_database WHERE datname = ANY($1)`, databases).Scan(&n)
	return n, err
}
