package pack

import (
	"context"
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"strata.dev/strata/app/eventlog"
)

var csvHeader = []string{
	"position", "organizationSequence", "recordedAt", "stream", "version", "type", "actorKind", "actor", "roles", "onBehalfOf", "source",
	"reason", "signature", "countersignature", "content", "eventId", "commandId", "leafHash",
}

// csv writes events.csv.
func (b *build) csv(ctx context.Context, w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(csvHeader); err != nil {
		return err
	}
	err := b.span.each(ctx, func(e *eventlog.Event) error {
		l, err := lineOf(e)
		if err != nil {
			return err
		}
		cells := []string{
			strconv.FormatInt(l.Position, 10), strconv.FormatInt(l.Sequence, 10), l.At, l.Stream, strconv.FormatInt(l.Version, 10), l.Type,
			l.Kind, l.Who, l.Roles, l.OnBehalfOf, l.Source, l.Why, l.Signed, l.Countersigned, l.changeText(), l.EventID, l.CommandID, l.Leaf,
		}
		for i := range cells {
			cells[i] = neutral(cells[i])
		}
		return out.Write(cells)
	})
	out.Flush()
	if err != nil {
		return err
	}
	return out.Error()
}

// neutral keeps a cell from being taken for a formula by a spreadsheet.
func neutral(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
