package evidence

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/check"
	"strata.dev/strata/domain/refusal"
)

// The ways in which commands on evidence are refused, beside authz.ErrRole and
// values that are not acceptable (refusal.Invalid).
var (
	ErrNotRegistered = refusal.NotFound.WithRule("registered")
	ErrRegistered    = refusal.Violated.WithRule("registered-once")
	ErrTarget        = refusal.Violated.WithRule("target-exists")
	ErrLinked        = refusal.Violated.WithRule("linked-once")
	ErrItself        = refusal.Violated.WithRule("links-to-another")
	ErrTooMany       = refusal.Violated.WithRule("link-limit")
)

// Limits of one piece of evidence.
const (
	MaxLinks    = 1_000
	maxSubjects = 1_000
)

// State is what its events say about a piece of evidence; zero if it was never registered.
type State struct {
	ID         string
	Kind       Kind
	SHA256     string
	Size       int64
	MediaType  string
	StorageRef string
	Links      []Link // in order; never changed in place
}

// Link is what evidence concerns, and how.
type Link struct {
	Relation Relation
	Target   Target
}

// Exists says whether the evidence was registered.
func (s State) Exists() bool { return s.ID != "" }

// Apply folds one event into the state. It cannot refuse: an event is a fact.
// The state it is called on stays as it was.
func (s State) Apply(_ fact.Actor, e Event) State {
	switch e := e.(type) {
	case Registered:
		s = State{ID: e.EvidenceID, Kind: e.Kind, SHA256: e.SHA256, Size: e.Size, MediaType: e.MediaType, StorageRef: e.StorageRef}
	case Linked:
		s.Links = append(slices.Clip(s.Links), Link{e.Relation, e.Target})
	}
	return s
}

// Decide answers a command with the events it leads to, or with a fault and no
// events. It reads nothing but its arguments.
func Decide(s State, by fact.Actor, c Command) ([]Event, error) {
	switch c := c.(type) {
	case RegisterEvidence:
		if err := authz.Check(by, authz.RegisterEvidence); err != nil {
			return nil, err
		}
		return s.register(by, c)
	case LinkEvidence:
		if err := authz.Check(by, authz.LinkEvidence); err != nil {
			return nil, err
		}
		return s.link(c)
	}
	return nil, refusal.Invalid.Detailf("Evidence takes no command %T.", c)
}

func (s State) register(by fact.Actor, c RegisterEvidence) ([]Event, error) {
	if s.Exists() {
		return nil, ErrRegistered.Detailf("This evidence is registered already, and never changes: register other bytes under an id of their own.")
	}
	if c.CollectedAt == nil {
		c.CollectedAt = &by.At
	}
	var f check.Form
	f.ID("#/evidenceId", c.EvidenceID)
	switch c.Kind {
	case Document, ImportOriginal, Message, ExportPack, VerificationReport, Review:
	default:
		f.Object("#/kind", "enum", "Give document, import_original, message, export_pack, verification_report or review.")
	}
	f.Hash("#/sha256", c.SHA256)
	if c.Size < 0 {
		f.Object("#/size", "minimum", "Give the number of bytes.")
	}
	if kind, sub, ok := strings.Cut(c.MediaType, "/"); !ok || kind == "" || sub == "" {
		f.Object("#/mediaType", "pattern", "Give a media type, such as application/pdf.")
	}
	f.Name("#/mediaType", c.MediaType)
	f.Name("#/storageRef", c.StorageRef)
	f.Sealed("#/fileName", c.FileName, "")
	if len(c.SubjectsInside) > maxSubjects {
		f.Object("#/subjectsInside", "maxItems", "At most %d.", maxSubjects)
	}
	for i, id := range c.SubjectsInside[:min(len(c.SubjectsInside), maxSubjects)] {
		f.ID(fmt.Sprintf("#/subjectsInside/%d", i), id)
	}
	collected := f.Instant("#/collectedAt", c.CollectedAt)
	if collected.After(by.At.Add(time.Minute)) {
		f.Object("#/collectedAt", "formatMaximum", "Evidence is not collected in the future.")
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	return []Event{Registered{
		EvidenceID: c.EvidenceID, Kind: c.Kind, SHA256: c.SHA256, Size: c.Size, MediaType: c.MediaType, FileName: c.FileName,
		StorageRef: c.StorageRef, SubjectsInside: slices.Clone(c.SubjectsInside), CollectedAt: *collected,
	}}, nil
}

func (s State) link(c LinkEvidence) ([]Event, error) {
	if !s.Exists() {
		return nil, ErrNotRegistered.Detailf("There is no such evidence: register it first.")
	}
	var f check.Form
	between := c.Relation == Supersedes || c.Relation == Redacts
	switch c.Relation {
	case Supports, Remediates, Supersedes, Redacts, Attests:
	default:
		f.Object("#/relation", "enum", "Give supports, remediates, supersedes, redacts or attests.")
	}
	switch c.Target.Type {
	case "strategy", "indicator", "finding", "evidence", "source", "organization":
		if between && c.Target.Type != "evidence" {
			f.Object("#/target/type", "const", "Evidence %s evidence.", c.Relation)
		}
	default:
		f.Object("#/target/type", "enum", "Give strategy, indicator, finding, evidence, source or organization.")
	}
	f.ID("#/target/id", c.Target.ID)
	f.OptionalID("#/target/eventId", c.Target.EventID)
	f.Revision("#/target/revision", c.Target.Type, c.Target.Revision)
	f.Short("#/note", c.Note)
	if err := f.Err(); err != nil {
		return nil, err
	}
	switch {
	case c.TargetUnknown:
		return nil, ErrTarget.Detailf("There is no %s %s here.", c.Target.Type, c.Target.ID)
	case c.Target.ID == s.ID:
		return nil, ErrItself.Detailf("Evidence does not concern itself: link it to something else.")
	case slices.Contains(s.Links, Link{c.Relation, c.Target}):
		return nil, ErrLinked.Detailf("This link is there already.")
	case len(s.Links) >= MaxLinks:
		return nil, ErrTooMany.Detailf("One piece of evidence has at most %d links.", MaxLinks)
	}
	return []Event{Linked{Relation: c.Relation, Target: c.Target, Note: c.Note}}, nil
}
