package system

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// Violation is one broken promise.
type Violation struct {
	Rule   Rule
	Detail string
}

func (v Violation) String() string { return string(v.Rule) + ": " + v.Detail }

// Rule names a promise.
type Rule string

// The promises.
const (
	AcknowledgedIsLogged Rule = "what was acknowledged is in the log, exactly once, as acknowledged"
	RefusedIsAbsent      Rule = "what was refused is not in the log"
	LoggedWasAsked       Rule = "what is in the log was asked for by a client that was not refused"
	RealTimeOrder        Rule = "what was asked for after an answer has a later position"
	PositionsContiguous  Rule = "positions are 1, 2, 3 … without a gap"
	VersionsContiguous   Rule = "versions of a stream are 1, 2, 3 … in the order of positions"
	SequencesContiguous  Rule = "organization sequences are 1, 2, 3 … in the order of positions"
	EventIDsUnique       Rule = "an event id is in the log once"
	CommandsOnce         Rule = "a command is in the log once"
	NothingMissed        Rule = "a consumer gets every event"
	NoPhantom            Rule = "a consumer gets no event that is not in the log"
	DeliveredAsLogged    Rule = "every delivery, duplicates too, is the event as the log holds it"
	DeliveredInOrder     Rule = "first deliveries of a stream are in the order of positions"
)

// Given says which part of the log is not of the recorded clients: what was
// appended up to this position, to set the stage.
type Given int64

// Check compares what clients were told with the log and with what consumers
// got, each of which has been there from position 1. The log is in the order of
// positions. It gives every violation; none means that all promises were kept.
func Check(given Given, operations []Operation, log []Record, consumed ...[]Delivery) []Violation {
	c := checker{commands: map[uuid.UUID][]Record{}, events: map[uuid.UUID]Record{}}
	c.log(log)
	c.operations(given, operations, log)
	c.order(operations)
	for _, deliveries := range consumed {
		c.consumer(log, deliveries)
	}
	return c.found
}

type checker struct {
	found    []Violation
	commands map[uuid.UUID][]Record // what each command recorded, in order
	events   map[uuid.UUID]Record
}

func (c *checker) violated(r Rule, format string, args ...any) {
	c.found = append(c.found, Violation{r, fmt.Sprintf(format, args...)})
}

// log checks the log by itself. A command's events are the one that carries its
// id and those behind it, up to the next that carries one.
func (c *checker) log(log []Record) {
	versions, sequences := map[string]int64{}, map[uuid.UUID]int64{}
	var command uuid.UUID
	for i, r := range log {
		if r.Position != int64(i)+1 {
			c.violated(PositionsContiguous, "event %d of the log has position %d", i+1, r.Position)
		}
		if versions[r.Stream]++; r.Version != versions[r.Stream] {
			c.violated(VersionsContiguous, "position %d: version %d of %s where %d should be", r.Position, r.Version, r.Stream, versions[r.Stream])
			versions[r.Stream] = r.Version
		}
		if sequences[r.Organization]++; r.OrganizationSequence != sequences[r.Organization] {
			c.violated(SequencesContiguous, "position %d: sequence %d where %d should be", r.Position, r.OrganizationSequence, sequences[r.Organization])
			sequences[r.Organization] = r.OrganizationSequence
		}
		if first, twice := c.events[r.ID]; twice {
			c.violated(EventIDsUnique, "%s is at positions %d and %d", r.ID, first.Position, r.Position)
		}
		c.events[r.ID] = r
		if r.Command != uuid.Nil {
			if before := c.commands[r.Command]; len(before) > 0 {
				c.violated(CommandsOnce, "%s is at positions %d and %d", r.Command, before[0].Position, r.Position)
				c.commands[r.Command] = nil
			}
			command = r.Command
		}
		c.commands[command] = append(c.commands[command], r)
	}
}

func (c *checker) operations(given Given, operations []Operation, log []Record) {
	asked := make(map[uuid.UUID]bool, len(operations))
	for _, o := range operations {
		asked[o.Command] = true
		recorded := c.commands[o.Command]
		switch {
		case o.Outcome == Refused && len(recorded) > 0:
			c.violated(RefusedIsAbsent, "%s of client %d (%s) was refused (%s) and is at position %d", o.Kind, o.Client, o.Command, o.Code, recorded[0].Position)
		case o.Outcome == OK:
			c.acknowledged(o, recorded)
		}
	}
	for _, r := range log {
		// What the service notes about its own use nobody asks for.
		ofJournal := strings.HasPrefix(r.Stream, "journal-")
		if r.Position > int64(given) && r.Command != uuid.Nil && !asked[r.Command] && !ofJournal {
			c.violated(LoggedWasAsked, "position %d: no client asked for %s", r.Position, r.Command)
		}
	}
}

// order checks that the log is linear: an operation that began after another had
// ended comes after it, on every stream and across them.
func (c *checker) order(operations []Operation) {
	ended := slices.DeleteFunc(slices.Clone(operations), func(o Operation) bool { return o.Outcome != OK })
	began := slices.Clone(ended)
	slices.SortFunc(ended, func(a, b Operation) int { return a.Ended.Compare(b.Ended) })
	slices.SortFunc(began, func(a, b Operation) int { return a.Began.Compare(b.Began) })
	var latest Operation // of those that had ended
	for _, o := range began {
		for len(ended) > 0 && ended[0].Ended.Before(o.Began) {
			if ended[0].Position > latest.Position {
				latest = ended[0]
			}
			ended = ended[1:]
		}
		if latest.Position > o.Position {
			c.violated(RealTimeOrder, "%s of client %d at position %d began %s after that of client %d at position %d had been answered",
				o.Kind, o.Client, o.Position, o.Began.Sub(latest.Ended), latest.Client, latest.Position)
		}
	}
}

func (c *checker) acknowledged(o Operation, recorded []Record) {
	if len(recorded) == 0 {
		c.violated(AcknowledgedIsLogged, "%s of client %d (%s) was acknowledged at position %d and is not in the log", o.Kind, o.Client, o.Command, o.Position)
		return
	}
	var ids []uuid.UUID
	for _, r := range recorded {
		ids = append(ids, r.ID)
	}
	last := recorded[len(recorded)-1]
	if !slices.Equal(ids, o.Events) || last.Position != o.Position || last.Version != o.Version || last.Stream != o.Stream {
		c.violated(AcknowledgedIsLogged, "%s of client %d (%s) was told version %d of %s at position %d, events %v; the log has version %d of %s at position %d, events %v",
			o.Kind, o.Client, o.Command, o.Version, o.Stream, o.Position, o.Events, last.Version, last.Stream, last.Position, ids)
	}
}

func (c *checker) consumer(log []Record, deliveries []Delivery) {
	got := make(map[uuid.UUID]bool, len(log))
	latest := map[string]int64{} // position of the stream's last first delivery
	for _, d := range deliveries {
		r, ok := c.events[d.ID]
		if !ok {
			c.violated(NoPhantom, "%s, said to be at position %d", d.ID, d.Position)
			continue
		}
		if d.Position != r.Position || d.Version != r.Version || d.Stream != r.Stream || d.Digest != r.Digest {
			c.violated(DeliveredAsLogged, "%s came as position %d, version %d of %s, data %x; the log has position %d, version %d of %s, data %x",
				d.ID, d.Position, d.Version, d.Stream, d.Digest[:4], r.Position, r.Version, r.Stream, r.Digest[:4])
		}
		if got[d.ID] {
			continue
		}
		got[d.ID] = true
		if before := latest[r.Stream]; before > r.Position {
			c.violated(DeliveredInOrder, "position %d of %s came first after position %d", r.Position, r.Stream, before)
		}
		latest[r.Stream] = max(latest[r.Stream], r.Position)
	}
	for _, r := range log {
		if !got[r.ID] {
			c.violated(NothingMissed, "position %d (%s, version %d of %s)", r.Position, r.Type, r.Version, r.Stream)
		}
	}
}

// Duplicates counts the deliveries beyond the first of each event.
func Duplicates(deliveries []Delivery) int {
	ids := make(map[uuid.UUID]bool, len(deliveries))
	for _, d := range deliveries {
		ids[d.ID] = true
	}
	return len(deliveries) - len(ids)
}

// Longest is the operation that took longest to be answered.
func Longest(operations []Operation) Operation {
	if len(operations) == 0 {
		return Operation{}
	}
	return slices.MaxFunc(operations, func(a, b Operation) int { return cmp.Compare(a.Ended.Sub(a.Began), b.Ended.Sub(b.Began)) })
}
