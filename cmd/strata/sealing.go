package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strata.dev/strata/adapters/notekeys"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/adapters/witness"
	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/ledger"
)

// How the ledger's group reads: late and much, since what it does costs less the
// more events come together, and nobody waits for it but who asks for a receipt.
const (
	sealLinger  = 250 * time.Millisecond
	sealLook    = 600 * time.Millisecond // for what other instances have recorded
	sealRows    = 8_000
	sealTimeout = time.Minute
)

// openSealed makes what reads the sealed log, whoever seals it.
func (s *service) openSealed(ctx context.Context) (err error) {
	if s.seals, err = postgres.OpenLedger(ctx, s.cfg.LogURL); err != nil {
		return explain("the event log", s.cfg.LogURL, err)
	}
	s.closers = append(s.closers, s.seals.Close)
	s.sealed = ledger.NewReader(ledger.ReaderOptions{Store: s.seals, Events: s.events, Epoch: s.epochs.Current().Number})
	return nil
}

// openSealing makes what seals the log. Without a key nothing is sealed by this
// instance.
func (s *service) openSealing(ctx context.Context) error {
	if !s.cfg.takesPart(ledgerGroup) {
		return nil
	}
	keys, err := openLedgerKeys(s.cfg)
	if err != nil {
		return err
	}
	if keys == nil {
		s.log.WarnContext(ctx, "the log is not sealed by this instance: set STRATA_LEDGER_KEY_FILE")
		return nil
	}
	other, err := openWitness(s.cfg)
	if err != nil {
		return err
	}
	s.sealer, err = ledger.New(ledger.Options{
		Store: s.seals, Epoch: s.epochs.Current().Number, Instance: s.cfg.Instance, Signers: keys.Signers, VKeys: keys.VKeys,
		Archived: s.archivedCheckpoint(), Witness: other, Logger: s.log,
	})
	return err
}

// archivedAge is how old the archive's answer may be that a signature rests on.
const archivedAge = 2 * time.Second

// archivedCheckpoint is what the archive holds of the log; nil if there is no
// archive. One goroutine at a time asks.
func (s *service) archivedCheckpoint() ledger.Archived {
	if s.store == nil {
		return nil
	}
	var asked time.Time
	var note []byte
	var found bool
	return func(ctx context.Context, epoch int) ([]byte, bool, error) {
		if time.Since(asked) < archivedAge {
			return note, found, nil
		}
		ctx, cancel := context.WithTimeout(ctx, archivedAge)
		defer cancel()
		_, newest, ok, err := archive.LastCheckpoint(ctx, s.store, epoch)
		if err == nil {
			asked, note, found = time.Now(), newest, ok
		}
		return newest, ok, err
	}
}

// openLedgerKeys reads the keys that sign checkpoints; nil if there are none. Only
// outside production are they made if they are missing.
func openLedgerKeys(cfg config) (*notekeys.Keys, error) {
	file := cfg.ledgerKeyFile()
	if file == "" {
		return nil, nil
	}
	keys, err := notekeys.Open(notekeys.Options{File: file, Name: ledger.KeyName(cfg.Instance), Create: cfg.Env != production})
	if err != nil {
		return nil, usageError{fmt.Errorf("STRATA_LEDGER_KEY_FILE: %w", err)}
	}
	return keys, nil
}

// openWitness makes a client of the witness that the settings name, nil if none.
func openWitness(cfg config) (ledger.Witness, error) {
	if cfg.WitnessURL == "" && cfg.WitnessKey == "" {
		return nil, nil
	}
	client, err := witness.NewClient(cfg.WitnessURL, cfg.WitnessKey, nil)
	if err != nil {
		return nil, usageError{fmt.Errorf("STRATA_WITNESS_URL, STRATA_WITNESS_KEY: %w", err)}
	}
	return client, nil
}

// sealGroup is the consumer group that grows the ledger; ok = false: this instance
// does not.
func (s *service) sealGroup() (g consumer.Group, ok bool) {
	if s.sealer == nil {
		return consumer.Group{}, false
	}
	return consumer.Group{
		Name: ledgerGroup, Advance: s.sealer.Grow, Checkpoint: s.sealer.Checkpoint,
		Linger: sealLinger, Lazy: sealLook, BatchRows: sealRows, HandlerTimeout: sealTimeout,
	}, true
}

// leads says whether this instance reads for a consumer group.
func (s *service) leads(group string) bool {
	for _, g := range s.consumers.Status() {
		if g.Name == group {
			return g.Leader
		}
	}
	return false
}

func (s *service) leadsLedger() bool { return s.leads(ledgerGroup) }

// probeLedger is what /healthz tells of sealing.
func (s *service) probeLedger(context.Context) error {
	if s.sealer == nil {
		if s.cfg.takesPart(ledgerGroup) {
			return errors.New("this instance has no key to seal the log with: set STRATA_LEDGER_KEY_FILE")
		}
		return nil
	}
	if !s.leadsLedger() {
		return nil
	}
	st := s.sealer.Status()
	var errs []error
	if st.Refused != "" {
		errs = append(errs, fmt.Errorf("nothing is signed since %s: %s", st.Since.UTC().Format(time.RFC3339), st.Refused))
	}
	if st.WitnessFailed != "" {
		errs = append(errs, fmt.Errorf("the witness has not cosigned since %s: %s", st.WitnessSince.UTC().Format(time.RFC3339), st.WitnessFailed))
	}
	return errors.Join(errs...)
}

var (
	descLedgerSize    = prometheus.NewDesc("strata_ledger_size", "Events under the newest signed checkpoint; of the instance that seals.", nil, nil)
	descLedgerAge     = prometheus.NewDesc("strata_ledger_checkpoint_age_seconds", "Seconds since a checkpoint was signed, while events wait for the next one; else 0.", nil, nil)
	descLedgerRefused = prometheus.NewDesc("strata_ledger_refused", "1 while nothing is signed because what was computed twice differs, or cannot be computed.", nil, nil)
	descLedgerWitness = prometheus.NewDesc("strata_ledger_witness_failing", "1 while checkpoints go out without the witness's cosignature.", nil, nil)
)

// collectLedger is the part of a scrape that is about sealing.
func (m *statusMetrics) collectLedger(gauge func(*prometheus.Desc, float64, ...string)) {
	if m.s.sealer == nil || !m.s.leadsLedger() {
		return
	}
	st := m.s.sealer.Status()
	gauge(descLedgerSize, float64(st.Signed))
	gauge(descLedgerAge, checkpointAge(st, time.Now()).Seconds())
	gauge(descLedgerRefused, one(st.Refused != ""))
	gauge(descLedgerWitness, one(st.WitnessFailed != ""))
}

// checkpointAge is how long events have waited to be sealed, at most.
func checkpointAge(st ledger.Status, now time.Time) time.Duration {
	switch {
	case st.Signed >= st.Size:
		return 0
	case st.SignedAt.IsZero(): // nothing is signed yet
		if st.Since.IsZero() {
			return 0
		}
		return now.Sub(st.Since)
	}
	return now.Sub(st.SignedAt)
}

// runSealing signs while this instance leads the group.
func (s *service) runSealing(ctx context.Context) { s.sealer.Run(ctx, s.leadsLedger) }

// examineLedger looks at what the log is sealed with.
func examineLedger(cfg config) []finding {
	const check = "ledger key"
	if !cfg.takesPart(ledgerGroup) {
		return nil
	}
	all := []finding{examineKeyFile(check, cfg.ledgerKeyFile(), "the log is not sealed: make a key with `strata ledger keygen`, and set STRATA_LEDGER_KEY_FILE")}
	if all[0].Status == findingOK {
		if _, err := notekeys.Open(notekeys.Options{File: cfg.ledgerKeyFile(), Name: ledger.KeyName(cfg.Instance)}); err != nil {
			all[0] = failed(check, err)
		}
	}
	other, err := openWitness(cfg)
	switch {
	case err != nil:
		all = append(all, failed("witness", err))
	case other == nil && cfg.Env == production:
		all = append(all, warn("witness", "run `strata witness` on a machine that others administer, and set STRATA_WITNESS_URL and STRATA_WITNESS_KEY", "none is set: whoever has the ledger key can show one history to some and another to others"))
	}
	return all
}
