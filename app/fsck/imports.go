package fsck

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/source"
)

// imports compares the progress of imports with the log. A lost row is lost
// progress and nothing else; a row that says that something was applied must be
// about an import that was accepted.
type imports struct {
	runs     []ImportRun
	accepted map[uuid.UUID]place // by import: whose, and where
	owners   map[int64]uuid.UUID // of positions that runs name
	asked    map[int64]struct{}  // those positions
}

func newImports(runs []ImportRun) *imports {
	i := &imports{runs: runs, accepted: map[uuid.UUID]place{}, owners: map[int64]uuid.UUID{}, asked: map[int64]struct{}{}}
	for _, r := range runs {
		i.asked[r.Position] = struct{}{}
	}
	return i
}

func (i *imports) event(e *Entry) {
	if _, ok := i.asked[e.Position]; ok {
		i.owners[e.Position] = e.OrganizationID
	}
	if a, ok := e.Body.(source.ImportAccepted); ok {
		if id, err := uuid.Parse(a.ImportID); err == nil {
			i.accepted[id] = place{e.OrganizationID, e.Position}
		}
	}
}

func (i *imports) end(head int64, t *Tally) {
	t.Checked(int64(len(i.runs)), "rows")
	begun := []string{string(command.ImportApplying), string(command.ImportApplied)}
	for _, r := range i.runs {
		w := Wrong{
			Kind: "not explained", Table: "import_runs", Organization: r.OrganizationID.String(), Position: r.Position, Do: deleteRow,
			Key: rowKey([]string{"import_id"}, r.ImportID),
		}
		at, accepted := i.accepted[r.ImportID]
		switch owner, there := i.owners[r.Position]; {
		case !accepted && slices.Contains(begun, r.State):
			w.Detail = fmt.Sprintf("It is %s, and no such import was ever accepted.", r.State)
		case accepted && at.organization != r.OrganizationID:
			w.Detail = fmt.Sprintf("The import is organization %s's.", at.organization)
		case r.Position > head:
			w.Kind, w.Detail, w.Do = "ahead", fmt.Sprintf("It is at position %d, and the log ends at %d.", r.Position, head), moveCursor
		case r.Position > 0 && (!there || owner != r.OrganizationID):
			w.Kind, w.Detail = "changed", "The event at its position is not this organization's."
		default:
			continue
		}
		t.Wrong(w)
	}
}
