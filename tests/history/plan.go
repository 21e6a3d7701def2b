package history

import (
	"fmt"
	"regexp"
	"time"
)

// Item is one of the items of POST /v1/measurements.
type Item struct {
	IndicatorID string       `json:"indicatorId"`
	Record      *Measurement `json:"record,omitempty"`
	Correct     *Correction  `json:"correct,omitempty"`
	Void        *Void        `json:"void,omitempty"`
}

// Measurement is a value for a place that has none.
type Measurement struct {
	Place
	Stated
	ObservedAt  time.Time `json:"observedAt"`
	ExternalRef string    `json:"externalRef"`
}

// Correction is another value for the one at a place.
type Correction struct {
	Place
	Stated
	Reason string `json:"reason"`
}

// Void withdraws the value at a place.
type Void struct {
	Place
	Reason string `json:"reason"`
}

// Stated is how the API takes a published text: a number as it is written, and
// anything else as a descriptor that stands in a number's place.
type Stated struct {
	Value          string `json:"value,omitempty"`
	DescriptorName string `json:"descriptorName,omitempty"`
	Descriptor     string `json:"descriptor,omitempty"`
}

// What the texts are called that are no numbers.
const (
	published      = "published as"
	publishedEmpty = "published empty" // the descriptor then stands for no text at all
	empty          = "(empty)"
)

var number = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// StatedAs gives what the API takes for a published text.
func StatedAs(text string) Stated {
	switch {
	case number.MatchString(text):
		return Stated{Value: text}
	case text == "":
		return Stated{DescriptorName: publishedEmpty, Descriptor: empty}
	}
	return Stated{DescriptorName: published, Descriptor: text}
}

// Reading is a value as events and series have it.
type Reading struct {
	Value          string `json:"value"`
	OriginalText   string `json:"originalText"`
	DescriptorName string `json:"descriptorName"`
	Descriptor     string `json:"descriptor"`
}

// Text is what was published.
func (r Reading) Text() string {
	switch r.DescriptorName {
	case published:
		return r.Descriptor
	case publishedEmpty:
		return ""
	}
	return r.OriginalText
}

// Items are what the API is asked to do for a change, in this order.
func Items(indicatorID string, c Change) []Item {
	reason := fmt.Sprintf("%s in commit %s", c.Kind, c.Commit)
	items := make([]Item, 0, c.Operations())
	for _, r := range c.Removed {
		items = append(items, Item{IndicatorID: indicatorID, Void: &Void{PlaceOf(r.Key), reason}})
	}
	for _, r := range c.Changed {
		items = append(items, Item{IndicatorID: indicatorID, Correct: &Correction{PlaceOf(r.Key), StatedAs(r.New), reason}})
	}
	for _, r := range c.Added {
		items = append(items, Item{IndicatorID: indicatorID, Record: &Measurement{PlaceOf(r.Key), StatedAs(r.Text), c.AcceptedAt, c.Commit}})
	}
	return items
}
