package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/auditdb"
	"strata.dev/strata/adapters/plansdb"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/projection"
	"strata.dev/strata/app/restore"
	"strata.dev/strata/migrations"
)

// extraction is what `strata restore organization` and `stream` are asked for.
type extraction struct{ from, at, to string }

func (a *extraction) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.from, "from", "", "an archive's URL; by default the log itself")
	cmd.Flags().StringVar(&a.at, "at", "", "as of a position, or an instant (RFC 3339); by default the end")
	cmd.Flags().StringVar(&a.to, "to", "", "a directory that is empty or not there")
}

func (c *cli) restoreOrganization() *cobra.Command {
	var ask extraction
	cmd := &cobra.Command{
		Use: "organization ID --to DIR", Short: "Take out one organization as of any position: its events and the state of every entity",
		Args: exactly(1, "the organization's id"),
		Long: `Take out one organization as of any position or instant, beside a running service: events.ndjson (every event with all its
fields, as an archive has them), states/<stream>.json (the state of every entity) and manifest.json (digests).`,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := uuid.Parse(args[0])
			if err != nil || ask.to == "" {
				return usageError{errors.New("give an organization's id, and --to")}
			}
			return c.extract(cmd, ask, restore.Wanted{OrganizationID: id})
		},
	}
	ask.flags(cmd)
	return cmd
}

func (c *cli) restoreStream() *cobra.Command {
	var ask extraction
	cmd := &cobra.Command{
		Use: "stream ID", Short: "Take out one stream as of any position: its state, and with --to its events",
		Args: exactly(1, "the stream's id, such as strategy-0198…"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.extract(cmd, ask, restore.Wanted{Stream: args[0]})
		},
	}
	ask.flags(cmd)
	return cmd
}

// extractedLine is what an extraction has come to.
type extractedLine struct {
	restore.Extracted
	To    string          `json:"to,omitempty"`
	State *restore.Entity `json:"entity,omitempty"` // of a single stream
}

func (l extractedLine) print(w io.Writer) error {
	if l.State != nil {
		fmt.Fprintf(w, "%s\n\n", l.State.State)
	}
	fmt.Fprintf(w, "%d events, positions %d to %d, of what was recorded up to position %d\nstates %s (%d entities)\n", l.Events, l.First, l.Last, l.Position, l.Digest, len(l.States))
	if l.To != "" {
		fmt.Fprintf(w, "in %s\n", l.To)
	}
	return nil
}

func (c *cli) extract(cmd *cobra.Command, ask extraction, want restore.Wanted) error {
	cfg, log, err := c.load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	until, err := parseUntil(ask.at)
	if err != nil {
		return usageError{err}
	}
	ctx := cmd.Context()
	_, source, release, err := openSource(ctx, cfg, log, ask.from)
	if err != nil {
		return err
	}
	defer release()
	line, err := ask.write(ctx, source, until, want)
	if err != nil {
		return err
	}
	return c.print(cmd.OutOrStdout(), line, line.print)
}

// openSource opens an archive, or the log if none is named; log is nil then.
func openSource(ctx context.Context, cfg config, logger *slog.Logger, from string) (log *postgres.Log, source restore.Source, release func(), err error) {
	if from != "" {
		store, err := openArchiveAt(ctx, cfg, from)
		if err != nil {
			return nil, nil, nil, err
		}
		return nil, restore.FromArchive(store), func() {}, nil
	}
	if err := cfg.need("STRATA_LOG_URL"); err != nil {
		return nil, nil, nil, err
	}
	log, err = postgres.Open(ctx, cfg.LogURL, postgres.Options{Logger: logger})
	if err != nil {
		return nil, nil, nil, explain("the event log", cfg.LogURL, err)
	}
	return log, restore.FromLog(log), log.Close, nil
}

// write takes out what is wanted, into a directory if one is named.
func (a extraction) write(ctx context.Context, source restore.Source, until restore.Until, want restore.Wanted) (line extractedLine, err error) {
	if a.to == "" {
		line.Extracted, err = restore.Extract(ctx, source, until, want, io.Discard, func(e restore.Entity) error {
			line.State = &e
			return nil
		})
		return line, err
	}
	line.To = a.to
	if there, err := os.ReadDir(a.to); err == nil && len(there) > 0 {
		return line, usageError{fmt.Errorf("--to %s: it is not empty", a.to)}
	}
	if err := os.MkdirAll(filepath.Join(a.to, "states"), 0o700); err != nil {
		return line, err
	}
	events, err := os.OpenFile(filepath.Join(a.to, "events.ndjson"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return line, err
	}
	buffered := bufio.NewWriterSize(events, 1<<20)
	line.Extracted, err = restore.Extract(ctx, source, until, want, buffered, func(e restore.Entity) error {
		return writeJSON(filepath.Join(a.to, "states", e.Stream+".json"), e)
	})
	if err = errors.Join(err, buffered.Flush(), events.Close()); err != nil {
		return line, err
	}
	return line, writeJSON(filepath.Join(a.to, "manifest.json"), line.Extracted)
}

func writeJSON(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o600)
}

// restoredModel is a read model that was built elsewhere.
type restoredModel struct {
	Name     string  `json:"name"`
	Position int64   `json:"position,string"`
	Digest   string  `json:"digest"`
	Seconds  float64 `json:"seconds"`
}

func (m restoredModel) print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s as of position %d is there, built in %.1f s; its content is %s\n", m.Name, m.Position, m.Seconds, m.Digest)
	return err
}

func (c *cli) restoreModel() *cobra.Command {
	var at, to, from string
	cmd := &cobra.Command{
		Use: "model plans|audit --to DATABASE_URL", Short: "Build a read model as of any position into another database",
		Args: exactly(1, oneProjection), ValidArgs: projectionNames,
		Long: `Build a read model as of any position or instant into another, empty database, beside a running service. --to is an
administrator's URL of that database. What the live model says at that position has the same digest.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if to == "" {
				return usageError{errors.New("give --to, an administrator's URL of an empty database")}
			}
			cfg, log, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			until, err := parseUntil(at)
			if err != nil {
				return usageError{err}
			}
			ctx := cmd.Context()
			events, source, release, err := openSource(ctx, cfg, log, from)
			if err != nil {
				return err
			}
			defer release()
			reader, err := modelSource(ctx, events, source, until)
			if err != nil {
				return err
			}
			done, err := buildModel(ctx, args[0], to, reader, log, c.reporter(cmd.ErrOrStderr(), "events"))
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), done, done.print)
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "as of a position, or an instant (RFC 3339); by default the end")
	cmd.Flags().StringVar(&to, "to", "", "an administrator's URL of the other database, which must be empty")
	cmd.Flags().StringVar(&from, "from", "", "an archive's URL; by default the log itself")
	return cmd
}

// modelSource is what a model is built from: the log up to a position, or an
// archive's events, which are kept in memory.
func modelSource(ctx context.Context, log *postgres.Log, source restore.Source, until restore.Until) (eventlog.Reader, error) {
	if log != nil && until.At.IsZero() {
		head, err := log.Head(ctx)
		if err != nil {
			return nil, err
		}
		if until.Position > head {
			return nil, usageError{fmt.Errorf("--at %d: the log ends at position %d", until.Position, head)}
		}
		if until.Position > 0 {
			head = until.Position
		}
		return restore.UpTo(log, head), nil
	}
	var lines restore.Lines
	var last int64
	err := source(ctx, until, func(e *eventlog.Event) error {
		if last = e.Position; log == nil {
			lines = append(lines, *e)
		}
		return nil
	})
	if log != nil {
		return restore.UpTo(log, last), err
	}
	return lines, err
}

func buildModel(ctx context.Context, name, to string, log eventlog.Reader, logger *slog.Logger, report func(progress)) (restoredModel, error) {
	started := time.Now()
	kind := migrations.Database(name)
	if migrations.Roles(kind) == nil || kind == migrations.Log {
		return restoredModel{}, usageError{fmt.Errorf("there is no read model %q: take plans or audit", name)}
	}
	if err := migrations.Up(ctx, kind, to, nil, logger); err != nil {
		return restoredModel{}, explain("the other database", to, err)
	}
	var p interface {
		projection.Projection
		Close()
	}
	var err error
	quiet := slog.New(slog.DiscardHandler)
	if kind == migrations.Plans {
		p, err = plansdb.OpenProjection(ctx, to, plansdb.Options{Log: quiet})
	} else {
		p, err = auditdb.OpenProjection(ctx, to, auditdb.Options{Log: quiet})
	}
	if err != nil {
		return restoredModel{}, explain("the other database", to, err)
	}
	defer p.Close()
	at, err := p.Checkpoint(ctx)
	if err != nil {
		return restoredModel{}, explain("the other database", to, err)
	}
	if at > 0 {
		return restoredModel{}, usageError{fmt.Errorf("the other database holds a read model at position %d: give an empty one", at)}
	}
	err = p.Rebuild(ctx, log, func(now projection.Progress) {
		report(progress{Task: "build " + name, Phase: now.Phase, Done: now.Done, Total: now.Total, PerSecond: int64(now.PerSecond), ETASeconds: now.ETA.Seconds()})
	})
	if err != nil {
		return restoredModel{}, err
	}
	digest, err := p.Digest(ctx)
	if err != nil {
		return restoredModel{}, err
	}
	return restoredModel{name, digest.Position, digest.SHA256, time.Since(started).Seconds()}, nil
}
