package plansdb

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
)

// ref names a row of an organization: an aggregate, or a part of it.
type ref struct {
	org uuid.UUID
	id  string
}

// part names a row below an aggregate.
type part struct {
	ref
	id string
}

type organizationRow struct {
	org             uuid.UUID
	version         int64
	name            string
	acronym         string
	identifier      string
	timeZone        string
	fiscalYearStart int32
	registeredAt    time.Time
	policy          *query.Policy // nil: the defaults
}

type holdRow struct {
	org           uuid.UUID
	id            string
	version       int64
	placed        int64 // position
	matter        string
	basis         string
	scope         organization.HoldScope
	placedAt      time.Time
	placedBy      string
	releasedAt    *time.Time
	requestedBy   string
	authorizedBy  string
	releaseReason string
}

type memberRow struct {
	org          uuid.UUID
	id           string
	version      int64
	enrolled     int64
	subjectID    string
	issuer       string
	kind         string
	offboarded   bool
	enrolledAt   time.Time
	offboardedAt *time.Time
	displayName  string // sealed
	email        string // sealed
}

type grantRow struct {
	org         uuid.UUID
	id          string
	version     int64
	memberID    string
	role        string
	everywhere  bool
	strategyIDs []string
	expiresAt   *time.Time
	grantedAt   time.Time
	grantedBy   string
	revoked     bool
	revokedAt   *time.Time
}

type strategyRow struct {
	org                             uuid.UUID
	id                              string
	version                         int64
	drafted                         int64 // position
	activated                       int64 // position, 0 = never
	state                           string
	lineageKey                      string
	documentType                    string
	replaces                        string
	importID                        string
	frame                           strategy.Frame
	frameInForce                    strategy.Frame
	working                         *revision
	inForce                         *revision
	goals                           int32
	objectives                      int32
	goalsInForce, objectivesInForce int32
	draftedAt                       time.Time
	changedAt                       time.Time
	blockers                        []query.Blocker
	outcome                         string
	successorID                     string
}

// revision is a query.Revision and where its approvals are.
type revision struct {
	query.Revision
	ApprovalPositions []int64 `json:"approvalPositions,omitempty"`
}

// content is a goal's or an objective's in one revision.
type content struct {
	GoalID           string                  `json:"goalId,omitempty"` // of an objective
	Ordinal          int64                   `json:"ordinal"`          // version of the stream that put it where it is
	Identifier       string                  `json:"identifier,omitempty"`
	Sequence         string                  `json:"sequence,omitempty"`
	Name             string                  `json:"name,omitempty"`
	Description      string                  `json:"description,omitempty"`
	Stakeholders     []strategy.Stakeholder  `json:"stakeholders,omitempty"`
	OtherInformation string                  `json:"otherInformation,omitempty"`
	Relationships    []strategy.Relationship `json:"relationships,omitempty"`
	Retired          bool                    `json:"retired,omitempty"`
}

type elementRow struct {
	org        uuid.UUID
	strategyID string
	id         string
	version    int64
	kind       strategy.ElementKind
	importID   string
	content    *content
	inForce    *content
}

type approvalRow struct {
	org           uuid.UUID
	position      int64
	version       int64
	strategyID    string
	revision      int32
	approverID    string
	meaning       string
	contentHash   string
	comment       string
	quorumReached bool
	void          bool
	approvedAt    time.Time
	eventID       uuid.UUID
	authors       []string
	submittedBy   string
	submittedAt   *time.Time
	policyVersion int32
	authMethod    string
	authAt        *time.Time
	voidedAt      *time.Time
	voidedBy      string
	printedName   string // sealed
}

type indicatorRow struct {
	org          uuid.UUID
	id           string
	version      int64
	defined      int64 // position
	strategyID   string
	objectiveID  string
	importID     string
	definition   indicator.Definition
	headline     string
	epoch        int32
	health       string
	targets      int32
	measurements int32
	corrections  int32
	voided       int32
	retired      bool
	replacedBy   string
	linked       int64 // position
	breaks       []query.Break
	ownerID      string // of the definition, for a lookup
}

// moveRow is the relinking of an indicator, seen from the strategy it left.
type moveRow struct {
	org         uuid.UUID
	position    int64
	version     int64
	indicatorID string
	from        string
	by          string // a person, or ""
}

type authorRow struct {
	org         uuid.UUID
	indicatorID string
	id          string
	version     int64
	strategyID  string
	last        int64
}

type importRow struct {
	org        uuid.UUID
	id         string
	version    int64
	imported   int64 // position
	status     string
	strategyID string
	plan       string
	format     string
	sha256     string
	counts     source.Counts
	deviations int32
	details    importDetails
	code       string
	importedBy string
	importedAt time.Time
}

// importDetails is what is shown of one import alone.
type importDetails struct {
	Size            int                `json:"size"`
	ContentHash     string             `json:"contentHash,omitempty"`
	DocumentType    string             `json:"documentType,omitempty"`
	TypeAssumed     bool               `json:"typeAssumed,omitempty"`
	Again           bool               `json:"again,omitempty"`
	Reason          string             `json:"reason,omitempty"`
	AuthorizedBy    string             `json:"authorizedBy,omitempty"`
	DeviationCounts []source.CodeCount `json:"deviationCounts,omitempty"`
	Deviations      []source.Deviation `json:"deviations,omitempty"`
	Matched         []source.Match     `json:"matched,omitempty"`
	Line            int                `json:"line,omitempty"`
	Column          int                `json:"column,omitempty"`
	FileName        string             `json:"fileName,omitempty"`  // sealed
	Submitter       string             `json:"submitter,omitempty"` // sealed
}

// targetKey is the key of a target.
type targetKey struct {
	ref
	dims       string
	end, start calendar.Date
}

type targetRow struct {
	org         uuid.UUID
	indicatorID string
	dimsKey     string
	end, start  calendar.Date
	version     int64
	first       int64 // position
	dims        indicator.Dims
	reading     indicator.Reading
	note        string
	epoch       int32
	changes     int32
	origin      string
	setAt       time.Time
	setBy       string
	former      []query.Former
}

type measurementRow struct {
	org         uuid.UUID
	indicatorID string
	id          string
	version     int64
	first       int64 // position
	dimsKey     string
	end, start  calendar.Date
	dims        indicator.Dims
	reading     indicator.Reading
	note        string
	observedAt  *time.Time
	externalRef string
	epoch       int32
	corrections int32
	void        bool
	origin      string
	recordedAt  time.Time
	recordedBy  string
	former      []query.Former
	voidedAt    *time.Time
	voidedBy    string
	voidReason  string
}

// maxKey bounds what goes into an index.
const maxKey = 400

// indexed is a text for an index, equal exactly for equal ones.
func indexed(text string) string {
	if len(text) > maxKey {
		return "sha256:" + hashOf(text)
	}
	return text
}

// dimsKey is one text for dims, equal exactly for equal ones; "" for none.
func dimsKey(d indicator.Dims) string {
	return indexed(strings.TrimPrefix(indicator.Key(calendar.Period{}, d), "/"))
}
