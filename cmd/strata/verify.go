package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/journal"
	"strata.dev/strata/app/projection"
	facts "strata.dev/strata/domain/journal"
)

// errDiverged: a read model was not what the log says. Exit code 3.
var errDiverged = errors.New("not what the log says")

// namedRows bounds what a verification names, and what it records in one
// organization's journal.
const namedRows = 500

// verify compares read models with the log.
func (c *cli) verify() *cobra.Command {
	var noRepair bool
	cmd := &cobra.Command{
		Use: "verify NAME|all", Short: "Compare a read model with the log, row by row, and repair what differs",
		Long: `Makes a copy of the read model from the log, beside the live one, and compares all rows of both at one position.
Commands, projections and readers go on meanwhile. Rows that differ are listed and recorded in the journal of their
organization, and the copy takes the place of the live model. Exit code 3: something differed, repaired or not.`,
		Args: exactly(1, "the projection's name (plans or audit), or all"), ValidArgs: append([]string{"all"}, projectionNames...),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withProjections(cmd, func(ctx context.Context, p *projections) (err error) {
				targets := p.all
				if args[0] != "all" {
					target, err := p.named(args[0])
					if err != nil {
						return err
					}
					targets = []projection.Projection{target}
				}
				rec := journal.New(journal.Options{Log: p.log, Logger: p.logger})
				defer func() { err = errors.Join(err, rec.Close(context.WithoutCancel(ctx))) }()
				v := modelVerifier{log: p.log, journal: rec}
				var reports []verified
				for _, target := range targets {
					report, err := v.verify(ctx, target, projection.VerifyOptions{Repair: !noRepair}, verifyReporter(target.Name(), c.reporter(cmd.ErrOrStderr(), "events")))
					if err != nil {
						return err
					}
					reports = append(reports, verifiedOf(report))
				}
				if err := c.print(cmd.OutOrStdout(), reports, func(w io.Writer) error { return printVerified(w, reports) }); err != nil {
					return err
				}
				return judge(reports)
			})
		},
	}
	cmd.Flags().BoolVar(&noRepair, "no-repair", false, "leave the live model as it is")
	return cmd
}

func verifyReporter(name string, report func(progress)) func(projection.Progress) {
	return func(now projection.Progress) {
		report(progress{
			Task: "verify " + name, Phase: now.Phase, Done: now.Done, Total: now.Total,
			PerSecond: int64(now.PerSecond), ETASeconds: now.ETA.Round(time.Second).Seconds(),
		})
	}
}

// judge is the exit code as an error.
func judge(reports []verified) error {
	var differ []string
	for _, r := range reports {
		if r.Differing > 0 {
			differ = append(differ, r.Name)
		}
	}
	if len(differ) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", strings.Join(differ, ", "), errDiverged)
}

// divergences is where it is recorded that a read model was not what the log
// says: app/journal.Recorder.
type divergences interface {
	Diverged(ctx context.Context, organizationID uuid.UUID, rows ...facts.ReadModelDiverged) error
	Repaired(ctx context.Context, organizationID uuid.UUID, e facts.ReadModelRepaired) error
}

// verifierLog is what a verification needs of the log.
type verifierLog interface {
	eventlog.Reader
	eventlog.StreamReader
}

// modelVerifier verifies read models and records what it finds.
type modelVerifier struct {
	log     verifierLog
	journal divergences
}

// verify verifies one model. What differs is in the journals before anything is
// repaired: else a crash in between would leave no trace of it.
func (v modelVerifier) verify(ctx context.Context, p projection.Projection, o projection.VerifyOptions, progress func(projection.Progress)) (projection.VerifyReport, error) {
	o.Twice, o.Limit = true, namedRows
	o.Found = v.diverged
	report, err := p.Verify(ctx, v.log, o, progress)
	if err != nil || !report.Repaired {
		return report, err
	}
	homes, err := v.homes(ctx, report)
	for organization, found := range homes {
		err = errors.Join(err, v.journal.Repaired(ctx, organization, facts.ReadModelRepaired{
			Model: report.Projection, Rows: int(found.count), Position: report.Position,
		}))
	}
	return report, err
}

// diverged records what differs.
func (v modelVerifier) diverged(ctx context.Context, report projection.VerifyReport) error {
	homes, err := v.homes(ctx, report)
	if err != nil {
		return err
	}
	for organization, found := range homes {
		if err := v.journal.Diverged(ctx, organization, found.rows...); err != nil {
			return err
		}
	}
	return nil
}

// found is what belongs in one organization's journal.
type found struct {
	rows  []facts.ReadModelDiverged
	count int64 // of rows, named or not
}

// differenceOf is the journal's word for a kind of difference.
var differenceOf = map[string]string{
	projection.Missing: facts.Missing, projection.Extra: facts.Surplus,
	projection.Changed: facts.Different, projection.Altered: facts.Different,
}

// homes sorts a report by the organizations whose journals it belongs in. What is
// of none that the log knows, a table as a whole or a row made up for an
// organization that does not exist, belongs in the installation's.
func (v modelVerifier) homes(ctx context.Context, report projection.VerifyReport) (map[uuid.UUID]*found, error) {
	all, known := map[uuid.UUID]*found{}, map[string]uuid.UUID{"": journal.Installation}
	at := func(organization string) (*found, error) {
		home, ok := known[organization]
		if !ok {
			var err error
			if home, err = v.home(ctx, organization); err != nil {
				return nil, err
			}
			known[organization] = home
		}
		if all[home] == nil {
			all[home] = &found{}
		}
		return all[home], nil
	}
	row := func(table, key, kind string) facts.ReadModelDiverged {
		return facts.ReadModelDiverged{Model: report.Projection, Table: table, Key: key, Difference: differenceOf[kind], Position: report.Position}
	}
	for _, d := range report.Differences {
		f, err := at(d.Organization)
		if err != nil {
			return nil, err
		}
		key := d.Key
		if d.Kind == projection.Altered {
			key, f.count = "*", f.count+1
		}
		f.rows = append(f.rows, row(d.Table, key, d.Kind))
	}
	for organization, rows := range report.Organizations {
		f, err := at(organization)
		if err != nil {
			return nil, err
		}
		f.count += rows
	}
	for _, f := range all {
		if f.count > int64(len(f.rows)) {
			f.rows = append(f.rows, row(facts.Others, facts.Others, projection.Changed))
		}
	}
	return all, nil
}

func (v modelVerifier) home(ctx context.Context, organization string) (uuid.UUID, error) {
	id, err := uuid.Parse(organization)
	if err != nil {
		return uuid.Nil, fmt.Errorf("organization %q: %w", organization, err)
	}
	first, err := v.log.ReadStream(ctx, id, "organization-"+organization, 0, 1)
	if err == nil && len(first) == 0 {
		id = journal.Installation
	}
	return id, err
}

// verified is a report as it is printed.
type verified struct {
	Name        string         `json:"name"`
	Position    int64          `json:"position,string"`
	Rows        int64          `json:"rows"`
	Differing   int64          `json:"differing"`
	Cause       string         `json:"cause,omitempty"`
	Repaired    bool           `json:"repaired"`
	Seconds     float64        `json:"seconds"`
	Tables      []verifiedIn   `json:"tables"` // those in which something differs
	Differences []verifiedLine `json:"differences"`
	SetAside    []string       `json:"setAside,omitempty"`
}

type verifiedIn struct {
	Table   string `json:"table"`
	Rows    int64  `json:"rows"`
	Missing int64  `json:"missing"`
	Extra   int64  `json:"extra"`
	Changed int64  `json:"changed"`
	Altered bool   `json:"altered"`
}

type verifiedLine struct {
	Table        string   `json:"table"`
	Organization string   `json:"organization,omitempty"`
	Key          string   `json:"key,omitempty"`
	Kind         string   `json:"kind"`
	Columns      []string `json:"columns,omitempty"`
}

func verifiedOf(r projection.VerifyReport) verified {
	v := verified{
		Name: r.Projection, Position: r.Position, Rows: r.Rows(), Differing: r.Differing(), Cause: r.Cause, Repaired: r.Repaired,
		Seconds: r.Took.Seconds(), Tables: []verifiedIn{}, Differences: []verifiedLine{}, SetAside: r.Parked,
	}
	for _, t := range r.Tables {
		if t.Differing() > 0 {
			v.Tables = append(v.Tables, verifiedIn(t))
		}
	}
	for _, d := range r.Differences {
		v.Differences = append(v.Differences, verifiedLine(d))
	}
	return v
}

// causes say in words what the cause means for whoever reads the table.
var causes = map[string]string{
	projection.Tampered:  "somebody else than the projector has changed it",
	projection.SetAside:  "streams were set aside that can be applied now, or rows they rest on were changed by hand",
	projection.Projector: "the projector does not make the same of the log twice: a fault of the software",
}

func printVerified(w io.Writer, reports []verified) error {
	for _, r := range reports {
		took := time.Duration(r.Seconds * float64(time.Second)).Round(time.Millisecond)
		if r.Differing == 0 {
			fmt.Fprintf(w, "%s: all %d rows at position %d are what the log says (%s)\n", r.Name, r.Rows, r.Position, took)
			continue
		}
		done := "left as it is"
		if r.Repaired {
			done = "repaired"
		}
		fmt.Fprintf(w, "%s: %d rows at position %d are not what the log says: %s; %s (%s)\n", r.Name, r.Differing, r.Position, causes[r.Cause], done, took)
		fmt.Fprintln(w, "TABLE\tKIND\tORGANIZATION\tKEY\tCOLUMNS")
		for _, d := range r.Differences {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", d.Table, d.Kind, d.Organization, d.Key, strings.Join(d.Columns, ", "))
		}
		if more := r.Differing - int64(len(r.Differences)); more > 0 {
			fmt.Fprintf(w, "and %d more\n", more)
		}
	}
	return nil
}
