package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strata.dev/strata/adapters/blob"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/app/archive"
)

// archiveTimeout is how long a batch may take: its documents, a segment, and both
// read back, from a store that is slow.
const archiveTimeout = 2 * time.Minute

// openArchiveStore makes the store of the archive, nil if the settings name none.
func openArchiveStore(ctx context.Context, cfg config) (blob.Store, error) {
	if cfg.archiveURL() == "" {
		return nil, nil
	}
	store, err := blob.Open(ctx, cfg.archiveURL(), blob.Credentials{AccessKey: cfg.ArchiveAccessKey, SecretKey: cfg.ArchiveSecretKey})
	if err != nil {
		return nil, usageError{fmt.Errorf("STRATA_ARCHIVE_URL: %w", err)}
	}
	return store, nil
}

// openArchiving makes what archives the log, and knows how far it is. Without a
// store there is neither.
func (s *service) openArchiving(ctx context.Context, originals archive.Originals) (err error) {
	if s.store, err = openArchiveStore(ctx, s.cfg); err != nil {
		return err
	}
	if s.store == nil {
		if s.cfg.takesPart(archiveGroup) {
			s.log.WarnContext(ctx, "the log is not archived: set STRATA_ARCHIVE_URL")
		}
		return nil
	}
	if s.archived, err = postgres.OpenArchived(ctx, s.cfg.LogURL); err != nil {
		return explain("the event log", s.cfg.LogURL, err)
	}
	s.closers = append(s.closers, s.archived.Close)
	checkpoints, err := postgres.OpenLedger(ctx, s.cfg.LogURL)
	if err != nil {
		return explain("the event log", s.cfg.LogURL, err)
	}
	s.closers = append(s.closers, checkpoints.Close)
	failures := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "strata_archive_failures_total", Help: "Attempts to archive that did not succeed, and were or will be repeated.",
	})
	s.registry.MustRegister(failures)
	s.archiver, err = archive.New(archive.Options{
		Store: s.store, Log: s.events, Epochs: s.events, Originals: originals, Checkpoints: checkpoints, Progress: s.archived,
		Logger: s.log, Failed: failures.Inc,
	})
	return err
}

// archiving is the consumer group that archives; ok = false: this instance does not.
func (s *service) archiving() (g consumer.Group, ok bool) {
	if s.archiver == nil || !s.cfg.takesPart(archiveGroup) {
		return consumer.Group{}, false
	}
	return consumer.Group{
		Name: archiveGroup, Handler: s.archiver.Handle, Checkpoint: s.archiver.Checkpoint, HandlerTimeout: archiveTimeout,
		// What comes while it waits shares a segment.
		Linger: s.cfg.ArchiveEvery, BatchRows: archive.MaxEvents, BatchBytes: archive.MaxEventBytes,
	}, true
}

// runArchiving archives checkpoints until ctx ends, then lets the groups finish,
// but not wait for a store that does not answer.
func (s *service) runArchiving(ctx context.Context, finished <-chan struct{}) {
	s.archiver.RunCheckpoints(ctx, s.leadsArchive)
	<-ctx.Done()
	patience := time.NewTimer(s.cfg.DrainTimeout / 2)
	defer patience.Stop()
	select {
	case <-finished:
	case <-patience.C:
	}
	s.archiver.Stop()
}

func (s *service) leadsArchive() bool { return s.leads(archiveGroup) }

// probeArchive is what /healthz tells of the archive.
func (s *service) probeArchive(ctx context.Context) error {
	if s.archiver == nil || !s.leadsArchive() {
		return nil
	}
	var errs []error
	st := s.archiver.Status()
	if st.Refused != nil {
		errs = append(errs, fmt.Errorf("nothing is archived: %w", st.Refused))
	}
	if st.CheckpointError != nil {
		errs = append(errs, fmt.Errorf("a signed checkpoint cannot be archived: %w", st.CheckpointError))
	}
	if lag, err := s.archiveLag(ctx); err == nil && lag > archiveLate {
		errs = append(errs, fmt.Errorf("position %d is archived, and what follows it has waited for %s", st.Position, lag.Round(time.Second)))
	}
	return errors.Join(errs...)
}

// archiveLate is when health says so: five times what is promised.
const archiveLate = 10 * time.Second

// archiveLag is how long the oldest event that is not archived has waited.
func (s *service) archiveLag(ctx context.Context) (time.Duration, error) {
	position := s.archiver.Status().Position
	if position == 0 { // nothing is known here yet
		var err error
		if position, err = s.archived.Archived(ctx); err != nil {
			return 0, err
		}
	}
	waiting, err := s.events.Read(ctx, position, 1)
	if err != nil || len(waiting) == 0 {
		return 0, err
	}
	return max(0, time.Since(waiting[0].RecordedAt)), nil
}

var (
	descArchivePosition   = prometheus.NewDesc("strata_archive_position", "Position up to which the log is archived; of the instance that archives.", nil, nil)
	descArchiveLag        = prometheus.NewDesc("strata_archive_lag_seconds", "How long the oldest event that is not archived has waited; of the instance that archives.", nil, nil)
	descArchiveRefused    = prometheus.NewDesc("strata_archive_refused", "1 while nothing is archived because log and archive do not fit: somebody has to act.", nil, nil)
	descArchiveCheckpoint = prometheus.NewDesc("strata_archive_checkpoint_size", "Tree size of the newest signed checkpoint that is archived.", nil, nil)
)

// collectArchive is the part of a scrape that is about the archive.
func (m *statusMetrics) collectArchive(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) {
	if m.s.archiver == nil || !m.s.leadsArchive() {
		return
	}
	st := m.s.archiver.Status()
	gauge(descArchivePosition, float64(st.Position))
	gauge(descArchiveRefused, one(st.Refused != nil))
	gauge(descArchiveCheckpoint, float64(st.Checkpoint))
	// A log that is away shows in strata_group_failing; a scrape does not fail of it.
	if lag, err := m.s.archiveLag(ctx); err == nil {
		gauge(descArchiveLag, lag.Seconds())
	}
}

// examineArchive looks at where the archive is, and writes nothing: what is put
// into a bucket with object lock stays there.
func examineArchive(ctx context.Context, cfg config) finding {
	const check = "archive"
	store, err := openArchiveStore(ctx, cfg)
	switch {
	case err != nil:
		return failed(check, err)
	case store == nil:
		return warn(check, "set STRATA_ARCHIVE_URL", "the log is not archived: what all servers lose is lost")
	}
	place, err := store.Describe(ctx)
	if err != nil {
		return failed(check, fmt.Errorf("%w: %w", errUnreachable, err))
	}
	epoch, err := archive.LastEpoch(ctx, store)
	if err != nil {
		return failed(check, err)
	}
	at := int64(0)
	if epoch > 0 {
		last, _, err := archive.LastSegment(ctx, store, epoch)
		if err != nil {
			return failed(check, err)
		}
		at = last.Last
	}
	switch bucket := strings.HasPrefix(cfg.archiveURL(), "s3:"); {
	case cfg.Env == production && !bucket:
		return warn(check, "use a bucket with object lock, at another site", "%s, to position %d: whoever may write the directory may delete it, and it may go with this machine", place.Location, at)
	case bucket && !place.ObjectLock:
		return warn(check, "make a bucket with object lock: it cannot be switched on later everywhere", "%s, to position %d: nothing keeps who has the credentials from deleting it", place.Location, at)
	case bucket && place.Retain == 0:
		return warn(check, "add retain=… to STRATA_ARCHIVE_URL, unless the bucket has a default retention", "%s, to position %d: the bucket can lock objects, and is not asked to", place.Location, at)
	}
	return ok(check, "%s, epoch %d, to position %d", place.Location, epoch, at)
}
