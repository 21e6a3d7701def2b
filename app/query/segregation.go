package query

import "time"

// DefaultDormantDays is after how many days without use a grant is dormant.
const DefaultDormantDays = 90

// MaxReported bounds each list of a segregation report.
const MaxReported = 1_000

// SegregationFilter asks for a segregation report.
type SegregationFilter struct {
	From        time.Time `json:"from,omitzero"` // refusals recorded at or after; zero = from the start
	To          time.Time `json:"to,omitzero"`   // and before; zero = to the end
	DormantDays int       `json:"dormantDays,omitempty"`
	At          time.Time `json:"at,omitzero"` // as of when grants are judged; zero = now
}

// Segregation is what an officer looks at to see whether duties are kept apart.
// Each list holds at most MaxReported items; Omitted says how many more there are.
type Segregation struct {
	At            time.Time          `json:"at"`
	Conflicts     []RoleConflict     `json:"conflicts"`     // by person; S4 keeps them from holding such roles at the same time
	NearMisses    []NearMiss         `json:"nearMisses"`    // most frequent first
	SelfApprovals []NearMiss         `json:"selfApprovals"` // those of NearMisses that were about the actor's own work
	Dormant       []DormantGrant     `json:"dormant"`       // longest unused first
	Omitted       SegregationOmitted `json:"omitted"`
	Position      int64              `json:"position,string"`
}

// SegregationOmitted counts what did not fit into the lists.
type SegregationOmitted struct {
	Conflicts     int `json:"conflicts"`
	NearMisses    int `json:"nearMisses"`
	SelfApprovals int `json:"selfApprovals"`
	Dormant       int `json:"dormant"`
}

// RoleConflict is one person, under one enrolment or several, to whom two roles
// were given that conflict.
type RoleConflict struct {
	SubjectID string     `json:"subjectId"`
	Roles     [2]string  `json:"roles"`    // sorted
	Conflict  string     `json:"conflict"` // always, or same-strategy
	Together  bool       `json:"together"` // at the same time, if only for a moment
	Held      []RoleHeld `json:"held"`     // every span of either role, the earliest first
}

// RoleHeld is a span in which a member held a role.
type RoleHeld struct {
	MemberID    string     `json:"memberId"`
	GrantID     string     `json:"grantId"`
	Role        string     `json:"role"`
	StrategyIDs []string   `json:"strategyIds,omitempty"` // empty = all strategies
	From        time.Time  `json:"from"`
	To          *time.Time `json:"to,omitempty"` // when it was revoked or has expired; nil = held still
}

// NearMiss is what one actor was refused by one rule of segregation (S1 to S15).
type NearMiss struct {
	Rule      string    `json:"rule"`
	ActorKind string    `json:"actorKind,omitempty"`
	ActorID   string    `json:"actorId,omitempty"`
	Command   string    `json:"command"`
	Count     int       `json:"count"`
	Targets   []string  `json:"targets"` // streams, at most MaxTargets of them
	FirstAt   time.Time `json:"firstAt"`
	LastAt    time.Time `json:"lastAt"`
}

// MaxTargets bounds NearMiss.Targets.
const MaxTargets = 10

// DormantGrant is a grant that is held and that nothing was done with.
type DormantGrant struct {
	MemberID    string     `json:"memberId"`
	GrantID     string     `json:"grantId"`
	Role        string     `json:"role"`
	StrategyIDs []string   `json:"strategyIds,omitempty"` // empty = all strategies
	GrantedAt   time.Time  `json:"grantedAt"`
	ExpiresAt   *time.Time `json:"expiresAt,omitempty"`
	LastUsedAt  *time.Time `json:"lastUsedAt,omitempty"` // when a command of the role was recorded last, by this member; nil = never
	Days        int        `json:"days"`                 // since then, or since it was granted
}
