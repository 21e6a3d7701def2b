package fsck

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"strata.dev/strata/app/projection"
)

// claimPatience is how long a model's other verification or rebuild is waited for.
const claimPatience = 30 * time.Second

// Model is the Part that compares a read database with a shadow copy of it.
func Model(p projection.Projection, log Log) Part { return model{p, log} }

type model struct {
	projection.Projection
	log Log
}

// Check implements Part. The live model is left as it is.
func (m model) Check(ctx context.Context, t *Tally) error {
	at, err := m.Checkpoint(ctx)
	if err != nil {
		return err
	}
	head, err := m.log.Head(ctx)
	if err != nil {
		return fmt.Errorf("head of the log: %w", err)
	}
	if at > head {
		t.Wrong(Wrong{
			Kind: "ahead", Table: "generations", Position: at, Detail: fmt.Sprintf("The model is at position %d, and the log ends at %d.", at, head),
			Do: "The log has lost its end: see `strata epoch status`, and rebuild the model afterwards.",
		})
		return nil
	}
	report, err := m.verify(ctx, t)
	if err != nil {
		return err
	}
	t.Checked(report.Rows(), "rows")
	t.Note(fmt.Sprintf("at position %d of %d", report.Position, head))
	m.report(report, t)
	return m.parked(ctx, t)
}

func (m model) verify(ctx context.Context, t *Tally) (report projection.VerifyReport, err error) {
	ask := projection.VerifyOptions{Twice: true, Limit: t.limit}
	if t.organization != "" {
		ask.Limit = 0 // the verification's own: others' rows may come first
	}
	for deadline := time.Now().Add(claimPatience); ; {
		report, err = m.Verify(ctx, m.log, ask, nil)
		if !errors.Is(err, projection.ErrRebuilding) || time.Now().After(deadline) {
			return report, err
		}
		select {
		case <-ctx.Done():
			return report, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// What each cause of a difference means, and what to do.
var causes = map[string]struct{ kind, says, do string }{
	projection.Tampered: {"tampered", "somebody else than the projector has changed it", "Find out who wrote to the database, then `strata projections verify %s`, which repairs it."},
	projection.SetAside: {"set aside", "a stream was set aside that can be applied now, or a row it rests on was changed by hand", "`strata projections resume %[1]s STREAM`, or `strata projections verify %[1]s`, which repairs it."},
	projection.Projector: {
		"not deterministic", "two copies made from the same log differ: the projector does not do the same thing twice",
		"A fault of the software: report it. Rebuilding %s gives yet another answer.",
	},
}

func (m model) report(report projection.VerifyReport, t *Tally) {
	cause := causes[report.Cause]
	wrong := func(table, organization, key, difference string) Wrong {
		return Wrong{
			Kind: cause.kind, Table: table, Key: key, Organization: organization, Position: report.Position,
			Detail: difference + "; " + cause.says, Do: fmt.Sprintf(cause.do, m.Name()),
		}
	}
	named := map[string]int64{}
	for _, d := range report.Differences {
		difference := d.Kind
		if len(d.Columns) > 0 {
			difference += " (" + strings.Join(d.Columns, ", ") + ")"
		}
		t.Wrong(wrong(d.Table, d.Organization, d.Key, difference))
		if d.Kind != projection.Altered {
			named[d.Organization]++
		}
	}
	for organization, n := range report.Organizations {
		if more := n - named[organization]; more > 0 {
			t.count(wrong("", organization, "", fmt.Sprintf("%d more rows", more)), more)
		}
	}
}

func (m model) parked(ctx context.Context, t *Tally) error {
	st, err := m.Status(ctx)
	if err != nil {
		return err
	}
	for _, p := range st.Parked {
		t.Wrong(Wrong{
			Kind: "set aside", Table: "parked", Key: "stream_id=" + p.StreamID, Stream: p.StreamID, Position: p.Position, Organization: p.OrganizationID,
			Detail: fmt.Sprintf("The model has left the stream out from this event on: %s", p.Reason), Do: fmt.Sprintf("Mend the cause, then `strata projections resume %s %s`.", m.Name(), p.StreamID),
		})
	}
	return nil
}
