package process

import "time"

// Kind says what a timer is for.
type Kind string

// The kinds of timers.
const (
	AcceptanceExpiry   Kind = "acceptance-expiry"
	AcceptanceReminder Kind = "acceptance-reminder"
	OverdueCheck       Kind = "finding-overdue"
	GrantExpiry        Kind = "grant-expiry"
	StaleCheck         Kind = "indicator-stale"
	AttestationCheck   Kind = "attestation-due"
)

// Key names the timers of one kind and subject. Of those only the one that the
// latest event has set counts.
type Key struct {
	Kind    Kind
	Subject Subject
}

// Timer is something to look at when its time has come. It says when and about
// what; what to do then follows from the state of then.
type Timer struct {
	Key
	DueAt time.Time
}

// of makes the key of a timer about a finding, an indicator, and so on.
func (k Kind) of(subjectType, id string) Key { return Key{k, Subject{subjectType, id}} }

func (k Key) at(due time.Time) Timer { return Timer{k, due.UTC()} }
