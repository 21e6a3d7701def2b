package journal

import "time"

// InstallationID stands for the organization of the installation's own journal:
// for sign-ins that nobody's organization can be believed for, and for what
// operators are refused. No organization is registered by it.
const InstallationID = "5afe0000-0000-4000-8000-00000000a11d"

const (
	// Others is the command, query or reason of an event that counts what was too
	// varied to be told apart.
	Others = "others"
	// Various is the target of an event that counts what was tried on too many
	// targets to name each.
	Various = "various"
)

// Event is the closed set of facts of a journal.
type Event interface{ isEvent() }

// CommandDenied: somebody asked for what they may not do.
type CommandDenied struct {
	ActorKind string    `json:"actorKind,omitempty"` // person, source or process
	ActorID   string    `json:"actorId,omitempty"`   // member, source or process; of a stranger "identity-" and the hash of who the issuer says it is
	Command   string    `json:"command"`             // a command's name as in the table of roles, or a query's
	Rule      string    `json:"rule,omitempty"`      // that refused: role, S1 …
	Slug      string    `json:"slug"`                // of the answer
	Target    string    `json:"target,omitempty"`    // stream that it was about
	Count     int       `json:"count"`
	FirstAt   time.Time `json:"firstAt"`
	LastAt    time.Time `json:"lastAt"`
}

// SignInFailed: somebody showed no token, or one that is not believed.
type SignInFailed struct {
	Issuer  string    `json:"issuer,omitempty"` // if the token was one of its
	Reason  string    `json:"reason"`
	Count   int       `json:"count"`
	FirstAt time.Time `json:"firstAt"`
	LastAt  time.Time `json:"lastAt"`
}

// AuditRead: somebody was shown audit data.
type AuditRead struct {
	ActorKind string    `json:"actorKind,omitempty"`
	ActorID   string    `json:"actorId,omitempty"`
	Query     string    `json:"query"`            // the operation of the API
	Target    string    `json:"target,omitempty"` // stream or other id that it asked about
	Range     Range     `json:"range"`
	Rows      int       `json:"rows"` // shown, in all
	Count     int       `json:"count"`
	FirstAt   time.Time `json:"firstAt"`
	LastAt    time.Time `json:"lastAt"`
}

// Range is the part of the record that was asked for and shown. Of several
// reads it is the span of all.
type Range struct {
	From          *time.Time `json:"from,omitempty"`                 // asked for what was recorded at or after; nil = from the start
	To            *time.Time `json:"to,omitempty"`                   // and before; nil = to the end
	FirstPosition int64      `json:"firstPosition,omitempty,string"` // of the first and
	LastPosition  int64      `json:"lastPosition,omitempty,string"`  // the last event that was shown
}

// Subject is what a reminder is about.
type Subject struct {
	Type string `json:"type"` // finding, indicator, strategy, grant, source …
	ID   string `json:"id"`
}

// Reminded: something is due, and whoever it concerns is told by this event.
type Reminded struct {
	Kind     string     `json:"kind"` // what is due: a word of the process that reminds
	Subject  Subject    `json:"subject"`
	MemberID string     `json:"memberId,omitempty"` // whom it concerns, if one person
	DueAt    *time.Time `json:"dueAt,omitempty"`
}

// Differences of a row of a read model from what the log says.
const (
	Missing   = "missing"   // the log makes such a row, the model has none
	Surplus   = "surplus"   // the model has a row that nothing in the log makes
	Different = "different" // both have it, with other content
)

// ReadModelDiverged: a row of a read model was not what the log makes of it:
// somebody wrote to the database by another way than the log.
type ReadModelDiverged struct {
	Model      string `json:"model"`
	Table      string `json:"table"`
	Key        string `json:"key"`
	Difference string `json:"difference"`
	Position   int64  `json:"position,string"` // of the log, at which both were compared
}

// ReadModelRepaired: a read model was replaced by what the log makes.
type ReadModelRepaired struct {
	Model    string `json:"model"`
	Rows     int    `json:"rows"` // of this organization that had differed
	Position int64  `json:"position,string"`
}

// EpochStarted: the log goes on as another history than the one that some may
// have seen: it was restored to an earlier position. It is the first event of
// that history.
type EpochStarted struct {
	Epoch      int    `json:"epoch"`                     // 2, 3, 4 …
	First      int64  `json:"first,string"`              // position of this event
	RestoredTo int64  `json:"restoredTo,string"`         // the last position that both histories have
	LostHead   int64  `json:"lostHead,omitempty,string"` // the last position that is known of the history left behind
	Reason     string `json:"reason"`
	Operator   string `json:"operator,omitempty"` // who ran the restore, as the machine knows them
}

func (CommandDenied) isEvent()     {}
func (SignInFailed) isEvent()      {}
func (AuditRead) isEvent()         {}
func (Reminded) isEvent()          {}
func (ReadModelDiverged) isEvent() {}
func (ReadModelRepaired) isEvent() {}
func (EpochStarted) isEvent()      {}
