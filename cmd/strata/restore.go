package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/blob"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/erasure"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/app/restore"
	"strata.dev/strata/migrations"
)

// restore brings back what was lost, or shows what there was.
func (c *cli) restore() *cobra.Command {
	cmd := group("restore", "Bring the log back from its archive; take out one organization, stream or read model as of any position")
	cmd.AddCommand(c.restoreLog(), c.restoreOrganization(), c.restoreStream(), c.restoreModel())
	return cmd
}

// logRestore is what `strata restore log` is asked for.
type logRestore struct {
	from, at, merge string
	begin           restore.NewEpoch
}

func (c *cli) restoreLog() *cobra.Command {
	var ask logRestore
	cmd := &cobra.Command{
		Use: "log", Short: "Restore the whole log from its archive (STRATA_LOG_ADMIN_URL; no service may be running)", Args: noArgs,
		Long: `Restore the whole log from its archive, into an empty database or behind what a database has of it already, and begin
the next epoch. All is proven before it is written: segments, chain, roots, and what is there, to the byte. Interrupted at
any moment it goes on when it is called again; services do not open a log before it is through. History is not announced
again. Erased persons stay erased: their keys are destroyed (STRATA_KEYS_URL) before anything can be read.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := cfg.need("STRATA_LOG_ADMIN_URL"); err != nil {
				return err
			}
			report, err := ask.run(cmd.Context(), cfg, log, c.reporter(cmd.ErrOrStderr(), "events"))
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), report, func(w io.Writer) error { return printRestored(w, report) })
		},
	}
	cmd.Flags().StringVar(&ask.from, "from", "", "the archive: file:///directory or s3://bucket/prefix?…; by default STRATA_ARCHIVE_URL")
	cmd.Flags().StringVar(&ask.at, "at", "", "where to end: a position, or an instant (RFC 3339); by default the end of the archive")
	cmd.Flags().StringVar(&ask.merge, "merge", "", "what has the events of missing or damaged segments: the URL of a log database (a standby) or of another archive, or a file of event lines")
	cmd.Flags().StringVar(&ask.begin.Reason, "reason", "restored from the archive", "why: everybody who reads the log reads it")
	cmd.Flags().Int64Var(&ask.begin.LostHead, "lost-head", 0, "the last position that is known of what was lost, if somebody outside knows more")
	return cmd
}

func (ask logRestore) run(ctx context.Context, cfg config, log *slog.Logger, report func(progress)) (done restore.Report, err error) {
	until, err := parseUntil(ask.at)
	if err != nil {
		return done, usageError{err}
	}
	store, err := openArchiveAt(ctx, cfg, ask.from)
	if err != nil {
		return done, err
	}
	mend, release, err := openMerge(ctx, cfg, ask.merge)
	if err != nil {
		return done, err
	}
	defer release()
	destroy, err := openDestroyer(ctx, cfg)
	if err != nil {
		return done, err
	}
	if destroy == nil {
		log.WarnContext(ctx, "STRATA_KEYS_URL is not set: keys of erased persons cannot be destroyed here")
	}
	if err := migrateLog(ctx, cfg, log); err != nil {
		return done, err
	}
	target, err := postgres.OpenRestorer(ctx, cfg.LogAdminURL)
	if err != nil {
		return done, explainInUse(cfg.LogAdminURL, err)
	}
	defer target.Close()
	followers, err := followersOf(ctx, cfg, target)
	if err != nil {
		log.WarnContext(ctx, "not everybody could say up to where they have followed the log", "err", err)
	}
	ask.begin.Operator = operator()
	done, err = restore.Log(ctx, restore.Options{
		Archive: store, Target: target, Instance: cfg.Instance, Until: until, Mend: mend, Erased: destroy,
		Begin: ask.begin, Followers: followers,
		Progress: func(p restore.Progress) {
			report(progress{Task: "restore the log", Phase: p.Phase, Done: p.Done, Total: p.Total, PerSecond: int64(p.PerSecond)})
		},
	})
	if err != nil {
		return done, fmt.Errorf("%w\n%d positions were there, %d were restored; what is there is whole: call it again, with --merge if the archive lacks something", err, done.Compared, done.Restored)
	}
	return done, nil
}

// migrateLog makes roles and tables of the log database, if they are not there.
func migrateLog(ctx context.Context, cfg config, log *slog.Logger) error {
	passwords := map[string]string{}
	if u, err := url.Parse(cfg.LogURL); err == nil && u.User != nil {
		if p, ok := u.User.Password(); ok {
			passwords["strata_log"] = p
		}
	}
	if err := migrations.Up(ctx, migrations.Log, cfg.LogAdminURL, passwords, log); err != nil {
		return explain("the event log", cfg.LogAdminURL, err)
	}
	return nil
}

// openArchiveAt opens the archive at a URL, or the configured one.
func openArchiveAt(ctx context.Context, cfg config, at string) (blob.Store, error) {
	if at != "" {
		cfg.ArchiveURL = at
	}
	store, err := openArchiveStore(ctx, cfg)
	if err == nil && store == nil {
		err = usageError{errors.New("which archive? Set STRATA_ARCHIVE_URL, or give --from")}
	}
	return store, err
}

// openDestroyer opens what destroys the keys of erased persons; nil if there is no
// key store.
func openDestroyer(ctx context.Context, cfg config) (eventlog.BatchHandler, error) {
	keys, _, err := openKeyStore(ctx, cfg, false, nil)
	if err != nil || keys == nil {
		return nil, err
	}
	return erasure.Handler(personal.NewSealer(keys)), nil
}

// mender gives what an archive lacks.
type mender = func(ctx context.Context, epoch int, first, last int64, cause error) ([]eventlog.Event, error)

// openMerge opens what --merge names; nil if it names nothing.
func openMerge(ctx context.Context, cfg config, merge string) (_ mender, release func(), err error) {
	release = func() {}
	switch scheme, _, _ := strings.Cut(merge, "://"); {
	case merge == "":
		return nil, release, nil
	case scheme == "postgres" || scheme == "postgresql":
		log, err := postgres.OpenCopy(ctx, merge)
		if err != nil {
			return nil, release, explain("the log to merge from", merge, err)
		}
		return restore.MendFrom(log), log.Close, nil
	case scheme == "file" || scheme == "s3":
		store, err := openArchiveAt(ctx, cfg, merge)
		if err != nil {
			return nil, release, err
		}
		return restore.MendFromArchive(store), release, nil
	}
	lines, err := readLines(merge)
	if err != nil {
		return nil, release, usageError{fmt.Errorf("--merge %s: %w", merge, err)}
	}
	return restore.MendFrom(lines), release, nil
}

// readLines reads a file of event lines, packed with zstd or not.
func readLines(name string) (restore.Lines, error) {
	body, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(name, ".zst") {
		z, err := zstd.NewReader(nil)
		if err != nil {
			return nil, err
		}
		defer z.Close()
		if body, err = z.DecodeAll(body, nil); err != nil {
			return nil, err
		}
	}
	return restore.ParseLines(bytes.Split(body, []byte("\n")))
}

// parseUntil reads a position or an instant.
func parseUntil(at string) (restore.Until, error) {
	if at == "" {
		return restore.Until{}, nil
	}
	if n, err := strconv.ParseInt(at, 10, 64); err == nil && n > 0 {
		return restore.Until{Position: n}, nil
	}
	instant, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return restore.Until{}, fmt.Errorf("--at %q is neither a position nor an instant as of RFC 3339", at)
	}
	return restore.Until{At: instant}, nil
}

func printRestored(w io.Writer, r restore.Report) error {
	fmt.Fprintf(w, "%d positions were there and are equal; %d were restored in %.1f s (%.0f events/s).\n", r.Compared, r.Restored, r.Seconds, r.PerSecond)
	fmt.Fprintf(w, "Up to position %d the log is that of the archive (epoch %d); root %s.\n", r.Head, r.Epoch, r.Root)
	switch {
	case r.Unproven > 0:
		fmt.Fprintf(w, "From position %d on nothing in the archive proves it: it came by --merge.\n", r.Unproven)
	case r.Proven > 0:
		fmt.Fprintf(w, "The archive's signed checkpoint of size %d has the same root. Who holds the key checks the signature: strata-verify archive.\n", r.Proven)
	}
	fmt.Fprintf(w, "%d documents and %d imports were put back.\n", r.Originals, r.Imports)
	if r.Began == nil {
		_, err := fmt.Fprintln(w, "Nothing was missing: no epoch was begun.")
		return err
	}
	fmt.Fprintf(w, "Epoch %d begins at position %d.\n", r.Began.Number, r.Began.First)
	if r.Began.LostHead > 0 {
		fmt.Fprintf(w, "Positions %d to %d of the history before are known, and not in the log.\n", r.Began.First, r.Began.LostHead)
	}
	if err := printDiverged(w, r.Diverged); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "\nNext: start the service; it rebuilds what follows the log. Consumers that lost their queues: strata relay replay --from … --queue …")
	return err
}
