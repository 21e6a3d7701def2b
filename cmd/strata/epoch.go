package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/auditdb"
	"strata.dev/strata/adapters/plansdb"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/restore"
)

// epoch looks at the histories of the log.
func (c *cli) epoch() *cobra.Command {
	cmd := group("epoch", "Look at the histories of a log that was restored, and begin another one")
	cmd.AddCommand(&cobra.Command{
		Use: "status", Short: "The epochs of the log, and who follows it to where: read models, consumer groups, the archive", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withProjections(cmd, func(ctx context.Context, p *projections) error {
				cfg, _, err := c.load(cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				st, err := p.epochs(ctx, cfg)
				if err != nil {
					return err
				}
				return c.print(cmd.OutOrStdout(), st, st.print)
			})
		},
	}, c.beginEpoch())
	return cmd
}

// epochStatus is what `strata epoch status` tells.
type epochStatus struct {
	Head    int64            `json:"head,string"`
	Epoch   int              `json:"epoch"`
	Epochs  []eventlog.Epoch `json:"epochs"`
	Places  []placeLine      `json:"places"`
	Unasked string           `json:"unasked,omitempty"` // who did not answer
}

// placeLine is where somebody stands.
type placeLine struct {
	Who    string `json:"who"`
	At     int64  `json:"position,string"`
	Epoch  int    `json:"epoch"`
	State  string `json:"state"` // ok, or what is wrong
	Remedy string `json:"remedy,omitempty"`
}

func (p *projections) epochs(ctx context.Context, cfg config) (epochStatus, error) {
	var st epochStatus
	epochs, err := p.log.Epochs(ctx)
	if err != nil {
		return st, err
	}
	places, err := placesOf(ctx, p.log, p.all)
	kept, aerr := archiveFollower(ctx, cfg)
	if err = errors.Join(err, aerr); err != nil {
		st.Unasked = err.Error()
	}
	places = append(places, kept...)
	if st.Head, err = p.log.Head(ctx); err != nil {
		return st, err
	}
	st.Epoch, st.Epochs = epochs.Current().Number, epochs.All()
	for _, f := range places {
		line := placeLine{Who: f.Name, At: f.At.Position, Epoch: f.At.Epoch, State: "ok"}
		if d := restore.Diverged(epochs, st.Head, []restore.Follower{f}); len(d) > 0 {
			line.State = fmt.Sprintf("refused: holds %d positions after %d that the log does not", d[0].Lost, d[0].Shared)
			line.Remedy = f.Remedy
		}
		st.Places = append(st.Places, line)
	}
	slices.SortFunc(st.Places, func(a, b placeLine) int { return strings.Compare(a.Who, b.Who) })
	return st, nil
}

func (st epochStatus) print(w io.Writer) error {
	fmt.Fprintf(w, "The log ends at position %d of epoch %d.\n\nEPOCH\tFIRST\tRESTORED TO\tLOST UP TO\tSTARTED\tREASON\n", st.Head, st.Epoch)
	for _, e := range st.Epochs {
		lost, started := "-", "-"
		if e.LostHead > 0 {
			lost = fmt.Sprint(e.LostHead)
		}
		if !e.StartedAt.IsZero() {
			started = e.StartedAt.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%d\t%d\t%d\t%s\t%s\t%s\n", e.Number, e.First, e.RestoredTo, lost, started, e.Reason)
	}
	fmt.Fprintln(w, "\nWHO\tPOSITION\tEPOCH\tSTATE\tWHAT TO DO")
	for _, l := range st.Places {
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\n", l.Who, l.At, l.Epoch, l.State, l.Remedy)
	}
	if st.Unasked != "" {
		fmt.Fprintf(w, "\nnot asked: %s\n", st.Unasked)
	}
	return nil
}

func (c *cli) beginEpoch() *cobra.Command {
	var n restore.NewEpoch
	cmd := &cobra.Command{
		Use: "start", Short: "Begin another history at the end of the log (STRATA_LOG_ADMIN_URL; no service may be running)", Args: noArgs,
		Long: `Begin another epoch at the end of the log: after the log database was set back to an earlier moment (point in time, an
older dump) and what was recorded after it is lost for good. The event journal.epoch-started says so to everybody. Who
holds more than the log then does (read models, consumers) is refused instead of going on with another history, and
cursors beyond the end are set back to it.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := cfg.need("STRATA_LOG_ADMIN_URL"); err != nil {
				return err
			}
			n.Operator = operator()
			begun, err := beginEpoch(cmd.Context(), cfg, log, n)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), begun, begun.print)
		},
	}
	cmd.Flags().StringVar(&n.Reason, "reason", "", "why: everybody who reads the log reads it")
	cmd.Flags().Int64Var(&n.LostHead, "lost-head", 0, "the last position that is known of what was lost, if somebody outside knows more")
	_ = cmd.MarkFlagRequired("reason") // it is a flag of this command
	return cmd
}

// begun is an epoch that was begun.
type begun struct {
	eventlog.Epoch
	Diverged []restore.Divergence `json:"diverged,omitempty"`
}

func (b begun) print(w io.Writer) error {
	fmt.Fprintf(w, "Epoch %d begins at position %d; up to %d the log is what it was.\n", b.Number, b.First, b.RestoredTo)
	if b.LostHead > 0 {
		fmt.Fprintf(w, "Positions %d to %d of the history before are known to be lost.\n", b.First, b.LostHead)
	}
	return printDiverged(w, b.Diverged)
}

func printDiverged(w io.Writer, diverged []restore.Divergence) error {
	if len(diverged) == 0 {
		_, err := fmt.Fprintln(w, "Nobody who was asked holds more than the log does.")
		return err
	}
	fmt.Fprintln(w, "\nHOLDS MORE THAN THE LOG\tPOSITION\tEPOCH\tSHARED\tLOST\tWHAT TO DO")
	for _, d := range diverged {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\n", d.Who, d.At, d.Epoch, d.Shared, d.Lost, d.Remedy)
	}
	return nil
}

func beginEpoch(ctx context.Context, cfg config, log *slog.Logger, n restore.NewEpoch) (begun, error) {
	target, err := postgres.OpenRestorer(ctx, cfg.LogAdminURL)
	if err != nil {
		return begun{}, explainInUse(cfg.LogAdminURL, err)
	}
	defer target.Close()
	// The key store may have been set back, too: what the log says is destroyed must
	// not be there when the first reader comes.
	destroy, err := openDestroyer(ctx, cfg)
	if err != nil {
		return begun{}, err
	}
	if destroy != nil {
		err := restore.FromLog(target)(ctx, restore.Until{}, func(e *eventlog.Event) error { return destroy(ctx, []eventlog.Event{*e}) })
		if err != nil {
			return begun{}, fmt.Errorf("destroy the keys of erased persons: %w", err)
		}
	}
	followers, err := followersOf(ctx, cfg, target)
	if err != nil {
		log.WarnContext(ctx, "not everybody could say up to where they have followed the log", "err", err)
	}
	e, diverged, err := restore.BeginEpoch(ctx, target, n, followers)
	if errors.Is(err, restore.ErrReason) {
		return begun{}, usageError{fmt.Errorf("--reason: %w", err)}
	}
	return begun{e, diverged}, err
}

// explainInUse is explain, but for what is said well enough.
func explainInUse(url string, err error) error {
	if errors.Is(err, restore.ErrInUse) || errors.Is(err, postgres.ErrRestoring) {
		return err
	}
	return explain("the event log", url, err)
}

// followersOf asks those who keep a place in the log, as far as they are
// configured and answer, while the log itself is not open.
func followersOf(ctx context.Context, cfg config, target restore.Target) ([]restore.Follower, error) {
	var all []restore.Follower
	var errs []error
	cursors, err := target.Cursors(ctx)
	if err != nil {
		return nil, err
	}
	for group, at := range cursors {
		if group != plansdb.Name && group != auditdb.Name {
			all = append(all, restore.Follower{Name: "consumer group " + group, At: at, Remedy: "none: its cursor is set back"})
		}
	}
	kept, err := archiveFollower(ctx, cfg)
	all, errs = append(all, kept...), append(errs, err)
	if cfg.PlansURL != "" {
		p, err := plansdb.OpenProjection(ctx, cfg.PlansURL, plansdb.Options{})
		if err == nil {
			defer p.Close()
			f, err := followerOf(ctx, p)
			all, errs = append(all, f...), append(errs, err)
		}
		errs = append(errs, err)
	}
	if cfg.AuditURL != "" {
		p, err := auditdb.OpenProjection(ctx, cfg.AuditURL, auditdb.Options{})
		if err == nil {
			defer p.Close()
			f, err := followerOf(ctx, p)
			all, errs = append(all, f...), append(errs, err)
		}
		errs = append(errs, err)
	}
	return all, errors.Join(errs...)
}

// archiveFollower is where the archive ends; none if there is none.
func archiveFollower(ctx context.Context, cfg config) ([]restore.Follower, error) {
	store, err := openArchiveStore(ctx, cfg)
	if err != nil || store == nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, compareTimeout)
	defer cancel()
	epoch, err := archive.LastEpoch(limited, store)
	if err != nil || epoch == 0 {
		return nil, err
	}
	last, ok, err := archive.LastSegment(limited, store, epoch)
	if err != nil || !ok {
		return nil, err
	}
	return []restore.Follower{{
		Name: "the archive", At: eventlog.Place{Position: last.Last, Epoch: epoch},
		Remedy: "strata restore log brings it back; after strata epoch start it goes on in the next epoch",
	}}, nil
}

// operator is who runs this program, as the machine knows them.
func operator() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}
