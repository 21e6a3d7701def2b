package consumer

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/tests/relay/logfill"
	"strata.dev/strata/tests/testenv"
)

// counter counts statements.
type counter struct{ n atomic.Int64 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}

func (*counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TestIdleGroupsAskLittle watches an idle group for longer than the lease's own
// checks take: few statements, and the lease lives through them.
func TestIdleGroupsAskLittle(t *testing.T) {
	log := testenv.Log(t)
	pool := testenv.Pool(t, log.App)
	logfill.Append(t, pool, 5)
	var taken atomic.Int64
	c, err := New(log.App, []Group{{Name: "all", Handler: func(_ context.Context, events []eventlog.Event) error {
		taken.Store(events[len(events)-1].Position)
		return nil
	}}}, Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var asked counter
	cfg, err := connConfig(log.App, "strata consumers")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Tracer, c.lease.Tracer = &asked, &asked
	c.reading = openAutocommit(cfg, 1)

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	await := func(position int64) {
		testenv.Eventually(t, 10*time.Second, "the events were taken", func() error {
			if at := taken.Load(); at != position {
				return &GapError{Want: position, Got: at}
			}
			return nil
		})
	}
	await(5)
	since := c.Status()[0].Since

	const watched = 2*watchEvery + time.Second
	before := asked.n.Load()
	<-time.After(watched)
	pings := int64(watched / watchEvery) // the lease's own checks bypass the tracer
	perSecond := float64(asked.n.Load()-before+pings) / watched.Seconds()
	if perSecond > 2 {
		t.Errorf("%.2f statements per second", perSecond)
	}
	logfill.Append(t, pool, 1)
	await(6)
	if s := c.Status()[0]; !s.Leader || s.Since != since || s.LastError != "" {
		t.Errorf("the lease did not live through idleness: %+v", s)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
