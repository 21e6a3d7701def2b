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

func (Registered) isEvent()     {}
func (MemberEnrolled) isEvent() {}
func (RoleGranted) isEvent()    {}
func (RoleRevoked) isEvent()    {}

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
