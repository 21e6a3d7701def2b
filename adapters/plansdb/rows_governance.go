package plansdb

import (
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/severity"
	"strata.dev/strata/domain/source"
)

type findingRow struct {
	org           uuid.UUID
	id            string
	version       int64
	raised        int64 // position
	state         string
	kind          finding.Kind
	severity      severity.Severity
	origin        string
	title         string
	engagementRef string
	dedupeKey     string
	dedupe        string
	subjects      []finding.Subject
	ownerID       string
	dueDate       calendar.Date
	expiresOn     calendar.Date
	resolution    string
	raisedAt      time.Time
	raisedBy      string
	changedAt     time.Time
	closedAt      *time.Time
	details       findingDetails
}

// findingDetails is what the board does not show of a finding.
type findingDetails struct {
	Condition      string                      `json:"condition"`
	Criteria       string                      `json:"criteria"`
	Cause          string                      `json:"cause,omitempty"`
	Effect         string                      `json:"effect,omitempty"`
	Recommendation string                      `json:"recommendation,omitempty"`
	Assignments    []query.FindingAssignment   `json:"assignments,omitempty"`
	Reclassified   []query.FindingReclassified `json:"reclassified,omitempty"`
	Remediation    *query.FindingRemediation   `json:"remediation,omitempty"`
	Submissions    []query.FindingSubmission   `json:"submissions,omitempty"`
	Acceptances    []query.FindingAcceptance   `json:"acceptances,omitempty"`
	Returns        []query.FindingReturn       `json:"returns,omitempty"`
	Closures       []query.FindingClosure      `json:"closures,omitempty"`
}

// subjectKey names what a finding is about.
type subjectKey struct {
	ref
	kind, id string
}

type subjectRow struct {
	org       uuid.UUID
	findingID string
	kind      string
	id        string
	version   int64
	raised    int64 // position of the finding
}

// partKey names a part that a person had in a finding.
type partKey struct {
	ref
	member, part string
}

type partRow struct {
	org       uuid.UUID
	findingID string
	memberID  string
	part      string
	version   int64
}

type evidenceRow struct {
	org          uuid.UUID
	id           string
	version      int64
	registered   int64 // position
	kind         string
	sha256       string
	size         int64
	mediaType    string
	sourceID     string
	subjects     []string
	links        int32
	collectedAt  time.Time
	registeredAt time.Time
	registeredBy string
	fileName     string // sealed
}

type linkRow struct {
	org        uuid.UUID
	linked     int64 // position
	version    int64
	evidenceID string
	relation   string
	targetType string
	targetID   string
	revision   int32
	eventID    string
	note       string
	linkedAt   time.Time
	linkedBy   string
}

// insideRow is a person whose data evidence holds.
type insideRow struct {
	org        uuid.UUID
	evidenceID string
	id         string
	version    int64
}

type sourceRow struct {
	org          uuid.UUID
	id           string
	version      int64
	registered   int64 // position
	name         string
	system       string
	channel      string
	stewardID    string
	status       string
	statusReason string
	statusBy     string
	statusSince  time.Time
	publicKey    string
	fingerprint  string
	allowed      []source.Allowed
	schemaRef    string
	maxRate      int32
	registeredAt time.Time
	registeredBy string
}

// externalRow is what became of an item that a source sent.
type externalRow struct {
	org           uuid.UUID
	position      int64
	version       int64
	eventID       uuid.UUID
	sourceID      string
	channel       string
	messageID     string
	payloadSHA256 string
	item          int32
	outcome       string
	indicatorID   string
	indicatorRef  string
	measurementID string
	start, end    calendar.Date
	dims          indicator.Dims
	before        *indicator.Reading
	after         *indicator.Reading
	externalRef   string
	code          string
	detail        string
	evidenceID    string
	recordedAt    time.Time
}
