package journal

import "time"

// Withheld stands for a word that is not shown.
const Withheld = "withheld"

// Withhold is what an entry says to those who may not read the journal: that it
// is there, of which kind, how often it happened and when; not who, nor what.
func Withhold(e Event) Event {
	switch e := e.(type) {
	case CommandDenied:
		return CommandDenied{Command: Withheld, Slug: Withheld, Count: e.Count, FirstAt: e.FirstAt, LastAt: e.LastAt}
	case SignInFailed:
		return SignInFailed{Reason: Withheld, Count: e.Count, FirstAt: e.FirstAt, LastAt: e.LastAt}
	case AuditRead:
		return AuditRead{Query: Withheld, Count: e.Count, FirstAt: e.FirstAt, LastAt: e.LastAt}
	case Reminded:
		return Reminded{Kind: Withheld, Subject: Subject{Type: Withheld, ID: Withheld}, DueAt: clone(e.DueAt)}
	case EpochStarted:
		e.Operator = "" // the rest is about the log, and everybody's concern
		return e
	}
	return e // read models are no persons
}

func clone(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	c := *t
	return &c
}
