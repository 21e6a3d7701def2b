package organization

import "time"

// Command is the closed set of what can be asked of an organization.
type Command interface{ isCommand() }

// RegisterOrganization creates the organization with its first administrator
// and its first compliance officer, who are two different persons (S4).
type RegisterOrganization struct {
	OrganizationID    string
	Name              string
	Acronym           string
	StratMLIdentifier string
	TimeZone          string // IANA name; "UTC" if empty
	FiscalYearStart   int    // month 1–12; 1 if 0
	Administrator     FirstMember
	ComplianceOfficer FirstMember
}

// FirstMember is a member enrolled and granted a role by the registration.
type FirstMember struct {
	MemberID       string
	SubjectID      string
	Issuer         string
	ExternalIDHash string
	GrantID        string
}

// EnrolMember lets an external identity act as a member. It grants nothing.
type EnrolMember struct {
	MemberID       string
	SubjectID      string
	Issuer         string
	ExternalIDHash string
	Kind           MemberKind
}

// GrantRole gives a member a role.
type GrantRole struct {
	GrantID   string
	MemberID  string
	Role      string
	Scope     Scope
	ExpiresAt *time.Time
	TicketRef string
}

// RevokeRole ends grants of one member.
type RevokeRole struct {
	MemberID string
	GrantIDs []string
	Reason   string
}

// OffboardMember ends all grants of a member and the enrolment itself.
type OffboardMember struct {
	MemberID string
	Reason   string
}

func (RegisterOrganization) isCommand() {}
func (EnrolMember) isCommand()          {}
func (GrantRole) isCommand()            {}
func (RevokeRole) isCommand()           {}
func (OffboardMember) isCommand()       {}
