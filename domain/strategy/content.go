package strategy

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// ContentHash is what approvals of the working revision sign: SHA-256, in
// lower-case hexadecimal, over an encoding that anybody can repeat from the
// events. It is the text "strata.strategy.content.v1" and then, in this order,
// strategy id, document type, replaces, indicator digest, the frame, the living
// goals in order, each followed by its living objectives in order.
//
// A text is its length in bytes as eight bytes, big-endian, and its UTF-8. A
// list is its length likewise, and its items. A struct is its fields in the
// order of its declaration; Ordinal and Retired are no content, and an
// objective's GoalID is where it stands. Nothing is sorted, trimmed or
// normalised: what differs in the events differs here.
func (s State) ContentHash(indicatorDigest string) string {
	return s.contentHash(s.Working.Plan, indicatorDigest)
}

func (s State) contentHash(p Plan, indicatorDigest string) string {
	var w writer
	w.texts("strata.strategy.content.v1", s.ID, string(s.DocumentType), s.Replaces, indicatorDigest)
	w.frame(p.Frame)
	byGoal := map[string][]Objective{}
	for _, o := range p.Objectives("") {
		byGoal[o.GoalID] = append(byGoal[o.GoalID], o)
	}
	goals := p.Goals()
	w.length(len(goals))
	for _, g := range goals {
		w.texts(g.ID, g.Identifier, g.Sequence, g.Name, g.Description)
		w.stakeholders(g.Stakeholders)
		w.texts(g.OtherInformation)
		w.length(len(byGoal[g.ID]))
		for _, o := range byGoal[g.ID] {
			w.texts(o.ID, o.Identifier, o.Sequence, o.Name, o.Description)
			w.stakeholders(o.Stakeholders)
			w.texts(o.OtherInformation)
			w.relationships(o.Relationships)
		}
	}
	sum := sha256.Sum256(w)
	return hex.EncodeToString(sum[:])
}

// equal says whether two contents read the same; a list that is there and empty
// equals none.
func (c Content) equal(o Content) bool { return bytes.Equal(c.canonical(), o.canonical()) }

func (c Content) canonical() []byte {
	var w writer
	w.texts(c.Text)
	w.values(c.Values)
	w.organizations(c.Organizations)
	w.stakeholders(c.Stakeholders)
	w.relationships(c.Relationships)
	return w
}

// writer appends the encoding described at ContentHash.
type writer []byte

func (w *writer) length(n int) {
	*w = binary.BigEndian.AppendUint64(*w, uint64(n)) //nolint:gosec // lengths are never negative
}

func (w *writer) texts(texts ...string) {
	for _, t := range texts {
		w.length(len(t))
		*w = append(*w, t...)
	}
}

func (w *writer) frame(f Frame) {
	w.texts(f.Name, f.Identifier, f.Description, f.Vision, f.VisionIdentifier, f.Mission, f.MissionIdentifier)
	w.values(f.Values)
	w.organizations(f.Organizations)
	w.texts(string(f.Period.Start), string(f.Period.End), f.OtherInformation, f.SourceURI, string(f.PublicationDate))
}

func (w *writer) values(list []Value) {
	w.length(len(list))
	for _, v := range list {
		w.texts(v.Name, v.Description)
	}
}

func (w *writer) organizations(list []Organization) {
	w.length(len(list))
	for _, o := range list {
		w.texts(o.Name, o.Acronym, o.Identifier, o.Description)
		w.stakeholders(o.Stakeholders)
	}
}

func (w *writer) stakeholders(list []Stakeholder) {
	w.length(len(list))
	for _, s := range list {
		w.texts(string(s.Kind), s.Name, s.Description, s.Sealed)
		w.length(len(s.Roles))
		for _, r := range s.Roles {
			w.texts(r.Name, r.Description)
			w.length(len(r.Types))
			for _, t := range r.Types {
				w.texts(string(t))
			}
		}
	}
}

func (w *writer) relationships(list []Relationship) {
	w.length(len(list))
	for _, r := range list {
		w.texts(string(r.Kind), r.Identifier)
		w.length(len(r.Referents))
		w.texts(r.Referents...)
		w.texts(r.Name, r.Description)
	}
}
