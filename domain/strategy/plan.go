package strategy

import "strata.dev/strata/domain/calendar"

// DocumentType is the @Type of a StratML document.
type DocumentType string

// The document types of StratML Part 2; a Part 1 document is a Strategic_Plan.
const (
	StrategicPlan     DocumentType = "Strategic_Plan"
	PerformancePlan   DocumentType = "Performance_Plan"
	PerformanceReport DocumentType = "Performance_Report"
)

// Frame is what a plan says about itself.
type Frame struct {
	Name              string          `json:"name"`
	Identifier        string          `json:"identifier,omitempty"`
	Description       string          `json:"description,omitempty"`
	Vision            string          `json:"vision,omitempty"`
	VisionIdentifier  string          `json:"visionIdentifier,omitempty"`
	Mission           string          `json:"mission,omitempty"`
	MissionIdentifier string          `json:"missionIdentifier,omitempty"`
	Values            []Value         `json:"values,omitempty"`
	Organizations     []Organization  `json:"organizations,omitempty"`
	Period            calendar.Period `json:"period,omitzero"`
	OtherInformation  string          `json:"otherInformation,omitempty"`
	SourceURI         string          `json:"sourceUri,omitempty"`
	PublicationDate   calendar.Date   `json:"publicationDate,omitempty"`
}

// Value is one of the values an organization holds.
type Value struct {
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
}

// Organization is an organization as a document names it; it is not a tenant.
type Organization struct {
	Name         string        `json:"name,omitempty"`
	Acronym      string        `json:"acronym,omitempty"`
	Identifier   string        `json:"identifier,omitempty"`
	Description  string        `json:"description,omitempty"`
	Stakeholders []Stakeholder `json:"stakeholders,omitempty"`
}

// StakeholderKind is the @StakeholderTypeType of StratML.
type StakeholderKind string

// The kinds of stakeholders; "" if the document does not say.
const (
	PersonStakeholder       StakeholderKind = "Person"
	OrganizationStakeholder StakeholderKind = "Organization"
	GroupStakeholder        StakeholderKind = "Generic_Group"
)

// Stakeholder is affected by, or needed for, a goal or objective. Who a Person
// is stands in Sealed alone, encrypted under that person's key before it comes
// here: the log keeps for ever what is written in clear.
type Stakeholder struct {
	Kind        StakeholderKind `json:"kind,omitempty"`
	Name        string          `json:"name,omitempty"`
	Description string          `json:"description,omitempty"`
	Sealed      string          `json:"sealed,omitempty"`
	Roles       []Role          `json:"roles,omitempty"`
}

// Role is a part that a stakeholder plays.
type Role struct {
	Name        string     `json:"name,omitempty"`
	Description string     `json:"description,omitempty"`
	Types       []RoleType `json:"types,omitempty"`
}

// RoleType is the RoleType of StratML.
type RoleType string

// The role types.
const (
	Performer   RoleType = "Performer"
	Beneficiary RoleType = "Beneficiary"
)

// RelationshipKind is the @RelationshipType of StratML.
type RelationshipKind string

// The kinds of relationships; "" if the document does not say.
const (
	BroaderThan  RelationshipKind = "Broader_Than"
	PeerTo       RelationshipKind = "Peer_To"
	NarrowerThan RelationshipKind = "Narrower_Than"
)

// Relationship links an objective to something named in free text.
type Relationship struct {
	Kind        RelationshipKind `json:"kind,omitempty"`
	Identifier  string           `json:"identifier,omitempty"`
	Referents   []string         `json:"referents,omitempty"`
	Name        string           `json:"name,omitempty"`
	Description string           `json:"description,omitempty"`
}

// ElementKind says what kind of element of a plan is meant.
type ElementKind string

// The kinds of elements.
const (
	FrameElement     ElementKind = "frame"
	GoalElement      ElementKind = "goal"
	ObjectiveElement ElementKind = "objective"
)

// Content is the content of one field of an element: one member is set, or
// none for an empty field.
type Content struct {
	Text          string         `json:"text,omitempty"`
	Values        []Value        `json:"values,omitempty"`
	Organizations []Organization `json:"organizations,omitempty"`
	Stakeholders  []Stakeholder  `json:"stakeholders,omitempty"`
	Relationships []Relationship `json:"relationships,omitempty"`
}

// Text makes the content of a text field.
func Text(s string) Content { return Content{Text: s} }
