package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/notekeys"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/app/ledger"
	"strata.dev/strata/migrations"
)

// benchLedger measures what sealing costs those who append: the same load on a log
// that nobody seals and on one that is sealed meanwhile, in turn.
func (b *bench) benchLedger(ctx context.Context) error {
	open, err := b.appender(ctx, "bench_open", false)
	if err != nil {
		return err
	}
	defer open.close()
	sealed, err := b.appender(ctx, "bench_sealed", true)
	if err != nil {
		return err
	}
	defer sealed.close()
	t := b.table("Ledger: commands of one event per second, on a log that is sealed meanwhile", "clients", "not sealed", "sealed", "ratio", "p99 not sealed", "p99 sealed", "processor time for 1,000, not sealed", "sealed", "until all is sealed")
	for _, clients := range []int{8, 32, 128} {
		got, err := interleave(ctx, 2*b.reps+1, []rival{
			{"open", func(ctx context.Context) (sample, error) { return open.load(ctx, b, clients) }},
			{"sealed", func(ctx context.Context) (sample, error) { return sealed.load(ctx, b, clients) }},
		})
		if err != nil {
			return err
		}
		off, on := got["open"], got["sealed"]
		t.row(fmt.Sprint(clients), rate(off.perSecond), rate(on.perSecond), ratio(on.perSecond, off.perSecond), ms(off.p99), ms(on.p99), off.used, on.used, sealed.worst.Round(time.Millisecond).String())
		b.target(fmt.Sprintf("append at %d clients with the ledger on, beside off", clients), on.perSecond/off.perSecond, 0.95)
	}
	b.bound("seconds until what was appended last is sealed", sealed.worst.Seconds(), 2)
	return nil
}

// appender is a log, and what seals it if it is sealed.
type appender struct {
	log       *postgres.Log
	store     *postgres.Ledger
	stop      func()
	consumers *consumer.Consumers
	worst     time.Duration // from the end of a load to the checkpoint of its last event
}

func (b *bench) appender(ctx context.Context, name string, seal bool) (_ *appender, err error) {
	urls, err := b.servers.database(ctx, migrations.Log, name)
	if err != nil {
		return nil, err
	}
	a := &appender{stop: func() {}}
	a.log, err = postgres.Open(ctx, urls["strata_log"], postgres.Options{OnCommit: func(head int64) {
		if a.consumers != nil {
			a.consumers.Wake(head)
		}
	}})
	if err != nil {
		return nil, err
	}
	if !seal {
		return a, nil
	}
	dir, err := os.MkdirTemp("", "strata-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // the keys are read by then
	keys, err := notekeys.Open(notekeys.Options{File: filepath.Join(dir, "ledger.key"), Name: ledger.KeyName("bench"), Create: true})
	if err != nil {
		return nil, err
	}
	if a.store, err = postgres.OpenLedger(ctx, urls["strata_log"]); err != nil {
		return nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	sealer, err := ledger.New(ledger.Options{Store: a.store, Epoch: 1, Instance: "bench", Signers: keys.Signers, VKeys: keys.VKeys, Logger: quiet})
	if err != nil {
		return nil, err
	}
	// As the service has it (cmd/strata/sealing.go).
	group := consumer.Group{
		Name: "ledger", Advance: sealer.Grow, Checkpoint: sealer.Checkpoint,
		Linger: 250 * time.Millisecond, Lazy: 600 * time.Millisecond, BatchRows: 8_000, HandlerTimeout: time.Minute,
	}
	if a.consumers, err = consumer.New(urls["strata_log"], []consumer.Group{group}, consumer.Options{Logger: quiet}); err != nil {
		return nil, err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 2)
	go func() { done <- a.consumers.Run(run) }()
	go func() {
		sealer.Run(run, func() bool { return a.consumers.Status()[0].Leader })
		done <- nil
	}()
	a.stop = func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				fmt.Fprintln(os.Stderr, "bench: ledger:", err)
			}
		}
		a.store.Close()
	}
	return a, nil
}

func (a *appender) close() {
	a.stop()
	a.log.Close()
}

// load is a timed run, after which all of it is sealed: nothing of it is left for
// the run that follows.
func (a *appender) load(ctx context.Context, b *bench, clients int) (s sample, err error) {
	before, err := a.log.Head(ctx)
	if err != nil {
		return s, err
	}
	used := b.servers.usage()
	organization, streams := uuid.New(), make([]string, clients)
	s, err = closedLoop(ctx, clients, b.warm, b.duration, func(ctx context.Context, w, n int) error {
		version := int64(n%eventsPerStream) + 1
		if version == 1 {
			streams[w] = "indicator-" + uuid.NewString()
		}
		return strataAppend(ctx, a.log, newEvent(organization, streams[w], version))
	})
	if err != nil {
		return s, err
	}
	head, err := a.log.Head(ctx)
	if err != nil {
		return s, err
	}
	if a.store != nil {
		if err := a.awaitSealed(ctx, head); err != nil {
			return s, err
		}
	}
	s.used = b.servers.usage().append(used, head-before)
	return s, nil
}

func (a *appender) awaitSealed(ctx context.Context, head int64) error {
	began := time.Now()
	for time.Since(began) < time.Minute {
		switch c, ok, err := a.store.Latest(ctx, 1); {
		case err != nil:
			return err
		case ok && c.Size >= head:
			a.worst = max(a.worst, time.Since(began))
			return nil
		}
		<-time.After(20 * time.Millisecond)
	}
	return fmt.Errorf("position %d is not sealed after a minute", head)
}
