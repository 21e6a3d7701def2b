package indicator

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"

	"strata.dev/strata/domain/calendar"
)

// Basis is what a submission binds of one indicator.
type Basis struct {
	ID, ObjectiveID string
	Definition      Definition
	Epoch           int
	Targets         []Target
}

// Basis gives what a submission binds of the indicator.
func (s State) Basis() Basis {
	b := Basis{ID: s.ID, ObjectiveID: s.ObjectiveID, Definition: s.Definition, Epoch: s.Epoch}
	for _, t := range s.targets.All() {
		b.Targets = append(b.Targets, t)
	}
	return b
}

// Digest is the hash over the definitions and targets of a strategy's indicators
// that are not retired, which a submission binds (StrategySubmitted.indicatorDigest):
// if any of them changes afterwards, so does the digest, and the approved revision
// cannot be activated. Measurements are not part of it: facts do not stop.
//
// It is SHA-256, in lower-case hexadecimal, over the text
// "strata.indicator.digest.v1", the number of indicators, and for each of them,
// in the order of their ids: id, objective id, definition, epoch, and its targets
// (period, dims, reading, epoch) in the order of their encoding. A text is its
// length as eight bytes, big-endian, and its UTF-8; a number is its eight bytes;
// a list is its length and its items; dims are a list of name and value, sorted
// by name; a struct is its fields in the order of its declaration.
func Digest(indicators []Basis) string {
	sorted := slices.SortedFunc(slices.Values(indicators), func(a, b Basis) int { return cmp.Compare(a.ID, b.ID) })
	var w writer
	w.texts("strata.indicator.digest.v1")
	w.number(len(sorted))
	for _, b := range sorted {
		w.texts(b.ID, b.ObjectiveID)
		w.definition(b.Definition)
		w.number(b.Epoch)
		w.targets(b.Targets)
	}
	sum := sha256.Sum256(w)
	return hex.EncodeToString(sum[:])
}

// canonical is the encoding of a content, equal exactly for equal contents.
func (c Content) canonical() []byte {
	var w writer
	w.texts(c.Text)
	w.list(c.List)
	w.dimensions(c.Dimensions)
	w.dims(c.Dims)
	w.externalRefs(c.ExternalRefs)
	return w
}

// writer appends the encoding described at Digest.
type writer []byte

func (w *writer) number(n int) {
	*w = binary.BigEndian.AppendUint64(*w, uint64(n)) //nolint:gosec // lengths and counts are never negative
}

func (w *writer) texts(texts ...string) {
	for _, t := range texts {
		w.number(len(t))
		*w = append(*w, t...)
	}
}

func (w *writer) list(texts []string) {
	w.number(len(texts))
	w.texts(texts...)
}

func (w *writer) period(p calendar.Period) { w.texts(string(p.Start), string(p.End)) }

func (w *writer) dims(d Dims) {
	w.number(len(d))
	for _, name := range slices.Sorted(maps.Keys(d)) {
		w.texts(name, d[name])
	}
}

func (w *writer) dimensions(list []Dimension) {
	w.number(len(list))
	for _, d := range list {
		w.texts(d.Name)
		w.list(d.Values)
	}
}

func (w *writer) externalRefs(list []ExternalRef) {
	w.number(len(list))
	for _, r := range list {
		w.texts(r.SourceID, r.Ref)
	}
}

func (w *writer) targets(list []Target) {
	encoded := make([][]byte, 0, len(list))
	for _, t := range list {
		var one writer
		one.period(t.Period)
		one.dims(t.Dims)
		one.texts(string(t.Value), t.OriginalText, t.DescriptorName, t.Descriptor)
		one.number(t.Epoch)
		encoded = append(encoded, one)
	}
	slices.SortFunc(encoded, bytes.Compare)
	w.number(len(encoded))
	*w = append(*w, bytes.Join(encoded, nil)...)
}

func (w *writer) definition(d Definition) {
	w.texts(d.Identifier, d.Sequence, d.Name, d.Unit, string(d.Type), d.ValueChainStage, string(d.Direction),
		string(d.Frequency), strconv.Itoa(d.YearStart))
	w.dimensions(d.Dimensions)
	w.dims(d.Headline)
	w.texts(string(d.Baseline))
	w.list(d.Done)
	w.texts(string(d.Tolerance.AtRisk), string(d.Tolerance.OffTrack), d.OwnerID)
	w.externalRefs(d.ExternalRefs)
	w.number(len(d.Relationships))
	for _, r := range d.Relationships {
		w.texts(r.Kind, r.Identifier)
		w.list(r.Referents)
		w.texts(r.Name, r.Description)
	}
	w.texts(d.OtherInformation)
}
