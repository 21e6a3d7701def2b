package ingest

// Status is what became of one measurement.
type Status string

// The statuses.
const (
	Recorded  Status = "recorded"  // a new value
	Corrected Status = "corrected" // another value than before
	Unchanged Status = "unchanged" // the value is there already: no event
	Rejected  Status = "rejected"  // see Item.Code
)

// Answer says what became of a message.
type Answer struct {
	SourceID  string `json:"sourceId"`
	MessageID string `json:"messageId"`
	SHA256    string `json:"sha256"` // of the body, hexadecimal

	Items     []Item `json:"items"` // in the message's order; none if it was refused as a whole
	Recorded  int    `json:"recorded"`
	Corrected int    `json:"corrected"`
	Unchanged int    `json:"unchanged"`
	Rejected  int    `json:"rejected"`

	Code   string `json:"code,omitempty"` // why the message was refused as a whole; "" = it was not
	Detail string `json:"detail,omitempty"`

	EvidenceID string `json:"evidenceId,omitempty"` // of the message's bytes, if anything was refused
	Position   int64  `json:"position,string"`      // of the last event that it led to; 0 = none
	Replayed   bool   `json:"replayed"`             // answered before: this is that answer

	// Settled says that the answer is durable and final, also beside an error:
	// the message can be acknowledged. If it is false nothing is final, and the
	// same message may come again.
	Settled bool `json:"-"`
}

// Item is the answer to one measurement.
type Item struct {
	Index         int    `json:"index"` // in the message, from 0
	Status        Status `json:"status"`
	IndicatorID   string `json:"indicatorId,omitempty"`
	MeasurementID string `json:"measurementId,omitempty"`
	EventID       string `json:"eventId,omitempty"` // of the recording or correction
	Code          string `json:"code,omitempty"`    // of a rejected one
	Detail        string `json:"detail,omitempty"`
}

// count counts the items.
func (a *Answer) count() {
	a.Recorded, a.Corrected, a.Unchanged, a.Rejected = 0, 0, 0, 0
	for _, item := range a.Items {
		switch item.Status {
		case Recorded:
			a.Recorded++
		case Corrected:
			a.Corrected++
		case Unchanged:
			a.Unchanged++
		case Rejected:
			a.Rejected++
		}
	}
}
