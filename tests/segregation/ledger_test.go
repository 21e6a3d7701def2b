package segregation

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"strata.dev/strata/app/eventlog"
)

// roleAge is how long a process may decide by roles that another process has
// taken away: the promise of package command. Within one process none is due.
const roleAge = time.Second

// anyProcess marks events of which nobody knows which process decided them.
const anyProcess = -1

// ledger is what the events of one organization add up to, folded without the
// domain. It judges each event by what was so before it.
type ledger struct {
	people
	strategies map[string]*plan
	indicators map[string]*measure
	findings   map[string]*deviation
	evidence   map[string]bool
	sources    map[string]*supplier
	position   int64
}

func newLedger() *ledger {
	return &ledger{
		people: people{
			members: map[string]*member{}, grants: map[string]*grant{}, holds: map[string]bool{}, signers: map[string]bool{}, parent: map[string]string{},
		},
		strategies: map[string]*plan{}, indicators: map[string]*measure{}, findings: map[string]*deviation{},
		evidence: map[string]bool{}, sources: map[string]*supplier{},
	}
}

// moment is where in the log something was recorded.
type moment struct {
	position int64
	at       time.Time
	process  int
}

// entry is one event as it stands in the log.
type entry struct {
	moment
	typ, id string // id of the aggregate
	data    []byte
	meta    metadata
}

// metadata is what the ledger reads of an event's metadata.
type metadata struct {
	Actor struct {
		Kind   string    `json:"kind"`
		ID     string    `json:"id"`
		Roles  []string  `json:"roles"`
		AuthAt time.Time `json:"authAt"`
	} `json:"actor"`
	CommandID string `json:"commandId"`
	Signature *struct {
		SignerID    string    `json:"signerId"`
		Meaning     string    `json:"meaning"`
		SignedAt    time.Time `json:"signedAt"`
		ContentHash string    `json:"contentHash"`
	} `json:"signature"`
	Countersignature *struct {
		SignerID    string    `json:"signerId"`
		SignedAt    time.Time `json:"signedAt"`
		AuthAt      time.Time `json:"authAt"`
		CommandHash string    `json:"commandHash"`
	} `json:"countersignature"`
	PolicyVersion int `json:"policyVersion"`
}

// take judges the next event of the log and adds it. process is the one that
// decided it.
func (l *ledger) take(e eventlog.Event, process int) error {
	if e.Position <= l.position {
		return fmt.Errorf("position %d follows %d", e.Position, l.position)
	}
	l.position = e.Position
	kind, id, _ := strings.Cut(e.StreamID, "-")
	n := entry{moment: moment{e.Position, e.RecordedAt, process}, typ: e.Type, id: id, data: e.Data}
	if err := json.Unmarshal(e.Metadata, &n.meta); err != nil {
		return fmt.Errorf("metadata of %d: %w", e.Position, err)
	}
	err := l.mayAct(n)
	if err == nil {
		switch kind {
		case "organization":
			err = l.governed(n)
		case "strategy":
			err = l.planned(n)
		case "indicator":
			err = l.measured(n)
		case "finding":
			err = l.found(n)
		case "evidence":
			l.evidence[id] = true
		case "source":
			err = l.supplied(n)
		default:
			err = fmt.Errorf("nobody judges streams of kind %s", kind)
		}
	}
	if err != nil {
		return fmt.Errorf("%s at position %d by %s %s: %w", e.Type, e.Position, n.meta.Actor.Kind, n.meta.Actor.ID, err)
	}
	if s := n.meta.Signature; s != nil {
		l.signers[s.SignerID] = true
	}
	if s := n.meta.Countersignature; s != nil {
		l.signers[s.SignerID] = true
	}
	return nil
}

// body reads an event's data.
func body[T any](e entry) (T, error) {
	var v T
	err := json.Unmarshal(e.data, &v)
	return v, err
}

// known says whether a process had to know what was recorded at m when it
// decided what e records.
func (e entry) known(m moment) bool {
	return (m.process == e.process && m.process != anyProcess) || m.at.Before(e.at.Add(-roleAge))
}

// signed holds S11 for the event's actor: just signed in, and with a meaning.
func (l *ledger) signed(e entry, meaning, contentHash string) error {
	s := e.meta.Signature
	switch {
	case s == nil:
		return fmt.Errorf("S11: it carries no signature")
	case s.SignerID != e.meta.Actor.ID || s.Meaning != meaning || s.ContentHash != contentHash:
		return fmt.Errorf("S11: the signature %+v is not %s's for %s of %q", *s, e.meta.Actor.ID, meaning, contentHash)
	}
	return l.freshPerson(e)
}

// freshPerson holds S11 and S12: a person who signed in at most five minutes ago.
func (l *ledger) freshPerson(e entry) error {
	if m := l.members[e.meta.Actor.ID]; e.meta.Actor.Kind != "person" || m == nil || m.service {
		return fmt.Errorf("S12: no person decided this")
	}
	// Both times are kept in whole seconds or microseconds.
	if age := e.at.Sub(e.meta.Actor.AuthAt); e.meta.Actor.AuthAt.IsZero() || age > 5*time.Minute+2*time.Second {
		return fmt.Errorf("S11: signed in %s before", age)
	}
	return nil
}

// countersigned judges the second person behind an event (S8, S15): another
// one, with the role, who signed this very command in time.
func (l *ledger) countersigned(e entry, rule, second, role string, strategyIDs ...string) error {
	c := e.meta.Countersignature
	switch {
	case second == "":
		return fmt.Errorf("%s: nobody stands behind it", rule)
	case l.samePerson(second, e.meta.Actor.ID):
		return fmt.Errorf("%s: %s stands behind their own command as %s", rule, e.meta.Actor.ID, second)
	case l.members[second] == nil || l.members[second].service:
		return fmt.Errorf("%s: %s is no person here", rule, second)
	case c == nil || c.SignerID != second:
		return fmt.Errorf("%s: it carries no countersignature of %s", rule, second)
	case e.at.Sub(c.SignedAt) > 24*time.Hour+2*time.Second:
		return fmt.Errorf("%s: countersigned %s before", rule, e.at.Sub(c.SignedAt))
	case c.SignedAt.Sub(c.AuthAt) > 5*time.Minute+2*time.Second:
		return fmt.Errorf("%s: countersigned %s after signing in", rule, c.SignedAt.Sub(c.AuthAt))
	}
	for _, id := range strategyIDs {
		if !l.held(e, second, role, id) {
			return fmt.Errorf("%s: %s, who stands behind it, is no %s for %q", rule, second, role, id)
		}
	}
	return nil
}
