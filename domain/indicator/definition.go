package indicator

import (
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/quantity"
)

// Definition is what is measured for an objective, and how it is judged.
type Definition struct {
	Identifier       string             `json:"identifier,omitempty"`
	Sequence         string             `json:"sequence,omitempty"`
	Name             string             `json:"name"`
	Unit             string             `json:"unit"`
	Type             Type               `json:"type"`
	ValueChainStage  string             `json:"valueChainStage,omitempty"` // as StratML names it
	Direction        Direction          `json:"direction"`
	Frequency        calendar.Frequency `json:"frequency"`
	YearStart        int                `json:"yearStart,omitempty"` // month the year of the grid starts in; 0 = January
	Dimensions       []Dimension        `json:"dimensions,omitempty"`
	Headline         Dims               `json:"headline,omitempty"` // the series health is judged on; none = the one without dimensions
	Baseline         quantity.Number    `json:"baseline,omitempty"`
	Done             []string           `json:"done,omitempty"` // descriptors that mean a milestone is met
	Tolerance        Tolerance          `json:"tolerance"`
	OwnerID          string             `json:"ownerId,omitempty"` // member
	ExternalRefs     []ExternalRef      `json:"externalRefs,omitempty"`
	Relationships    []Relationship     `json:"relationships,omitempty"`
	OtherInformation string             `json:"otherInformation,omitempty"`
}

// Type says what values an indicator takes.
type Type string

// The types: decimals, or descriptors.
const (
	Quantitative Type = "quantitative"
	Qualitative  Type = "qualitative"
)

// Direction says when a target is met.
type Direction string

// The directions; Undefined is never judged.
const (
	Increase  Direction = "increase"
	Decrease  Direction = "decrease"
	AtLeast   Direction = "at_least"
	AtMost    Direction = "at_most"
	Milestone Direction = "milestone"
	Undefined Direction = "undefined"
)

// Dimension is one way in which values are broken down.
type Dimension struct {
	Name   string   `json:"name"`
	Values []string `json:"values,omitempty"` // none = any value
}

// Dims are the dimension values of one series, by dimension name.
type Dims map[string]string

// Tolerance says how far from the target, as a share of the scale, still counts
// as on track (AtRisk) and as at risk (OffTrack).
type Tolerance struct {
	AtRisk   quantity.Number `json:"atRisk"`   // default 0
	OffTrack quantity.Number `json:"offTrack"` // default 0.1
}

// ExternalRef is how a source names the indicator.
type ExternalRef struct {
	SourceID string `json:"sourceId"`
	Ref      string `json:"ref"`
}

// Relationship links an indicator to something named in free text, as in StratML.
type Relationship struct {
	Kind        string   `json:"kind,omitempty"` // Broader_Than, Peer_To, Narrower_Than
	Identifier  string   `json:"identifier,omitempty"`
	Referents   []string `json:"referents,omitempty"`
	Name        string   `json:"name,omitempty"`
	Description string   `json:"description,omitempty"`
}

// Reading is a value as somebody stated it: a number for quantitative
// indicators (with its original text), a descriptor for qualitative ones. A
// quantitative value may carry a descriptor as a remark ("Annual Baseline").
type Reading struct {
	Value          quantity.Number `json:"value,omitempty"`
	OriginalText   string          `json:"originalText,omitempty"` // as received: "5.90", "5.53e-05"
	DescriptorName string          `json:"descriptorName,omitempty"`
	Descriptor     string          `json:"descriptor,omitempty"`
}

// Content is the content of one field of a definition: one member is set, or
// none for an empty field.
type Content struct {
	Text         string        `json:"text,omitempty"`
	List         []string      `json:"list,omitempty"`
	Dimensions   []Dimension   `json:"dimensions,omitempty"`
	Dims         Dims          `json:"dims,omitempty"`
	ExternalRefs []ExternalRef `json:"externalRefs,omitempty"`
}

// Text makes the content of a text field.
func Text(s string) Content { return Content{Text: s} }
