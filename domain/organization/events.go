package organization

import "time"

// Event is the closed set of facts about an organization.
type Event interface{ isEvent() }

// Registered: the organization exists; its first two members follow in the same append.
type Registered struct {
	OrganizationID           string `json:"organizationId"`
	Name                     string `json:"name"`
	Acronym                  string `json:"acronym,omitempty"`
	StratMLIdentifier        string `json:"stratmlIdentifier,omitempty"`
	TimeZone                 string `json:"timeZone"`
	FiscalYearStart          int    `json:"fiscalYearStart"`          // month, 1–12
	InitialAdministrator     string `json:"initialAdministrator"`     // member id
	InitialComplianceOfficer string `json:"initialComplianceOfficer"` // member id
}

// MemberEnrolled: an external identity may act here under a member id.
type MemberEnrolled struct {
	MemberID       string     `json:"memberId"`
	SubjectID      string     `json:"subjectId"` // the person or service behind all its enrolments
	Issuer         string     `json:"issuer"`
	ExternalIDHash string     `json:"externalIdHash"` // IdentityHash; the subject itself is not kept
	Kind           MemberKind `json:"kind"`
	DisplayName    string     `json:"displayName,omitempty"` // sealed for SubjectID
	Email          string     `json:"email,omitempty"`       // likewise
}

// RoleGranted: a member has a role from now on.
type RoleGranted struct {
	GrantID   string     `json:"grantId"`
	MemberID  string     `json:"memberId"`
	Role      string     `json:"role"`
	Scope     Scope      `json:"scope"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty"`
	TicketRef string     `json:"ticketRef,omitempty"`
}

// RoleRevoked: grants end; with Offboarding the member ends, too.
type RoleRevoked struct {
	GrantIDs    []string `json:"grantIds"`
	MemberID    string   `json:"memberId"`
	Reason      string   `json:"reason"`
	Offboarding bool     `json:"offboarding"`
}

// GovernancePolicySet: another policy is in force from now on.
type GovernancePolicySet struct {
	Policy
	Old          Policy `json:"old"`
	Reason       string `json:"reason"`
	RequestedBy  string `json:"requestedBy,omitempty"`  // member; both if it is weaker (S8)
	AuthorizedBy string `json:"authorizedBy,omitempty"` // member who gave the command
}

// LegalHoldPlaced: what the scope covers is neither erased nor disposed of.
type LegalHoldPlaced struct {
	HoldID string    `json:"holdId"`
	Matter string    `json:"matter"`
	Scope  HoldScope `json:"scope"`
	Basis  string    `json:"basis"`
}

// HoldScope says what a legal hold covers: the whole organization, or some
// streams and what is kept about some subjects.
type HoldScope struct {
	Organization bool     `json:"organization"`
	Streams      []string `json:"streams,omitempty"`  // if not Organization; sorted
	Subjects     []string `json:"subjects,omitempty"` // likewise: subject ids of members and stakeholders
}

// LegalHoldReleased: the legal hold has ended. Its id is never used again.
type LegalHoldReleased struct {
	HoldID       string `json:"holdId"`
	Reason       string `json:"reason"`
	RequestedBy  string `json:"requestedBy"`  // member (S8)
	AuthorizedBy string `json:"authorizedBy"` // another one, who gave the command
}

// PersonalDataErased: nobody can read any more who the subject is. The keys are
// destroyed once this is recorded; what they sealed stays as it is, and so do
// all hashes and proofs over it.
type PersonalDataErased struct {
	RequestID           string   `json:"requestId"`
	SubjectID           string   `json:"subjectId"`
	Basis               string   `json:"basis"`
	KeyIDs              []string `json:"keyIds"`                        // sorted: of the subject, and of documents that named them
	RequestedBy         string   `json:"requestedBy"`                   // member (S8)
	AuthorizedBy        string   `json:"authorizedBy"`                  // another one, who gave the command
	KeptUnder           []Kept   `json:"keptUnder,omitempty"`           // what of the subject's records stays, without a name
	RedactedEvidenceIDs []string `json:"redactedEvidenceIds,omitempty"` // copies of the documents without the name; sorted
}

// Kept says by what rule, and until when, something of a subject is kept.
type Kept struct {
	Law   string    `json:"law"`
	Until time.Time `json:"until"`
}

func (Registered) isEvent()          {}
func (MemberEnrolled) isEvent()      {}
func (RoleGranted) isEvent()         {}
func (RoleRevoked) isEvent()         {}
func (GovernancePolicySet) isEvent() {}
func (LegalHoldPlaced) isEvent()     {}
func (LegalHoldReleased) isEvent()   {}
func (PersonalDataErased) isEvent()  {}

// MemberKind tells people from service accounts.
type MemberKind string

// The kinds of members.
const (
	Person  MemberKind = "person"
	Service MemberKind = "service"
)

// Scope says for which strategies a grant holds.
type Scope struct {
	All         bool     `json:"all"`
	StrategyIDs []string `json:"strategyIds,omitempty"` // if not All; sorted
}
