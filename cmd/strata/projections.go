package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/auditdb"
	"strata.dev/strata/adapters/plansdb"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/projection"
)

// projections looks after the read databases. It works beside a running
// service, from any machine that reaches the databases.
func (c *cli) projections() *cobra.Command {
	cmd := group("projections", "List, rebuild and resume the read databases")
	var output, progress string
	list := &cobra.Command{
		Use: "list", Short: "Where each projection stands", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withProjections(cmd, func(ctx context.Context, p *projections) error {
				return p.list(ctx, cmd.OutOrStdout(), output)
			})
		},
	}
	list.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	rebuild := &cobra.Command{
		Use: "rebuild NAME", Short: "Build a read model anew from the log, beside the live one, and switch",
		Args: exactly(1, "the projection's name: plans or audit"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withProjections(cmd, func(ctx context.Context, p *projections) error {
				return p.rebuild(ctx, args[0], cmd.ErrOrStderr(), cmd.OutOrStdout(), progress)
			})
		},
	}
	rebuild.Flags().StringVar(&progress, "progress", "auto", "auto (a bar on a terminal, else JSON lines), bar, json or none")
	resume := &cobra.Command{
		Use: "resume NAME STREAM", Short: "Apply what a parked stream missed and let it flow again",
		Args: exactly(2, "the projection's name and the stream's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withProjections(cmd, func(ctx context.Context, p *projections) error {
				target, err := p.named(args[0])
				if err != nil {
					return err
				}
				if err := target.Resume(ctx, p.log, args[1]); err != nil {
					return fmt.Errorf("%s stays parked: %w", args[1], err)
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s flows again in %s.\n", args[1], args[0])
				return err
			})
		},
	}
	cmd.AddCommand(list, rebuild, resume)
	return cmd
}

// exactly n arguments, or a usage error that names them.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("%s takes %s", cmd.CommandPath(), what)}
		}
		return nil
	}
}

// projections are the read databases and the log they follow.
type projections struct {
	log *postgres.Log
	all []projection.Projection
}

// withProjections opens the databases for one command.
func (c *cli) withProjections(cmd *cobra.Command, do func(context.Context, *projections) error) error {
	cfg, log, err := c.load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if err := cfg.need("STRATA_LOG_URL", "STRATA_PLANS_URL", "STRATA_AUDIT_URL"); err != nil {
		return err
	}
	ctx := cmd.Context()
	events, err := postgres.Open(ctx, cfg.LogURL, postgres.Options{Logger: log})
	if err != nil {
		return explain("the event log", cfg.LogURL, err)
	}
	defer events.Close()
	plans, err := plansdb.OpenProjection(ctx, cfg.PlansURL, plansdb.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return explain("the plans database", cfg.PlansURL, err)
	}
	defer plans.Close()
	audit, err := auditdb.OpenProjection(ctx, cfg.AuditURL, auditdb.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return explain("the audit database", cfg.AuditURL, err)
	}
	defer audit.Close()
	return do(ctx, &projections{events, []projection.Projection{plans, audit}})
}

func (p *projections) named(name string) (projection.Projection, error) {
	i := slices.IndexFunc(p.all, func(q projection.Projection) bool { return q.Name() == name })
	if i < 0 {
		return nil, usageError{fmt.Errorf("there is no projection %q: take plans or audit", name)}
	}
	return p.all[i], nil
}

func (p *projections) list(ctx context.Context, out io.Writer, format string) error {
	head, err := p.log.Head(ctx)
	if err != nil {
		return err
	}
	type line struct {
		Name       string              `json:"name"`
		State      string              `json:"state"`
		Generation int                 `json:"generation"`
		Position   int64               `json:"position,string"`
		Lag        int64               `json:"lag"`
		Parked     []projection.Parked `json:"parked,omitempty"`
	}
	var lines []line
	for _, q := range p.all {
		st, err := q.Status(ctx)
		if err != nil {
			return fmt.Errorf("projection %s: %w", q.Name(), err)
		}
		lines = append(lines, line{q.Name(), st.State(), st.Generation.Number, st.Generation.Position, st.Lag(head), st.Parked})
	}
	if format == "json" {
		return json.NewEncoder(out).Encode(lines)
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tGENERATION\tPOSITION\tLAG\tPARKED")
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\n", l.Name, l.State, l.Generation, l.Position, l.Lag, len(l.Parked))
	}
	for _, l := range lines {
		for _, s := range l.Parked {
			fmt.Fprintf(w, "\n%s parked %s at position %d (%s): %s\n  strata projections resume %s %s", l.Name, s.StreamID, s.Position, s.Type, s.Reason, l.Name, s.StreamID)
		}
	}
	return w.Flush()
}

func (p *projections) rebuild(ctx context.Context, name string, progressOut, out io.Writer, mode string) error {
	target, err := p.named(name)
	if err != nil {
		return err
	}
	report, err := reporter(mode, name, progressOut)
	if err != nil {
		return err
	}
	start := time.Now()
	var last projection.Progress
	if err := target.Rebuild(ctx, p.log, func(now projection.Progress) { last = now; report(now) }); err != nil {
		return fmt.Errorf("rebuild %s: %w; the live model was not touched", name, err)
	}
	digest, err := target.Digest(ctx)
	if err != nil {
		return fmt.Errorf("digest of %s: %w", name, err)
	}
	took := time.Since(start)
	_, err = fmt.Fprintf(out, "%s rebuilt from %d events in %s (%.0f events/s); at position %d its content is %s\n",
		name, last.Done, took.Round(time.Millisecond), float64(last.Done)/took.Seconds(), digest.Position, digest.SHA256)
	return err
}

// reporter shows progress as a bar, as JSON lines, or not at all.
func reporter(mode, name string, out io.Writer) (func(projection.Progress), error) {
	if mode == "auto" {
		mode = "json"
		if f, ok := out.(*os.File); ok {
			if st, err := f.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 {
				mode = "bar"
			}
		}
	}
	switch mode {
	case "none":
		return func(projection.Progress) {}, nil
	case "json":
		enc := json.NewEncoder(out)
		return func(p projection.Progress) {
			// A progress line that cannot be written is no reason to stop the work.
			_ = enc.Encode(map[string]any{
				"projection": name, "phase": p.Phase, "done": p.Done, "total": p.Total,
				"perSecond": int64(p.PerSecond), "etaSeconds": p.ETA.Round(time.Second).Seconds(),
			})
		}, nil
	case "bar":
		bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("rebuild "+name),
			progressbar.OptionShowIts(), progressbar.OptionSetItsString("events"), progressbar.OptionSetPredictTime(true), progressbar.OptionShowCount())
		return func(p projection.Progress) {
			bar.ChangeMax64(p.Total)
			bar.Describe("rebuild " + name + " " + p.Phase)
			_ = bar.Set64(p.Done) // as above
		}, nil
	}
	return nil, usageError{errors.New("--progress takes auto, bar, json or none")}
}
