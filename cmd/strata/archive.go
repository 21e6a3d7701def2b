package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/blob"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
)

// archive looks at the archive of the log. It works from any machine that reaches
// the store, and compares with the log if it reaches that, too.
func (c *cli) archive() *cobra.Command {
	cmd := group("archive", "Look at the archive of the log, and verify it")
	var at string
	cmd.PersistentFlags().StringVar(&at, "archive", "", "URL of the archive (default STRATA_ARCHIVE_URL)")
	with := func(cmd *cobra.Command, fn func(ctx context.Context, cfg config, store blob.Store) error) error {
		cfg, _, err := c.load(cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		cfg.ArchiveURL = cmp.Or(at, cfg.ArchiveURL)
		store, err := openArchiveStore(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		if store == nil {
			return usageError{errors.New("there is no archive: set STRATA_ARCHIVE_URL, or give --archive")}
		}
		return fn(cmd.Context(), cfg, store)
	}

	status := &cobra.Command{
		Use: "status", Short: "Where the archive ends, and how far the log is ahead of it", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd, func(ctx context.Context, cfg config, store blob.Store) error {
				st, err := archiveStatusOf(ctx, cfg, store)
				if err != nil {
					return err
				}
				return c.print(cmd.OutOrStdout(), st, st.print)
			})
		},
	}

	epoch, after, limit := 0, int64(0), 0
	list := &cobra.Command{
		Use: "list", Short: "List the segments of an epoch", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > 10_000 {
				return usageError{fmt.Errorf("--limit takes 1 to 10000, not %d", limit)}
			}
			return with(cmd, func(ctx context.Context, _ config, store blob.Store) (err error) {
				if epoch == 0 {
					if epoch, err = archive.LastEpoch(ctx, store); err != nil || epoch == 0 {
						return err
					}
				}
				entries, err := archive.Entries(ctx, store, epoch, after, limit)
				if err != nil {
					return err
				}
				lines := make([]segmentLine, len(entries))
				for i, e := range entries {
					lines[i] = segmentLine{e.Epoch, e.First, e.Size, e.At, archive.SegmentKey(e.Epoch, e.First)}
				}
				return c.print(cmd.OutOrStdout(), lines, func(w io.Writer) error {
					fmt.Fprintln(w, "EPOCH\tFIRST POSITION\tBYTES\tAT\tKEY")
					for _, l := range lines {
						fmt.Fprintf(w, "%d\t%d\t%d\t%s\t%s\n", l.Epoch, l.First, l.Bytes, l.At.Format(time.RFC3339), l.Key)
					}
					return nil
				})
			})
		},
	}
	list.Flags().IntVar(&epoch, "epoch", 0, "the epoch (default the newest)")
	list.Flags().Int64Var(&after, "after", 0, "only segments that begin behind this position")
	list.Flags().IntVar(&limit, "limit", 1_000, "at most this many")

	verified := 0
	verify := &cobra.Command{
		Use: "verify", Short: "Read the whole archive, prove its chain and roots, and compare it with the log if that is reachable", Args: noArgs,
		Long: `Reads every segment of an epoch's history and proves form, content hash, the chain from each to the next, positions without
a gap, and the Merkle root behind each; with STRATA_LOG_URL also that the log holds the same events. Exit code 3: something is
wrong; the first bad segment and position are named.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd, func(ctx context.Context, cfg config, store blob.Store) error {
				v := archiveVerifier{report: c.reporter(cmd.ErrOrStderr(), "events")}
				result, err := v.verify(ctx, cfg, store, verified)
				if err != nil {
					return err
				}
				return c.print(cmd.OutOrStdout(), result, result.print)
			})
		},
	}
	verify.Flags().IntVar(&verified, "epoch", 0, "the epoch whose history is verified (default the newest)")
	cmd.AddCommand(status, list, verify)
	return cmd
}

// segmentLine is a segment as `archive list` shows it.
type segmentLine struct {
	Epoch int       `json:"epoch"`
	First int64     `json:"first,string"`
	Bytes int64     `json:"bytes,string"`
	At    time.Time `json:"at"`
	Key   string    `json:"key"`
}

// archiveStatus is where an archive ends.
type archiveStatus struct {
	Location   string    `json:"location"`
	ObjectLock bool      `json:"objectLock"`
	Epoch      int       `json:"epoch"`                 // 0 = it is empty
	Position   int64     `json:"position,string"`       // of the last event in it
	Root       string    `json:"root,omitempty"`        // of the log up to there
	Segment    string    `json:"segment,omitempty"`     // the last one
	At         time.Time `json:"at,omitzero"`           // of the last segment
	Checkpoint int64     `json:"checkpoint,string"`     // tree size of the newest signed checkpoint in it
	Head       *int64    `json:"head,string,omitempty"` // of the log; absent if it was not asked
}

func archiveStatusOf(ctx context.Context, cfg config, store blob.Store) (st archiveStatus, err error) {
	place, err := store.Describe(ctx)
	if err != nil {
		return st, fmt.Errorf("%w: %w", err, errUnreachable)
	}
	st.Location, st.ObjectLock = place.Location, place.ObjectLock
	if st.Epoch, err = archive.LastEpoch(ctx, store); err != nil {
		return st, err
	}
	if st.Epoch > 0 {
		segment, ok, err := archive.LastSegment(ctx, store, st.Epoch)
		if err != nil {
			return st, bad(err)
		}
		if ok {
			st.Position, st.Root, st.Segment = segment.Last, segment.Root.String(), segment.Name
			object, err := store.Stat(ctx, segment.Name)
			if err != nil {
				return st, err
			}
			st.At = object.ModifiedAt
		}
		if st.Checkpoint, _, _, err = archive.LastCheckpoint(ctx, store, st.Epoch); err != nil {
			return st, err
		}
	}
	if cfg.LogURL == "" {
		return st, nil
	}
	log, err := postgres.Open(ctx, cfg.LogURL, postgres.Options{})
	if err != nil {
		return st, explain("the event log", cfg.LogURL, err)
	}
	defer log.Close()
	head, err := log.Head(ctx)
	st.Head = &head
	return st, err
}

func (st archiveStatus) print(w io.Writer) error {
	fmt.Fprintf(w, "archive\t%s\n", st.Location)
	fmt.Fprintf(w, "object lock\t%t\n", st.ObjectLock)
	if st.Epoch == 0 {
		fmt.Fprintln(w, "empty")
		return nil
	}
	fmt.Fprintf(w, "epoch\t%d\n", st.Epoch)
	fmt.Fprintf(w, "position\t%d\n", st.Position)
	fmt.Fprintf(w, "root\t%s\n", st.Root)
	fmt.Fprintf(w, "last segment\t%s\t%s\n", st.Segment, st.At.Format(time.RFC3339))
	fmt.Fprintf(w, "checkpoint\t%d\n", st.Checkpoint)
	if st.Head != nil {
		fmt.Fprintf(w, "log\t%d\t%d events to archive\n", *st.Head, *st.Head-st.Position)
	}
	return nil
}

// archiveResult is what a verification of the archive has found to be in order.
type archiveResult struct {
	Epoch    int    `json:"epoch"`
	Position int64  `json:"position,string"`
	Root     string `json:"root"`
	Segments int    `json:"segments"`
	Bytes    int64  `json:"bytes,string"`
	Compared bool   `json:"compared"` // with the log
}

func (r archiveResult) print(w io.Writer) error {
	with := "with itself; not with the log, which STRATA_LOG_URL does not name"
	if r.Compared {
		with = "with itself and with the log"
	}
	_, err := fmt.Fprintf(w, "%d segments, positions 1 to %d of epoch %d, %d bytes: the archive agrees %s. Root %s.\n", r.Segments, r.Position, r.Epoch, r.Bytes, with, r.Root)
	return err
}

// archiveVerifier reads an archive beside the log.
type archiveVerifier struct {
	report func(progress)
	log    *postgres.Log // nil = there is none to compare with
	page   []eventlog.Event
}

const comparePage = 1_000

func (v *archiveVerifier) verify(ctx context.Context, cfg config, store archive.Store, epoch int) (archiveResult, error) {
	total := int64(0)
	if cfg.LogURL != "" {
		log, err := postgres.Open(ctx, cfg.LogURL, postgres.Options{})
		if err != nil {
			return archiveResult{}, explain("the event log", cfg.LogURL, err)
		}
		defer log.Close()
		if total, err = log.Head(ctx); err != nil {
			return archiveResult{}, err
		}
		v.log = log
	}
	began := time.Now()
	tip, err := archive.Walk(ctx, store, archive.WalkOptions{Epoch: epoch}, func(e *eventlog.Event) error {
		if e.Position%comparePage == 0 {
			perSecond := int64(float64(e.Position) / max(time.Since(began).Seconds(), 0.001))
			v.report(progress{
				Task: "archive", Phase: "verify", Done: e.Position, Total: max(total, e.Position), PerSecond: perSecond,
				ETASeconds: float64(max(0, total-e.Position)) / float64(max(1, perSecond)),
			})
		}
		return v.compare(ctx, e)
	})
	if err != nil {
		return archiveResult{}, bad(err)
	}
	return archiveResult{tip.Epoch, tip.Last, tip.Frontier.Root().String(), tip.Segments, tip.Bytes, v.log != nil}, nil
}

// compare holds an archived event against the log.
func (v *archiveVerifier) compare(ctx context.Context, e *eventlog.Event) error {
	if v.log == nil {
		return nil
	}
	if len(v.page) == 0 {
		var err error
		if v.page, err = v.log.Read(ctx, e.Position-1, comparePage); err != nil {
			return err
		}
	}
	if len(v.page) == 0 || v.page[0].Position != e.Position {
		return fmt.Errorf("position %d is in the archive, and not in the log: %w", e.Position, archive.ErrDiffers)
	}
	archived, logged := eventlog.LeafHash(e), eventlog.LeafHash(&v.page[0])
	if archived != logged {
		return fmt.Errorf("position %d: its leaf hash is %x in the archive and %x in the log: %w", e.Position, archived, logged, archive.ErrDiffers)
	}
	v.page = v.page[1:]
	return nil
}

// bad gives what is wrong with an archive its exit code.
func bad(err error) error {
	if errors.Is(err, archive.ErrDamaged) || errors.Is(err, archive.ErrMissing) || errors.Is(err, archive.ErrDiffers) {
		return fmt.Errorf("%w (%w)", err, errDiverged)
	}
	return err
}
