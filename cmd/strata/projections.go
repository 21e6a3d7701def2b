package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/auditdb"
	"strata.dev/strata/adapters/plansdb"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/projection"
)

// projectionNames are the arguments that `strata projections` takes.
var projectionNames = []string{plansdb.Name, auditdb.Name}

const oneProjection = "the projection's name: plans or audit"

// projections looks after the read databases. It works beside a running
// service, from any machine that reaches the databases.
func (c *cli) projections() *cobra.Command {
	cmd := group("projections", "List, rebuild, verify and resume the read databases")
	list := &cobra.Command{
		Use: "list", Short: "Where each projection stands", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withProjections(cmd, func(ctx context.Context, p *projections) error {
				lines, err := p.status(ctx, p.all)
				if err != nil {
					return err
				}
				return c.print(cmd.OutOrStdout(), lines, func(w io.Writer) error { return printProjections(w, lines) })
			})
		},
	}
	status := &cobra.Command{
		Use: "status NAME", Short: "One projection in detail: generations, position, what it has parked and why",
		Args: exactly(1, oneProjection), ValidArgs: projectionNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withProjections(cmd, func(ctx context.Context, p *projections) error {
				target, err := p.named(args[0])
				if err != nil {
					return err
				}
				lines, err := p.status(ctx, []projection.Projection{target})
				if err != nil {
					return err
				}
				return c.print(cmd.OutOrStdout(), lines[0], lines[0].print)
			})
		},
	}
	rebuild := &cobra.Command{
		Use: "rebuild NAME", Short: "Build a read model anew from the log, beside the live one, and switch",
		Args: exactly(1, oneProjection), ValidArgs: projectionNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withProjections(cmd, func(ctx context.Context, p *projections) error {
				done, err := p.rebuild(ctx, args[0], c.reporter(cmd.ErrOrStderr(), "events"))
				if err != nil {
					return err
				}
				return c.print(cmd.OutOrStdout(), done, done.print)
			})
		},
	}
	resume := &cobra.Command{
		Use: "resume NAME STREAM", Short: "Apply what a parked stream missed and let it flow again",
		Args: exactly(2, "the projection's name and the stream's id"), ValidArgs: projectionNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withProjections(cmd, func(ctx context.Context, p *projections) error {
				target, err := p.named(args[0])
				if err != nil {
					return err
				}
				if err := target.Resume(ctx, p.log, args[1]); err != nil {
					return fmt.Errorf("%s stays parked: %w", args[1], err)
				}
				return c.print(cmd.OutOrStdout(), map[string]string{"projection": args[0], "stream": args[1]}, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "%s flows again in %s.\n", args[1], args[0])
					return err
				})
			})
		},
	}
	cmd.AddCommand(list, status, rebuild, c.verify(), resume)
	return cmd
}

// projections are the read databases and the log they follow.
type projections struct {
	log    *postgres.Log
	logger *slog.Logger
	all    []projection.Projection
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
	epochs, err := events.Epochs(ctx)
	if err != nil {
		return explain("the event log", cfg.LogURL, err)
	}
	plans, err := plansdb.OpenProjection(ctx, cfg.PlansURL, plansdb.Options{Log: slog.New(slog.DiscardHandler), Epochs: epochs})
	if err != nil {
		return explain("the plans database", cfg.PlansURL, err)
	}
	defer plans.Close()
	audit, err := auditdb.OpenProjection(ctx, cfg.AuditURL, auditdb.Options{Log: slog.New(slog.DiscardHandler), Epochs: epochs})
	if err != nil {
		return explain("the audit database", cfg.AuditURL, err)
	}
	defer audit.Close()
	return do(ctx, &projections{events, log, []projection.Projection{plans, audit}})
}

func (p *projections) named(name string) (projection.Projection, error) {
	i := slices.IndexFunc(p.all, func(q projection.Projection) bool { return q.Name() == name })
	if i < 0 {
		return nil, usageError{fmt.Errorf("there is no projection %q: take plans or audit", name)}
	}
	return p.all[i], nil
}

// projectionLine is one projection as list and status show it.
type projectionLine struct {
	Name       string        `json:"name"`
	State      string        `json:"state"`
	Generation int           `json:"generation"`
	Position   int64         `json:"position,string"`
	Head       int64         `json:"head,string"`
	Lag        int64         `json:"lag"`
	VerifiedAt *time.Time    `json:"verifiedAt,omitempty"`
	Building   *buildingLine `json:"building,omitempty"`
	Streams    int           `json:"parkedStreams"`
	Parked     []leftBehind  `json:"parked,omitempty"` // at most 100, the oldest first
}

// leftBehind is a stream that a projection has parked.
type leftBehind struct {
	Stream   string    `json:"stream"`
	Position int64     `json:"position,string"`
	Type     string    `json:"type"`
	Reason   string    `json:"reason"`
	ParkedAt time.Time `json:"parkedAt"`
	Skipped  int64     `json:"skipped"` // later events that were left out
}

// buildingLine is a copy of the model that is being built beside the live one.
type buildingLine struct {
	Generation int       `json:"generation"`
	Position   int64     `json:"position,string"`
	StartedAt  time.Time `json:"startedAt"`
}

func (p *projections) status(ctx context.Context, of []projection.Projection) ([]projectionLine, error) {
	head, err := p.log.Head(ctx)
	if err != nil {
		return nil, err
	}
	var lines []projectionLine
	for _, q := range of {
		st, err := q.Status(ctx)
		if err != nil {
			return nil, fmt.Errorf("projection %s: %w", q.Name(), err)
		}
		l := projectionLine{
			Name: q.Name(), State: st.State(), Generation: st.Generation.Number, Position: st.Generation.Position,
			Head: head, Lag: st.Lag(head), Streams: st.ParkedTotal,
		}
		for _, p := range st.Parked {
			l.Parked = append(l.Parked, leftBehind{p.StreamID, p.Position, p.Type, p.Reason, p.ParkedAt.UTC(), p.Skipped})
		}
		if v := st.Verified; v != nil {
			at := v.At.UTC()
			l.VerifiedAt = &at
		}
		if b := st.Building; b != nil {
			l.Building = &buildingLine{b.Number, b.Position, b.StartedAt.UTC()}
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func printProjections(w io.Writer, lines []projectionLine) error {
	fmt.Fprintln(w, "NAME\tSTATE\tGENERATION\tPOSITION\tLAG\tPARKED\tVERIFIED")
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%s\n", l.Name, l.State, l.Generation, l.Position, l.Lag, l.Streams, l.verified())
	}
	for _, l := range lines {
		l.printParked(w)
	}
	return nil
}

// verified is when the model was last known to be what the log says.
func (l projectionLine) verified() string {
	if l.VerifiedAt == nil {
		return "never"
	}
	return l.VerifiedAt.Format(time.RFC3339)
}

func (l projectionLine) print(w io.Writer) error {
	fmt.Fprintf(w, "name\t%s\nstate\t%s\nposition\t%d of %d, %d behind\ngeneration\t%d\n", l.Name, l.State, l.Position, l.Head, l.Lag, l.Generation)
	fmt.Fprintf(w, "verified\t%s\n", l.verified())
	if b := l.Building; b != nil {
		fmt.Fprintf(w, "building\tgeneration %d, at position %d, since %s\n", b.Generation, b.Position, b.StartedAt.Format(time.RFC3339))
	}
	fmt.Fprintf(w, "parked\t%d\n", l.Streams)
	l.printParked(w)
	return nil
}

func (l projectionLine) printParked(w io.Writer) {
	for _, s := range l.Parked {
		fmt.Fprintf(w, "\n%s parked %s at position %d (%s): %s\n  strata projections resume %s %s\n", l.Name, s.Stream, s.Position, s.Type, s.Reason, l.Name, s.Stream)
	}
}

// rebuilt is what a rebuild has come to.
type rebuilt struct {
	Name     string  `json:"name"`
	Events   int64   `json:"events"`
	Seconds  float64 `json:"seconds"`
	Position int64   `json:"position,string"`
	Digest   string  `json:"digest"`
}

func (r rebuilt) print(w io.Writer) error {
	took := time.Duration(r.Seconds * float64(time.Second)).Round(time.Millisecond)
	_, err := fmt.Fprintf(w, "%s rebuilt from %d events in %s (%.0f events/s); at position %d its content is %s\n",
		r.Name, r.Events, took, float64(r.Events)/r.Seconds, r.Position, r.Digest)
	return err
}

func (p *projections) rebuild(ctx context.Context, name string, report func(progress)) (rebuilt, error) {
	target, err := p.named(name)
	if err != nil {
		return rebuilt{}, err
	}
	start := time.Now()
	var last projection.Progress
	err = target.Rebuild(ctx, p.log, func(now projection.Progress) {
		last = now
		report(progress{
			Task: "rebuild " + name, Phase: now.Phase, Done: now.Done, Total: now.Total,
			PerSecond: int64(now.PerSecond), ETASeconds: now.ETA.Round(time.Second).Seconds(),
		})
	})
	if err != nil {
		return rebuilt{}, fmt.Errorf("rebuild %s: %w; the live model was not touched", name, err)
	}
	digest, err := target.Digest(ctx)
	if err != nil {
		return rebuilt{}, fmt.Errorf("digest of %s: %w", name, err)
	}
	return rebuilt{name, last.Done, time.Since(start).Seconds(), digest.Position, digest.SHA256}, nil
}
