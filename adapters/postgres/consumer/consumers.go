package consumer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	wsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Channel is where the log notifies of commits; the payload is the last position.
const Channel = "strata_events"

// topic is Watermill's name for the one table there is.
const topic = "events"

// Options tunes the consumers. The zero value is right for production.
type Options struct {
	Logger *slog.Logger // nil = slog.Default()

	// Poll is how long an idle group waits for a wake-up before it looks anyway;
	// 0 = 2 s. It bounds the delay when notifications do not come through.
	Poll time.Duration

	// Standby is how often a group that is led elsewhere tries to take over; 0 = 1 s.
	Standby time.Duration

	// DrainTimeout is how long Run waits at its end for batches in flight; 0 = 20 s.
	// It should exceed every HandlerTimeout: a batch that does not finish comes twice.
	DrainTimeout time.Duration
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Poll == 0 {
		o.Poll = 2 * time.Second
	}
	if o.Standby == 0 {
		o.Standby = time.Second
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = 20 * time.Second
	}
	return o
}

// Consumers runs consumer groups over the log. See the package comment.
type Consumers struct {
	opts    Options
	readers []*reader
	reading *sql.DB       // Watermill's: queries for events, cursor writes
	control *pgxpool.Pool // parking, resuming, checks
	lease   *pgx.ConnConfig
}

// New prepares the groups; nothing connects before it is needed. url is the log
// database's, for a role that may SELECT from events and write cursors and
// parked. It must reach PostgreSQL itself or a pooler in session mode: the
// lease is a session lock. Without groups, Parked is what it is good for.
// Consumers that are not Run must be closed.
func New(url string, groups []Group, opts Options) (*Consumers, error) {
	opts = opts.withDefaults()
	seen := make(map[string]bool, len(groups))
	for _, g := range groups {
		if err := g.validate(); err != nil {
			return nil, err
		}
		if seen[g.Name] {
			return nil, fmt.Errorf("consumer group %q is there twice", g.Name)
		}
		seen[g.Name] = true
	}

	reading, err := connConfig(url, "strata consumers")
	if err != nil {
		return nil, err
	}
	// A cursor that a crash takes back costs duplicates, never events.
	reading.RuntimeParams["synchronous_commit"] = "off"
	// Pages are read by key. A plan made for a small log would scan it, and be kept while it grows.
	reading.RuntimeParams["enable_seqscan"], reading.RuntimeParams["enable_bitmapscan"] = "off", "off"
	reading.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
	lease, err := connConfig(url, "strata lease")
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("log database URL: %w", err)
	}
	pool.MaxConns, pool.MinConns, pool.MaxConnIdleTime = 2, 0, 30*time.Second
	pool.ConnConfig.RuntimeParams["application_name"] = "strata consumer control"
	control, err := pgxpool.NewWithConfig(context.Background(), pool) // connects when first used
	if err != nil {
		return nil, fmt.Errorf("log database: %w", err)
	}

	c := &Consumers{opts: opts, control: control, lease: lease, reading: openAutocommit(reading, 2*len(groups))}
	for _, g := range groups {
		r := newReader(g.withDefaults(), opts, control)
		r.pages = c.reading
		c.readers = append(c.readers, r)
	}
	return c, nil
}

// Run consumes until ctx ends, then drains: a batch in flight is finished and
// its cursor written before the lease goes, so that a clean stop repeats
// nothing. It returns nil after a complete drain, and may be called once. A
// database or broker that cannot be reached is no reason to return: see Status.
func (c *Consumers) Run(ctx context.Context) error {
	defer c.Close()

	logger := watermillLog{c.opts.Logger}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: 5 * time.Second}, logger)
	if err != nil {
		return fmt.Errorf("router: %w", err)
	}
	for _, r := range c.readers {
		subscriber, err := wsql.NewSubscriber(gatedDB{DB: c.reading, reader: r}, wsql.SubscriberConfig{
			ConsumerGroup: r.group.Name,
			// It cancels nothing, and what it leaves behind HandleError waits for.
			AckDeadline:    new(r.group.HandlerTimeout + 15*time.Second),
			BackoffManager: r,
			SchemaAdapter:  schema{r},
			OffsetsAdapter: r.offsets(),
		}, logger)
		if err != nil {
			return fmt.Errorf("consumer group %s: %w", r.group.Name, err)
		}
		r.addTo(router, feed{Subscriber: subscriber, reader: r})
	}

	leases, stopLeases := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLeases()
	var held sync.WaitGroup
	for _, r := range c.readers {
		l := lease{config: c.lease, reader: r, standby: c.opts.Standby}
		held.Go(func() { l.run(leases) })
	}

	routed := make(chan error, 1)
	go func() { routed <- router.Run(context.WithoutCancel(ctx)) }()

	// A router that is closed while it starts waits for handlers it has not
	// started, in vain: it is up before anything is said to it.
	stop := ctx.Done()
	var failure error
	select {
	case <-router.Running():
	case err := <-routed:
		routed <- err
		stop = nil
	}
	select {
	case <-stop:
		failure = c.drain()
		if err := router.Close(); err != nil {
			failure = errors.Join(failure, fmt.Errorf("router: %w", err))
		}
		if err := <-routed; err != nil {
			failure = errors.Join(failure, fmt.Errorf("router: %w", err))
		}
	case err := <-routed: // it stops by itself only if it could not start
		failure = fmt.Errorf("router stopped: %w", errors.Join(err, c.drain()))
	}
	stopLeases() // only now may another process begin
	held.Wait()
	return failure
}

// Close frees the connections of consumers that were never Run. Run does so by itself.
func (c *Consumers) Close() {
	c.control.Close()
	_ = c.reading.Close() // nothing uses it any more
}

// drain stops the fetching everywhere and waits for what is in flight.
func (c *Consumers) drain() error {
	deadline := time.NewTimer(c.opts.DrainTimeout)
	defer deadline.Stop()
	for _, r := range c.readers {
		r.stop()
	}
	for i, r := range c.readers {
		select {
		case <-r.drained:
		case <-deadline.C:
			for _, late := range c.readers[i:] {
				late.abandon()
			}
			return fmt.Errorf("consumer group %s did not finish its batch within %s; the batch will come again", r.group.Name, c.opts.DrainTimeout)
		}
	}
	return nil
}

// Wake makes groups that have not taken the log up to head look for it at once.
// The log calls it after each commit of this process. It never blocks.
func (c *Consumers) Wake(head int64) {
	for _, r := range c.readers {
		r.notified(head, true)
	}
}

// Status says how each group does, in the order given to New. It asks nobody
// and never blocks for long.
func (c *Consumers) Status() []GroupStatus {
	all := make([]GroupStatus, len(c.readers))
	for i, r := range c.readers {
		all[i] = r.status()
	}
	return all
}

// connConfig parses url and makes both ends notice a silent peer: the server
// within 25 s (10 + 3×5), which is when another process may take the lease; the
// client notices within 6 s by its own pings (lease.go) and stops.
func connConfig(url, application string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("log database URL: %w", err)
	}
	for k, v := range map[string]string{
		"application_name":        application,
		"tcp_keepalives_idle":     "10",
		"tcp_keepalives_interval": "5",
		"tcp_keepalives_count":    "3",
	} {
		cfg.RuntimeParams[k] = v
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 5 * time.Second
	}
	return cfg, nil
}
