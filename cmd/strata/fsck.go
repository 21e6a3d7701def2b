package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/fsck"
)

// fsck compares everything that is kept with the log.
func (c *cli) fsck() *cobra.Command {
	var only []string
	var organization string
	var all bool
	cmd := &cobra.Command{
		Use: "fsck", Short: "Compare everything that is kept with the event log, and name what it cannot explain",
		Long: `Reads the log from its first event and compares with it: the log itself, every stream, both read databases (by
shadow copies), the archive, the ledger, originals, sealed texts, and the cursors, timers, inbox and imports beside the
log. Nothing is changed or repaired, and everything may go on meanwhile. A section that is not configured is said to be
so. Exit code 3: something is not what the log says; 1: something could not be checked.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ask := fsck.Options{Only: only}
			if all {
				ask.Again = -1
			}
			if organization != "" {
				var err error
				if ask.Organization, err = uuid.Parse(organization); err != nil {
					return usageError{fmt.Errorf("--organization takes an organization's id, not %q", organization)}
				}
			}
			return c.withInstallation(cmd, ask, func(ctx context.Context, o fsck.Options) error {
				show := c.reporter(cmd.ErrOrStderr(), "events")
				o.Progress = fsckProgress(show)
				report, err := fsck.Run(ctx, o)
				if err != nil {
					return err
				}
				if err := c.print(cmd.OutOrStdout(), report, func(w io.Writer) error { return printFsck(w, report) }); err != nil {
					return err
				}
				return judgeFsck(report)
			})
		},
	}
	cmd.Flags().StringSliceVar(&only, "only", nil, "check these sections only: "+strings.Join(fsck.Sections(), ", "))
	cmd.Flags().StringVar(&organization, "organization", "", "report only what concerns this organization")
	cmd.Flags().BoolVar(&all, "all-streams-twice", false, "fold every stream a second time, not a sample of them")
	_ = cmd.RegisterFlagCompletionFunc("only", cobra.FixedCompletions(fsck.Sections(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// fsckProgress thins out what is reported: a log is read in many small steps.
func fsckProgress(show func(progress)) func(fsck.Progress) {
	started := time.Now()
	section, shown := "", time.Time{}
	return func(p fsck.Progress) {
		if p.Section == section && p.Done < p.Total && time.Since(shown) < time.Second {
			return
		}
		section, shown = p.Section, time.Now()
		show(progress{
			Task: "fsck", Phase: p.Section, Done: p.Done, Total: p.Total,
			PerSecond: int64(float64(p.Done) / max(time.Since(started).Seconds(), 0.001)),
		})
	}
}

// withInstallation opens what is configured of an installation for one check.
func (c *cli) withInstallation(cmd *cobra.Command, ask fsck.Options, do func(context.Context, fsck.Options) error) error {
	cfg, log, err := c.load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	for _, name := range ask.Only {
		if !slices.Contains(fsck.Sections(), name) {
			return usageError{fmt.Errorf("--only takes some of %s, not %q", strings.Join(fsck.Sections(), ", "), name)}
		}
	}
	if err := cfg.need("STRATA_LOG_URL"); err != nil {
		return err
	}
	ctx := cmd.Context()
	events, err := postgres.Open(ctx, cfg.LogURL, postgres.Options{Logger: log})
	if err != nil {
		return explain("the event log", cfg.LogURL, err)
	}
	defer events.Close()
	beside, err := postgres.OpenBeside(ctx, cfg.LogURL)
	if err != nil {
		return explain("the event log", cfg.LogURL, err)
	}
	defer beside.Close()
	ask.Log, ask.Beside = events, beside
	parts := &fsckParts{cfg: cfg, log: events}
	defer parts.close()
	if err := parts.open(ctx, &ask, beside); err != nil {
		return err
	}
	return do(ctx, ask)
}

// judgeFsck is the exit code as an error.
func judgeFsck(r fsck.Report) error {
	wrong, failed := r.Wrong(), r.Failed()
	switch {
	case len(wrong) > 0:
		return fmt.Errorf("%s: %w", strings.Join(wrong, ", "), errDiverged)
	case len(failed) > 0:
		return errors.New("not everything could be checked: " + strings.Join(failed, ", "))
	}
	return nil
}

func printFsck(w io.Writer, r fsck.Report) error {
	fmt.Fprintln(w, "SECTION\tSTATE\tCHECKED\tWRONG\tTOOK\tNOTE")
	for _, s := range r.Sections {
		took := time.Duration(s.Seconds * float64(time.Second)).Round(time.Millisecond)
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", s.Name, s.State, strings.TrimSpace(fmt.Sprintf("%d %s", s.Checked, s.Unit)), s.Total, took, s.Note)
	}
	fmt.Fprintf(w, "\nhead of the log\t%d\n", r.Head)
	if r.States != "" {
		fmt.Fprintf(w, "states of all streams\t%s\n", r.States)
	}
	for _, s := range r.Sections {
		for _, f := range s.Wrong {
			fmt.Fprintf(w, "\n%s: %s\n", s.Name, strings.Join(placeOf(f), ", "))
			fmt.Fprintf(w, "  %s\n  to do: %s\n", f.Detail, f.Do)
		}
		if more := s.Total - int64(len(s.Wrong)); more > 0 && s.State == fsck.Found {
			fmt.Fprintf(w, "%s: and %d more\n", s.Name, more)
		}
	}
	return nil
}

// placeOf names where something is wrong.
func placeOf(f fsck.Wrong) []string {
	place := []string{f.Kind}
	for _, part := range [...]struct{ name, value string }{
		{"table", f.Table}, {"key", f.Key}, {"stream", f.Stream}, {"organization", f.Organization},
	} {
		if part.value != "" {
			place = append(place, part.name+" "+part.value)
		}
	}
	if f.Position != 0 {
		place = append(place, fmt.Sprintf("position %d", f.Position))
	}
	return place
}
