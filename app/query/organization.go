package query

import "time"

// Organization is the asking organization.
type Organization struct {
	ID              string    `json:"id"`
	Name            string    `json:"name"`
	Acronym         string    `json:"acronym,omitempty"`
	Identifier      string    `json:"stratmlIdentifier,omitempty"`
	TimeZone        string    `json:"timeZone,omitempty"`
	FiscalYearStart int       `json:"fiscalYearStart,omitempty"` // month, 1–12
	RegisteredAt    time.Time `json:"registeredAt"`
	Version         int64     `json:"version,string"`
	Position        int64     `json:"position,string"`
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
