// Package fact holds what the domain needs to know about who acts and when:
// deciders and folds get it as an argument, so they need no clock and no request.
package fact

import "time"

// Kind tells persons from machines; machines never approve (S12).
type Kind string

// The kinds of actors, as in the metadata of every event.
const (
	Person  Kind = "person"
	Source  Kind = "source"
	Process Kind = "process"
)

// Actor is who acts, and when. To Decide it is the asking principal with the
// roles that hold at At; to a fold it is who made the event (roles may be empty).
type Actor struct {
	ID     string // member, source or process id; opaque
	Kind   Kind
	Roles  []string  // roles held now, within the scope of the aggregate asked about
	At     time.Time // decision time (Decide) or recording time (Apply); UTC
	AuthAt time.Time // when the person last proved who they are; for signing commands (S11)
}

// Has says whether the actor holds any of the roles.
func (a Actor) Has(roles ...string) bool {
	for _, r := range roles {
		for _, held := range a.Roles {
			if r == held {
				return true
			}
		}
	}
	return false
}

// Second is a second person behind a command (S8, S15): one who signed exactly
// this command before it was given. The zero Second is nobody.
type Second struct {
	ID         string    // member; opaque
	Kind       Kind      // machines stand behind nothing (S12)
	Roles      []string  // held when the command is decided, within the scope of the aggregate (S13)
	SamePerson []string  // other member ids, past or present, of the same person
	AuthAt     time.Time // when they last proved who they are
	SignedAt   time.Time
}

// Given says whether there is a second person at all.
func (s Second) Given() bool { return s.ID != "" }
