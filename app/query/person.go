package query

import (
	"time"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/organization"
)

// Person is what is known of a person, by member id or subject id (Q15).
type Person struct {
	ID   string `json:"id"` // as asked for
	Name string `json:"name,omitempty"`
	Withheld
	SubjectIDs []string    `json:"subjectIds"`
	Enrolments []Enrolment `json:"enrolments"` // of one subject several, over time; the earliest first
	// Acts says where the person has a part, by kind of part and then of thing;
	// at most MaxActs, MoreActs says that there are more. What they did event by
	// event is asked of the history, by actor.
	Acts     []Act  `json:"acts"`
	MoreActs bool   `json:"moreActs,omitempty"`
	Holds    []Hold `json:"holds"` // legal holds in place that cover the person, or something they have a part in
	// Retention is until when the records must be kept by the policy of now.
	Retention Retention `json:"retention"`
	// Erasures are the certificates of what was erased of the person, the earliest
	// first. Each is an event: what proves that the log holds it, proves the erasure.
	Erasures []Erasure `json:"erasures,omitempty"`
	Position int64     `json:"position,string"`

	Texts []string `json:"-"` // sealed: what says who it is, the best first, as long as nobody has opened it
}

// Erasure says that personal data was erased: what, why, by whom (S8), and what
// of the person's records is kept without a name.
type Erasure struct {
	EventID  string    `json:"eventId"`
	Position int64     `json:"position,string"`
	ErasedAt time.Time `json:"erasedAt"`
	organization.PersonalDataErased
}

// PersonSummary is a line of the list of persons.
type PersonSummary struct {
	SubjectID string `json:"subjectId"`
	Name      string `json:"name,omitempty"`
	Withheld
	Member bool `json:"member"` // is or was enrolled here
	Places int  `json:"places"` // in which the person is named

	Texts []string `json:"-"` // as of Person
}

// MaxActs bounds Person.Acts.
const MaxActs = 1_000

// Enrolment is one membership and all roles that were ever granted to it.
type Enrolment struct {
	MemberID     string      `json:"memberId"`
	SubjectID    string      `json:"subjectId,omitempty"`
	Kind         string      `json:"kind"` // person, service
	Issuer       string      `json:"issuer,omitempty"`
	EnrolledAt   time.Time   `json:"enrolledAt"`
	OffboardedAt *time.Time  `json:"offboardedAt,omitempty"`
	Grants       []PastGrant `json:"grants"` // in the order given
	DisplayName  string      `json:"displayName,omitempty"`
	Email        string      `json:"email,omitempty"`
	Withheld
}

// PastGrant is a role that a member holds or held.
type PastGrant struct {
	Grant
	RevokedAt *time.Time `json:"revokedAt,omitempty"`
	Current   bool       `json:"current"` // neither revoked nor expired
}

// Kinds of parts a person has.
const (
	ActsAsAuthor      = "author"      // of a strategy's revision, or of an indicator's definition or targets
	ActsAsApprover    = "approver"    // of a strategy's revision
	ActsAsOwner       = "owner"       // of an indicator now, or of a finding ever
	ActsAsSteward     = "steward"     // of a source
	ActsAsRaiser      = "raiser"      // of a finding
	ActsAsResponsible = "responsible" // for an action of a remediation
	ActsAsSubmitter   = "submitter"   // of a remediation
	ActsAsAcceptor    = "acceptor"    // of a risk
	ActsAsVerifier    = "verifier"    // who returned or closed a finding
	ActsAsRegistrar   = "registrar"   // of evidence
	ActsAsSubject     = "subject"     // of personal data inside evidence or an imported document
	ActsAsStakeholder = "stakeholder" // whom a plan names
	ActsAsSigner      = "signer"      // who signed or countersigned something
)

// Act is one part a person has in one thing.
type Act struct {
	As   string `json:"as"`   // one of the ActsAs constants
	Type string `json:"type"` // strategy, indicator, finding, evidence, source
	ID   string `json:"id"`
	Name string `json:"name,omitempty"` // of the thing, now
}

// Hold is a legal hold and why it covers the person.
type Hold struct {
	ID       string    `json:"id"`
	Matter   string    `json:"matter"`
	Covers   string    `json:"covers"` // organization, subject, stream
	PlacedAt time.Time `json:"placedAt"`
}

// Retention is until when the policy wants records kept. A hold keeps them longer.
type Retention struct {
	PolicyVersion int `json:"policyVersion"`
	Years         int `json:"years"`
	// LastAt is when the last enrolment ended, or when later the latest evidence
	// about the person was registered. Nobody acts after it, so everything that
	// they did is older. While they are a member nothing runs, and of somebody whom
	// only plans and imported documents name nothing has to be kept.
	LastAt *time.Time `json:"lastAt,omitempty"`
	// Until is the last day of Years after LastAt; "" while the person is still a member.
	Until calendar.Date `json:"until,omitempty"`
	Held  bool          `json:"held"` // a legal hold is in place, whatever the day
}
