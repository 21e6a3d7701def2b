package source

import (
	"fmt"
	"slices"
	"strings"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/check"
	"strata.dev/strata/domain/refusal"
)

// Command is the closed set of what can be asked of a source.
type Command interface{ isCommand() }

// AcceptImport takes a document in.
type AcceptImport ImportAccepted

// RejectIngest records that something was refused.
type RejectIngest IngestRejected

func (AcceptImport) isCommand() {}
func (RejectIngest) isCommand() {}

var (
	// ErrIdentical: a file that says the same was imported before. Members
	// importId and strategyId of the last such import.
	ErrIdentical = refusal.Violated.WithRule("identical")
	// ErrImportID: import ids are never used again.
	ErrImportID = refusal.Violated.WithRule("import-id-unique")
)

// Limits of the lists of an event; they keep it below what the log takes.
const (
	MaxMatched    = 4_000
	MaxDeviations = 20_000
)

// Decide answers a command with the events it leads to, or with a fault and no
// events. It reads nothing but its arguments. Who may import may also leave a
// trace of what was refused.
func Decide(s State, by fact.Actor, c Command) ([]Event, error) {
	if err := authz.Check(by, authz.ImportStratML); err != nil {
		return nil, err
	}
	switch c := c.(type) {
	case AcceptImport:
		return s.accept(ImportAccepted(c))
	case RejectIngest:
		var f check.Form
		f.ID("#/messageId", c.MessageID)
		f.Hash("#/payloadSha256", c.PayloadSHA256)
		f.Name("#/code", c.Code)
		natural(&f, "size", c.Size)
		natural(&f, "line", c.Line)
		natural(&f, "column", c.Column)
		if err := f.Err(); err != nil {
			return nil, err
		}
		return []Event{IngestRejected(c)}, nil
	}
	return nil, refusal.Invalid.Detailf("A source takes no command %T.", c)
}

func (s State) accept(e ImportAccepted) ([]Event, error) {
	var f check.Form
	f.ID("#/importId", e.ImportID)
	f.ID("#/strategyId", e.StrategyID)
	f.Hash("#/documentSha256", e.DocumentSHA256)
	f.Hash("#/contentHash", e.ContentHash)
	if e.Format != Part1 && e.Format != Part2 {
		f.Object("#/format", "enum", "Give part1 or part2.")
	}
	if e.Plan != New && e.Plan != Revision {
		f.Object("#/plan", "enum", "Give new or revision.")
	}
	oneOf(&f, "documentType", e.DocumentType, "Strategic_Plan", "Performance_Plan", "Performance_Report")
	f.OptionalID("#/authorizedBy", e.AuthorizedBy)
	if e.Again {
		f.Reason(e.Reason)
	} else {
		f.Short("#/reason", e.Reason)
	}
	if !e.Day.Valid() {
		f.Object("#/day", "format", "Give a date as YYYY-MM-DD.")
	}
	natural(&f, "size", e.Size)
	natural(&f, "layout", e.Layout)
	e.checkLists(&f)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if _, used := s.imports.Get(e.ImportID); used {
		return nil, ErrImportID.Detailf("The import %s was accepted already.", e.ImportID)
	}
	if before, ok := s.LastOf(e.ContentHash); ok && !e.Again {
		return nil, ErrIdentical.Detailf("Import %s had the same content and became strategy %s: say again, and why, to import it once more.", before.ID, before.StrategyID).
			With("importId", before.ID).With("strategyId", before.StrategyID)
	}
	return []Event{e}, nil
}

func (e ImportAccepted) checkLists(f *check.Form) {
	if len(e.Matched) > MaxMatched {
		f.Object("#/matched", "maxItems", "At most %d elements can be matched, not %d.", MaxMatched, len(e.Matched))
		return
	}
	if len(e.Deviations) > MaxDeviations || len(e.DeviationCounts) > MaxDeviations {
		f.Object("#/deviations", "maxItems", "At most %d are listed.", MaxDeviations)
		return
	}
	for i, m := range e.Matched {
		at := fmt.Sprintf("#/matched/%d", i)
		oneOf(f, fmt.Sprintf("matched/%d/kind", i), m.Kind, "plan", "organization", "vision", "mission", "goal", "objective", "indicator")
		f.Short(at+"/identifier", m.Identifier)
		f.ID(at+"/elementId", m.ElementID)
		natural(f, fmt.Sprintf("matched/%d/ordinal", i), m.Ordinal)
	}
	for i, d := range e.Deviations {
		at := fmt.Sprintf("#/deviations/%d", i)
		f.Name(at+"/code", d.Code)
		f.Short(at+"/path", d.Path)
	}
	for i, c := range e.DeviationCounts {
		f.Name(fmt.Sprintf("#/deviationCounts/%d/code", i), c.Code)
	}
}

func oneOf(f *check.Form, member, value string, values ...string) {
	if !slices.Contains(values, value) {
		f.Object("#/"+member, "enum", "Give one of %s.", strings.Join(values, ", "))
	}
}

func natural(f *check.Form, member string, n int) {
	if n < 0 {
		f.Object("#/"+member, "minimum", "Not less than zero.")
	}
}
