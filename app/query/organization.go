package query

import (
	"time"

	"strata.dev/strata/domain/organization"
)

// Organization is the asking organization.
type Organization struct {
	ID              string    `json:"id"`
	Name            string    `json:"name"`
	Acronym         string    `json:"acronym,omitempty"`
	Identifier      string    `json:"stratmlIdentifier,omitempty"`
	TimeZone        string    `json:"timeZone,omitempty"`
	FiscalYearStart int       `json:"fiscalYearStart,omitempty"` // month, 1–12
	RegisteredAt    time.Time `json:"registeredAt"`
	Policy          Policy    `json:"policy"`
	Version         int64     `json:"version,string"`
	Position        int64     `json:"position,string"`
}

// Policy is the governance policy that holds now.
type Policy struct {
	Version int        `json:"version"` // 1 = the defaults: none was set yet
	SetAt   *time.Time `json:"setAt,omitempty"`
	SetBy   string     `json:"setBy,omitempty"`
	// RequestedBy and AuthorizedBy are the two persons of a policy that weakened the one before (S8).
	RequestedBy  string              `json:"requestedBy,omitempty"`
	AuthorizedBy string              `json:"authorizedBy,omitempty"`
	Rules        organization.Policy `json:"rules"`
}

// HoldFilter asks for a page of the list of legal holds.
type HoldFilter struct {
	State  string `json:"state,omitempty"` // placed or released; empty = both
	Paging `json:"-"`
}

// LegalHold keeps what it covers from being disposed of or erased.
type LegalHold struct {
	ID         string     `json:"id"`
	Matter     string     `json:"matter"`
	Basis      string     `json:"basis,omitempty"`
	WholeOrg   bool       `json:"wholeOrganization,omitempty"`
	Streams    []string   `json:"streams,omitempty"`
	Subjects   []string   `json:"subjects,omitempty"`
	PlacedAt   time.Time  `json:"placedAt"`
	PlacedBy   string     `json:"placedBy"`
	ReleasedAt *time.Time `json:"releasedAt,omitempty"`
	// RequestedBy and AuthorizedBy are the two persons who released it (S8).
	RequestedBy   string `json:"requestedBy,omitempty"`
	AuthorizedBy  string `json:"authorizedBy,omitempty"`
	ReleaseReason string `json:"releaseReason,omitempty"`
}

// Member is an enrolled person or service, with the grants it holds.
type Member struct {
	ID         string    `json:"id"`
	SubjectID  string    `json:"subjectId,omitempty"`
	Kind       string    `json:"kind"` // person, service
	Offboarded bool      `json:"offboarded,omitempty"`
	Issuer     string    `json:"issuer,omitempty"`
	Roles      []Grant   `json:"roles"`
	EnrolledAt time.Time `json:"enrolledAt"`

	DisplayName string `json:"displayName,omitempty"`
	Email       string `json:"email,omitempty"`
	Withheld
}

// Grant is a role a member holds.
type Grant struct {
	ID          string     `json:"id"`
	Role        string     `json:"role"`
	StrategyIDs []string   `json:"strategyIds,omitempty"` // empty = all strategies
	ExpiresAt   *time.Time `json:"expiresAt,omitempty"`
	GrantedAt   time.Time  `json:"grantedAt"`
	GrantedBy   string     `json:"grantedBy"`
}
