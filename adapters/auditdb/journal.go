package auditdb

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/journal"
)

const journalTypes = "journal."

// Journal implements query.Audit.
func (r *Reader) Journal(ctx context.Context, ask query.Read, f query.JournalFilter) (query.Page[query.JournalEntry], error) {
	var out query.Page[query.JournalEntry]
	if err := checkJournal(f); err != nil {
		return out, err
	}
	found, err := r.pageOf(ctx, ask, f, f.Paging, func(ctx context.Context, tx pgx.Tx, l *list) error {
		return l.ofJournal(ctx, tx, journalStream+ask.OrganizationID.String(), f)
	})
	if err != nil {
		return out, err
	}
	out = query.Page[query.JournalEntry]{Items: make([]query.JournalEntry, len(found.rows)), NextCursor: found.next, Total: found.total, Position: found.position}
	for i, row := range found.rows {
		out.Items[i] = row.journalEntry()
	}
	return out, nil
}

func checkJournal(f query.JournalFilter) error {
	if f.Kind != "" && !slices.Contains(query.JournalKinds(), f.Kind) {
		return query.ErrInvalid.Detailf("A journal has no such entries.").At("#/kind", "enum", "give one of "+strings.Join(query.JournalKinds(), ", "))
	}
	if err := checkText("#/actorId", f.ActorID); err != nil {
		return err
	}
	return checkText("#/rule", f.Rule)
}

// ofJournal chooses the branch that leaves least.
func (l *list) ofJournal(ctx context.Context, tx pgx.Tx, stream string, f query.JournalFilter) error {
	if err := l.between(ctx, tx, f.From, f.To); err != nil {
		return err
	}
	for _, c := range []struct{ column, value string }{
		{"rule", f.Rule}, {"subject_id", f.ActorID}, {"type", prefixed(journalTypes, f.Kind)}, {"stream_id", stream},
	} {
		switch {
		case c.value == "":
		case l.column == "":
			l.column, l.values = c.column, []string{c.value}
		default:
			l.rest, l.args = append(l.rest, c.column+" = $%d"), append(l.args, c.value)
		}
	}
	return nil
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// journalEntry reads an entry. Of what cannot be read, the stored bytes are all
// that there is.
func (r *row) journalEntry() query.JournalEntry {
	e := query.JournalEntry{
		Position: r.event.Position, ID: r.event.ID.String(), Kind: strings.TrimPrefix(r.event.Type, journalTypes),
		RecordedAt: r.event.RecordedAt, Rule: r.rule, Count: 1, FirstAt: r.event.RecordedAt, LastAt: r.event.RecordedAt,
		Data: json.RawMessage(r.event.Data),
	}
	if m, err := eventlog.DecodeMetadata(r.event.Metadata); err == nil {
		e.RequestID = m.RequestID
	}
	body, err := eventcodec.Decode(r.event.Type, r.event.SchemaVersion, r.event.Data)
	if err != nil {
		return e
	}
	counted := func(n int, first, last time.Time) { e.Count, e.FirstAt, e.LastAt = n, first.UTC(), last.UTC() }
	switch b := body.(type) {
	case journal.CommandDenied:
		e.ActorKind, e.ActorID, e.What, e.Target = b.ActorKind, b.ActorID, b.Command, b.Target
		counted(b.Count, b.FirstAt, b.LastAt)
	case journal.SignInFailed:
		e.What = b.Reason
		counted(b.Count, b.FirstAt, b.LastAt)
	case journal.AuditRead:
		e.ActorKind, e.ActorID, e.What, e.Target, e.Rows = b.ActorKind, b.ActorID, b.Query, b.Target, b.Rows
		counted(b.Count, b.FirstAt, b.LastAt)
	case journal.Reminded:
		e.ActorID, e.What, e.Target = b.MemberID, b.Kind, b.Subject.Type+"-"+b.Subject.ID
	case journal.ReadModelDiverged:
		e.What, e.Target = b.Model, b.Table+" "+b.Key
	case journal.ReadModelRepaired:
		e.What, e.Rows = b.Model, b.Rows
	case journal.EpochStarted:
		e.What = b.Reason
	}
	return e
}

// all reads everything that a list has, in parts; more than query.MaxRecalled
// events are refused.
func (l list) all(ctx context.Context, tx pgx.Tx, take func(*row) error) error {
	const part = 2_000
	for n := 0; ; {
		rows, err := l.page(ctx, tx, part)
		if err != nil {
			return fmt.Errorf("recorded events: %w", err)
		}
		for _, r := range rows {
			if err := take(r); err != nil {
				return err
			}
			l.after = r.event.Position
		}
		if n += len(rows); n > query.MaxRecalled {
			return query.ErrInvalid.Detailf("More than %d events have to be looked at: ask about a shorter time.", query.MaxRecalled)
		}
		if len(rows) < part {
			return nil
		}
	}
}
