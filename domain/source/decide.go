package source

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/check"
	"strata.dev/strata/domain/refusal"
)

var (
	// ErrIdentical: a file that says the same was imported before. Members
	// importId and strategyId of the last such import.
	ErrIdentical = refusal.Violated.WithRule("identical")
	// ErrImportID: import ids are never used again.
	ErrImportID = refusal.Violated.WithRule("import-id-unique")

	// ErrNotRegistered: there is no such source.
	ErrNotRegistered = refusal.NotFound.WithRule("registered")
	// ErrRegistered: a source is registered once.
	ErrRegistered = refusal.Violated.WithRule("registered-once")
	// ErrSteward: whoever answers for a source is a person and a data steward.
	ErrSteward = refusal.Violated.WithRule("steward-role")
	// ErrIndicator: what a source may write is there.
	ErrIndicator = refusal.Violated.WithRule("indicator-exists")
	// ErrSuspended: the source is suspended already.
	ErrSuspended = refusal.Violated.WithRule("source-active")
	// ErrActive: the source is active, and its terms change only while it is not.
	ErrActive = refusal.Violated.WithRule("source-suspended")
	// ErrOtherSource: a source refuses only what came from itself.
	ErrOtherSource = refusal.Forbidden.WithRule("own-messages")
)

// Limits of the lists of an event; they keep it below what the log takes.
const (
	MaxMatched    = 4_000
	MaxDeviations = 20_000
	MaxSubjects   = 5_000
)

// Decide answers a command with the events it leads to, or with a fault and no
// events. It reads nothing but its arguments. Who may import may also leave a
// trace of what was refused of imports.
func Decide(s State, by fact.Actor, c Command) ([]Event, error) {
	kind, ok := s.kindOf(by, c)
	if !ok {
		return nil, refusal.Invalid.Detailf("A source takes no command %T.", c)
	}
	if err := authz.Check(by, kind); err != nil {
		return nil, err
	}
	switch c := c.(type) {
	case AcceptImport:
		return s.accept(ImportAccepted(c))
	case RejectIngest:
		return s.reject(by, IngestRejected(c))
	case RegisterSource:
		return s.register(c)
	}
	if !s.Registered() {
		return nil, ErrNotRegistered.Detailf("There is no such source: register it first.")
	}
	switch c := c.(type) {
	case SuspendSource:
		return s.suspend(c)
	case ReinstateSource:
		return s.reinstate(c)
	}
	return nil, refusal.Invalid.Detailf("A source takes no command %T.", c)
}

// kindOf is the name of a command in the table of roles. What persons refuse
// are documents they import.
func (s State) kindOf(by fact.Actor, c Command) (kind string, ok bool) {
	switch c.(type) {
	case AcceptImport:
		return authz.ImportStratML, true
	case RejectIngest:
		if by.Kind == fact.Person && !s.Registered() {
			return authz.ImportStratML, true
		}
		return authz.RejectIngest, true
	case RegisterSource:
		return authz.RegisterSource, true
	case SuspendSource:
		return authz.SuspendSource, true
	case ReinstateSource:
		return authz.ReinstateSource, true
	}
	return "", false
}

func (s State) reject(by fact.Actor, e IngestRejected) ([]Event, error) {
	var f check.Form
	f.ID("#/messageId", e.MessageID)
	f.Hash("#/payloadSha256", e.PayloadSHA256)
	f.Name("#/code", e.Code)
	natural(&f, "size", e.Size)
	natural(&f, "line", e.Line)
	natural(&f, "column", e.Column)
	f.Short("#/sourceMessageId", e.SourceMessageID)
	f.Short("#/detail", e.Detail)
	f.OptionalID("#/evidenceId", e.EvidenceID)
	f.Short("#/indicatorRef", e.IndicatorRef)
	natural(&f, "item", e.Item)
	if by.Kind != fact.Person {
		oneOf(&f, "code", e.Code, codes...)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	switch {
	case by.Kind != fact.Person && !s.Registered():
		return nil, ErrNotRegistered.Detailf("There is no such source: nothing came from it.")
	case by.Kind == fact.Source && by.ID != s.ID:
		return nil, ErrOtherSource.Detailf("Source %s cannot refuse what came from another one.", by.ID)
	}
	return []Event{e}, nil
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
	if len(e.Subjects) > MaxSubjects {
		f.Object("#/subjects", "maxItems", "At most %d persons can be named, not %d.", MaxSubjects, len(e.Subjects))
		return
	}
	for i, id := range e.Subjects {
		f.ID(fmt.Sprintf("#/subjects/%d", i), id)
	}
	f.Sealed("#/submitter", e.Submitter, "")
	f.Sealed("#/fileName", e.FileName, "")
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

// natural takes a number that every reader of JSON takes exactly.
func natural(f *check.Form, member string, n int) {
	if n < 0 || n > math.MaxInt32 {
		f.Object("#/"+member, "maximum", "Give a whole number from 0 to %d.", math.MaxInt32)
	}
}
