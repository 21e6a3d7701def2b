package source

import "strata.dev/strata/domain/calendar"

// Event is the closed set of facts about a source.
type Event interface{ isEvent() }

// Format is which standard a document follows.
type Format string

// The formats.
const (
	Part1 Format = "part1" // StratML Part 1 (ISO 17469-1)
	Part2 Format = "part2" // StratML Part 2 (ANSI/AIIM 22)
)

// Plan is what an import does.
type Plan string

// The plans.
const (
	New      Plan = "new"      // it drafts a strategy
	Revision Plan = "revision" // it opens a revision of a strategy in force
)

// ImportAccepted: a document will become a strategy, or a revision of one.
type ImportAccepted struct {
	ImportID       string `json:"importId"`
	DocumentSHA256 string `json:"documentSha256"` // of the file's bytes
	Size           int    `json:"size"`           // of the file, bytes
	ContentHash    string `json:"contentHash"`    // equal for files that say the same
	Format         Format `json:"format"`
	DocumentType   string `json:"documentType"`
	TypeAssumed    bool   `json:"typeAssumed"` // the file does not say its type; the importing person did

	Counts          Counts      `json:"counts"`
	DeviationCounts []CodeCount `json:"deviationCounts,omitempty"` // complete, sorted by code
	Deviations      []Deviation `json:"deviations,omitempty"`      // in file order, as many as one event holds

	StrategyID  string  `json:"strategyId"`
	Plan        Plan    `json:"plan"`
	BaseVersion int64   `json:"baseVersion,omitempty,string"` // of the strategy's stream, that the revision was compared with
	BaseHead    int64   `json:"baseHead,omitempty,string"`    // position of the log, up to which its indicators were
	Matched     []Match `json:"matched,omitempty"`

	Again        bool          `json:"again"` // the same content was imported before
	Reason       string        `json:"reason,omitempty"`
	AuthorizedBy string        `json:"authorizedBy,omitempty"` // S15
	Day          calendar.Date `json:"day"`                    // after which no actual result can begin
	Layout       int           `json:"layout"`                 // of the import's appends
}

// Counts says how much a document holds.
type Counts struct {
	Goals        int `json:"goals"`
	Objectives   int `json:"objectives"`
	Indicators   int `json:"indicators"`
	Targets      int `json:"targets"`
	Actuals      int `json:"actuals"`
	Stakeholders int `json:"stakeholders"`
	Persons      int `json:"persons"`
}

// CodeCount is how often a document deviates in one way.
type CodeCount struct {
	Code  string `json:"code"`
	Count int    `json:"count"`
}

// Deviation is one place where a document is not as it should be, or where it
// is not recorded as it stands. What stands there is in the file only.
type Deviation struct {
	Code   string `json:"code"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Path   string `json:"path"`
}

// Match is an element that the document and the strategy have in common.
type Match struct {
	Kind       string `json:"kind"`    // organization, vision, mission, plan, goal, objective, indicator
	Ordinal    int    `json:"ordinal"` // among those of its kind in the document, from 0
	Identifier string `json:"identifier,omitempty"`
	ElementID  string `json:"elementId"` // the strategy's id for parts of the frame
}

// IngestRejected: something came and was refused. Nothing else happened.
type IngestRejected struct {
	MessageID     string `json:"messageId"` // of an import: the id it would have had
	PayloadSHA256 string `json:"payloadSha256"`
	Size          int    `json:"size"`
	Code          string `json:"code"`
	Line          int    `json:"line,omitempty"`
	Column        int    `json:"column,omitempty"`
}

func (ImportAccepted) isEvent() {}
func (IngestRejected) isEvent() {}
