package query

import (
	"time"

	"strata.dev/strata/domain/source"
)

// States of an import.
const (
	ImportAccepted = "accepted"
	ImportRefused  = "refused"
)

// ImportFilter asks for a page of the list of imports.
type ImportFilter struct {
	StrategyID string `json:"strategyId,omitempty"`
	Status     string `json:"status,omitempty"` // accepted or refused; empty = both
	Paging     `json:"-"`
}

// Import is one StratML document that was brought in. How far an accepted one
// has been applied is not known here.
type Import struct {
	ID             string        `json:"id"`
	Status         string        `json:"status"` // accepted, refused
	StrategyID     string        `json:"strategyId,omitempty"`
	Plan           string        `json:"plan,omitempty"`   // new, revision: what it became
	Format         string        `json:"format,omitempty"` // part1, part2
	DocumentSHA256 string        `json:"documentSha256"`
	Size           int           `json:"size"` // bytes
	Counts         source.Counts `json:"counts"`
	Deviations     int           `json:"deviations"`
	Code           string        `json:"code,omitempty"` // why it was refused
	Line           int           `json:"line,omitempty"` // where
	Column         int           `json:"column,omitempty"`
	ImportedBy     string        `json:"importedBy"`
	ImportedAt     time.Time     `json:"importedAt"`
}

// ImportDetail is an import with what was out of the ordinary in its document.
type ImportDetail struct {
	Import
	ContentHash     string             `json:"contentHash,omitempty"` // equal for documents that say the same
	DocumentType    string             `json:"documentType,omitempty"`
	TypeAssumed     bool               `json:"typeAssumed,omitempty"` // by the importing person
	Again           bool               `json:"again,omitempty"`       // the same content was imported before
	Reason          string             `json:"reason,omitempty"`
	AuthorizedBy    string             `json:"authorizedBy,omitempty"`
	DeviationCounts []source.CodeCount `json:"deviationCounts"`   // of all, by code
	DeviationList   []source.Deviation `json:"deviationList"`     // in the document's order, as many as one event holds
	Matched         []source.Match     `json:"matched,omitempty"` // what was found again from the revision before
	Position        int64              `json:"position,string"`
	FileName        string             `json:"fileName,omitempty"`
	Submitter       string             `json:"submitter,omitempty"` // who rendered the document
	Withheld
}
