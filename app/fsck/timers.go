package fsck

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	process "strata.dev/strata/app/process"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	decide "strata.dev/strata/domain/process"
)

// timers compares stored timers with those that events set. A timer's id follows
// from the event that set it, or from the timer that did when it fired: a row
// that is in no such chain was made up, and a place of the chain without a row
// was taken out. When a timer is due follows from the event alone for most kinds;
// for the others the state of the moment had a say, and it is not judged.
type timers struct {
	chains  map[timerKey][]Timer
	cancels map[timerSubject]int64 // position of the last event that ended those before it
	causes  map[timerSubject]int64 // of the last timer that was set
	upTo    int64                  // position up to which the processes have set what there is to set
	parked  map[string]bool        // streams that they left aside
	rows    int64
}

// timerKey names the timers that one event has set, one after the other.
type timerKey struct {
	position int64
	timerSubject
}

type timerSubject struct {
	organization  uuid.UUID
	kind, subject string
}

func newTimers(rows []Timer, cursors []Cursor, parked []Parked) *timers {
	t := &timers{
		chains: map[timerKey][]Timer{}, cancels: map[timerSubject]int64{}, causes: map[timerSubject]int64{},
		parked: map[string]bool{}, rows: int64(len(rows)),
	}
	for _, row := range rows {
		of := timerSubject{row.OrganizationID, row.Kind, row.Subject}
		t.chains[timerKey{row.CausePosition, of}] = append(t.chains[timerKey{row.CausePosition, of}], row)
		t.causes[of] = max(t.causes[of], row.CausePosition)
	}
	for _, c := range cursors {
		if c.Group == process.Group {
			t.upTo = c.Position
		}
	}
	for _, p := range parked {
		if p.Group == process.Group {
			t.parked[p.StreamID] = true
		}
	}
	return t
}

// event looks at what one event sets and cancels.
func (t *timers) event(e *Entry, to *Tally) {
	expected, certain := t.expected(e)
	for _, k := range expected.Cancel {
		of := timerSubject{e.OrganizationID, string(k.Kind), k.Subject.String()}
		t.cancels[of] = max(t.cancels[of], e.Position)
	}
	for _, want := range expected.Timers {
		of := timerSubject{e.OrganizationID, string(want.Kind), want.Subject.String()}
		t.causes[of] = max(t.causes[of], e.Position)
		key := timerKey{e.Position, of}
		if _, there := t.chains[key]; !there && e.Position <= t.upTo && !t.parked[e.StreamID] {
			to.Wrong(timerWrong("missing", key, Timer{ID: process.TimerID(e.ID, of.kind, of.subject)},
				"The event at this position sets it, and it is not there.", "Read the log again for the processes: move the cursor of the group processes back before this position."))
			continue
		}
		t.chain(key, e, want.DueAt, certain, to)
	}
	for key := range t.at(e) { // set by it in another state than this check can know
		t.chain(key, e, time.Time{}, false, to)
	}
}

// at gives the chains of an event that are left.
func (t *timers) at(e *Entry) map[timerKey][]Timer {
	if !sets[e.Type] {
		return nil
	}
	_, id, _ := strings.Cut(e.StreamID, "-")
	left := map[timerKey][]Timer{}
	for _, kind := range timerKinds {
		for _, subject := range []string{"finding-" + id, "indicator-" + id, "strategy-" + id} {
			key := timerKey{e.Position, timerSubject{e.OrganizationID, string(kind), subject}}
			if rows, ok := t.chains[key]; ok {
				left[key] = rows
			}
		}
	}
	return left
}

// sets is which types of events may set timers.
var sets = map[string]bool{
	"finding.assigned": true, "finding.remediation-planned": true, "finding.risk-accepted": true, "finding.reclassified": true, "finding.returned": true,
	"organization.role-granted": true, "indicator.defined": true, "indicator.redefined": true, "strategy.activated": true,
}

var timerKinds = []decide.Kind{
	decide.AcceptanceExpiry, decide.AcceptanceReminder, decide.OverdueCheck, decide.GrantExpiry, decide.StaleCheck, decide.AttestationCheck,
}

// expected is what the schedule makes of an event. It is certain of the timers
// of events that say themselves when something is due.
func (t *timers) expected(e *Entry) (d decide.Decision, certain bool) {
	_, id, _ := strings.Cut(e.StreamID, "-")
	d = decide.Schedule(decide.Cause{OrganizationID: e.Organization(), Position: e.Position, At: e.RecordedAt.UTC()}, id, e.Body, decide.ScheduleFacts{})
	if e.By.Kind == fact.Process && e.By.ID == decide.Deadlining {
		d.Cancel = nil
	}
	switch e.Body.(type) {
	case finding.Assigned, finding.RemediationPlanned, finding.RiskAccepted, organization.RoleGranted, indicator.Defined:
		return d, true
	}
	d.Timers = nil
	return d, false
}

// chain looks at the timers that follow from one event, and is then done with them.
func (t *timers) chain(key timerKey, e *Entry, due time.Time, certain bool, to *Tally) {
	rows := t.chains[key]
	delete(t.chains, key)
	places := map[uuid.UUID]int{}
	for id, n := e.ID, 0; n < len(rows)+chainSlack; n++ {
		id = process.TimerID(id, key.kind, key.subject)
		places[id] = n
	}
	var found []int
	for _, row := range rows {
		n, ok := places[row.ID]
		switch {
		case !ok || row.CauseID != e.ID:
			to.Wrong(timerWrong("not explained", key, row, fmt.Sprintf("It follows from no timer of event %s.", e.ID), deleteRow))
			continue
		case n == 0 && certain && !row.DueAt.Equal(due):
			to.Wrong(timerWrong("changed", key, row, fmt.Sprintf("It is due at %s, and the event makes it due at %s.", stamp(row.DueAt), stamp(due)), setAgain))
		case row.State == "fired" && row.FiredAt != nil && row.FiredAt.Before(row.DueAt):
			to.Wrong(timerWrong("changed", key, row, fmt.Sprintf("It fired at %s, before it was due (%s).", stamp(*row.FiredAt), stamp(row.DueAt)), setAgain))
		case row.State == "cancelled":
			t.cancelled(key, row)
		}
		found = append(found, n)
	}
	slices.Sort(found)
	if len(found) > 0 && found[len(found)-1] != len(found)-1 {
		to.Wrong(timerWrong("missing", key, Timer{}, "Of the timers that follow from one another one is not there.", setAgain))
	}
}

// cancelled keeps a row for the end: what cancels it may come later in the log.
func (t *timers) cancelled(key timerKey, row Timer) {
	key.position = -key.position
	t.chains[key] = append(t.chains[key], row)
}

const (
	chainSlack = 32
	setAgain   = "Delete the row as an administrator and move the cursor of the group processes back before its cause: it is set again."
)

// end judges what the log has not explained.
func (t *timers) end(head int64, to *Tally) {
	to.Checked(t.rows, "rows")
	keys := slices.SortedFunc(maps.Keys(t.chains), func(a, b timerKey) int { return int(a.position - b.position) })
	for _, key := range keys {
		for _, row := range t.chains[key] {
			if key.position < 0 {
				at, of := -key.position, key.timerSubject
				if t.cancels[of] <= at && t.causes[of] <= at {
					key := key
					key.position = at
					to.Wrong(timerWrong("changed", key, row, "It is cancelled, and nothing in the log cancels it.", setAgain))
				}
				continue
			}
			detail := "The event at this position does not set it."
			if key.position > head {
				detail = fmt.Sprintf("The log ends at position %d.", head)
			}
			to.Wrong(timerWrong("not explained", key, row, detail, deleteRow))
		}
	}
}

func timerWrong(kind string, key timerKey, row Timer, detail, do string) Wrong {
	return Wrong{
		Kind: kind, Table: "timers", Key: fmt.Sprintf("timer_id=%s (%s of %s)", row.ID, key.kind, key.subject),
		Position: key.position, Organization: optional(key.organization), Detail: detail, Do: do,
	}
}
