package pack

import (
	"encoding/json"
	"fmt"
	"io"
)

const (
	aboutPath       = "about.json"
	manifestPath    = "manifest.json"
	checkpointPath  = "checkpoint"
	consistencyPath = "consistency.json"
	csvPath         = "events.csv"
	eventsPath      = "events.ndjson"
	proofsPath      = "proofs.ndjson"
	reportPath      = "report.html"
	keysPath        = "keys.txt"
	readmePath      = "README.txt"
	beforePath      = "states/before.json"
	afterPath       = "states/after.json"
	evidencePath    = "evidence/"
	evidenceIndex   = "evidence/index.json" // behind all ids

	format = "strata-pack-1"
)

// manifest is manifest.json. It holds what verifiers compare and nothing else, on
// one line: it is the one file that no hash is of, so whatever is changed in it
// must show by itself.
type manifest struct {
	Format       string    `json:"format"`
	Checkpoint   string    `json:"checkpoint"` // paths
	Events       string    `json:"events"`
	Proofs       string    `json:"proofs"`
	Organization *complete `json:"organization,omitempty"` // of a pack of an organization
	Stream       *complete `json:"stream,omitempty"`       // of a pack of one stream
	Files        []File    `json:"files"`
}

// about is about.json: the same in words, and what was asked for.
type about struct {
	Completeness string   `json:"completeness"`
	Span         spanInfo `json:"span"`
}

// complete says which numbers are there without a gap.
type complete struct {
	ID    string `json:"id"`
	First int64  `json:"first"`
	Last  int64  `json:"last"`
}

// spanInfo is what was asked for, and what that came to.
type spanInfo struct {
	OrganizationID string `json:"organizationId"`
	StreamID       string `json:"streamId,omitempty"`
	FromPosition   int64  `json:"fromPosition,omitempty"`
	ToPosition     int64  `json:"toPosition,omitempty"`
	From           string `json:"from,omitempty"`
	To             string `json:"to,omitempty"`
	Events         int64  `json:"events"`
	FirstPosition  int64  `json:"firstPosition"`
	LastPosition   int64  `json:"lastPosition"`
	FirstAt        string `json:"firstAt"`
	LastAt         string `json:"lastAt"`
	CheckpointSize int64  `json:"checkpointSize"`
}

// item is a piece of evidence in the pack.
type item struct {
	EvidenceID string `json:"evidenceId"`
	Path       string `json:"path,omitempty"` // "" if it was erased
	MediaType  string `json:"mediaType,omitempty"`
	Erased     bool   `json:"erased,omitempty"`
}

func (s *span) manifest() manifest {
	m := manifest{Format: format, Checkpoint: checkpointPath, Events: eventsPath, Proofs: proofsPath}
	if s.ask.StreamID != "" {
		m.Stream = &complete{s.ask.StreamID, s.first, s.last}
	} else {
		m.Organization = &complete{s.ask.OrganizationID.String(), s.first, s.last}
	}
	return m
}

func (s *span) about(c Checkpoint) about {
	a := about{Completeness: s.completeness(), Span: spanInfo{
		OrganizationID: s.ask.OrganizationID.String(), StreamID: s.ask.StreamID, FromPosition: s.ask.FromPosition, ToPosition: s.ask.ToPosition,
		Events: s.last - s.first + 1, FirstPosition: s.head.Position, LastPosition: s.tail.Position,
		FirstAt: stamp(s.head.RecordedAt), LastAt: stamp(s.tail.RecordedAt), CheckpointSize: c.Size,
	}}
	if !s.ask.From.IsZero() {
		a.Span.From = stamp(s.ask.From)
	}
	if !s.ask.To.IsZero() {
		a.Span.To = stamp(s.ask.To)
	}
	return a
}

// completeness says what is there without a gap.
func (s *span) completeness() string {
	if s.ask.StreamID != "" {
		return fmt.Sprintf("versions %d to %d of stream %s complete", s.first, s.last, s.ask.StreamID)
	}
	return fmt.Sprintf("sequences %d to %d of organization %s complete", s.first, s.last, s.ask.OrganizationID)
}

// writeJSON writes v, indented: people read it, too.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
