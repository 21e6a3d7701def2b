package organization

import (
	"time"

	"strata.dev/strata/domain/fact"
)

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
	DisplayName    string // sealed for SubjectID; "" = not known
	Email          string // likewise
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

// SetGovernancePolicy replaces the policy. Policy.Version is not looked at. A
// policy that is weaker in any member takes a second compliance officer (S8).
type SetGovernancePolicy struct {
	Policy Policy
	Reason string
	Second fact.Second // who asked for it, where S8 asks for two
}

// PlaceLegalHold forbids erasing and disposing of what its scope covers, until
// it is released.
type PlaceLegalHold struct {
	HoldID string
	Matter string // what it is about: a case, an inquiry
	Scope  HoldScope
	Basis  string // the law or order it rests on
}

// ReleaseLegalHold ends a legal hold for ever. It takes two compliance officers (S8).
type ReleaseLegalHold struct {
	HoldID string
	Reason string
	Second fact.Second // who asked for it
}

// ErasePersonalData makes everything that says who a subject is unreadable for
// ever: sealed texts, and documents that name them. It takes two compliance
// officers (S8).
type ErasePersonalData struct {
	RequestID   string
	SubjectID   string       // a member's, or a person's whom documents name
	Basis       string       // the law or request it rests on; nothing that says who it is
	WithoutCopy bool         // destroy also documents of which no copy without the name can be made
	Found       PersonalData // what is there to erase
	Second      fact.Second  // who asked for it
}

func (RegisterOrganization) isCommand() {}
func (EnrolMember) isCommand()          {}
func (GrantRole) isCommand()            {}
func (RevokeRole) isCommand()           {}
func (OffboardMember) isCommand()       {}
func (SetGovernancePolicy) isCommand()  {}
func (PlaceLegalHold) isCommand()       {}
func (ReleaseLegalHold) isCommand()     {}
func (ErasePersonalData) isCommand()    {}
