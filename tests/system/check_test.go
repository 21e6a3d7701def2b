package system_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/tests/system"
)

// world is a run in which every promise was kept: two streams of one
// organization; the first command set the stage, the last outcome is unknown and
// happened, and the consumer got one event twice.
type world struct {
	given      system.Given
	operations []system.Operation
	log        []system.Record
	deliveries []system.Delivery
}

func id(n byte) uuid.UUID { return uuid.UUID{15: n} }

func promisesKept() world {
	organization := id(200)
	record := func(position, version int64, stream string, command byte) system.Record {
		r := system.Record{
			Position: position, OrganizationSequence: position, Version: version, Organization: organization,
			ID: id(byte(100 + position)), Stream: stream, Type: "indicator.measurement-recorded", Digest: [32]byte{byte(position)},
		}
		if command > 0 {
			r.Command = id(command)
		}
		return r
	}
	w := world{given: 1, log: []system.Record{
		record(1, 1, "a", 1),
		record(2, 2, "a", 2), record(3, 3, "a", 0), // one command, two events
		record(4, 1, "b", 3),
		record(5, 4, "a", 4),
	}}
	w.operations = []system.Operation{
		{Command: id(2), Outcome: system.OK, Stream: "a", Version: 3, Position: 3, Events: []uuid.UUID{id(102), id(103)}},
		{Command: id(3), Outcome: system.OK, Stream: "b", Version: 1, Position: 4, Events: []uuid.UUID{id(104)}},
		{Command: id(4), Outcome: system.Unknown, Stream: "a"},
		{Command: id(5), Outcome: system.Unknown, Stream: "a"},
		{Command: id(6), Outcome: system.Refused, Code: "invariant-violated", Stream: "a"},
	}
	at := func(second int64) time.Time { return time.Unix(second, 0) }
	for i, span := range [][2]int64{{0, 2}, {1, 4}, {5, 6}, {5, 7}, {6, 8}} { // the first two at the same time
		w.operations[i].Began, w.operations[i].Ended = at(span[0]), at(span[1])
	}
	for _, i := range []int{0, 3, 1, 2, 1, 4} { // order holds per stream, not across; position 2 twice
		r := w.log[i]
		w.deliveries = append(w.deliveries, system.Delivery{ID: r.ID, Position: r.Position, Version: r.Version, Stream: r.Stream, Digest: r.Digest})
	}
	return w
}

func TestCheckFinds(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *world)
		want []system.Rule
	}{
		{"nothing where all promises were kept", func(*world) {}, nil},
		{"an acknowledged command that is lost", func(w *world) {
			w.operations = append(w.operations, system.Operation{Command: id(9), Outcome: system.OK, Stream: "b", Version: 2, Position: 6, Events: []uuid.UUID{id(106)}, Began: time.Unix(7, 0), Ended: time.Unix(8, 0)})
		}, []system.Rule{system.AcknowledgedIsLogged}},
		{"an acknowledgement with the wrong position", func(w *world) { w.operations[0].Position = 2 }, []system.Rule{system.AcknowledgedIsLogged}},
		{"an acknowledgement with other events", func(w *world) { w.operations[0].Events = w.operations[0].Events[:1] }, []system.Rule{system.AcknowledgedIsLogged}},
		{"an acknowledgement with the wrong version", func(w *world) { w.operations[0].Version = 2 }, []system.Rule{system.AcknowledgedIsLogged}},
		{
			"a command that is there twice", func(w *world) { w.log[4].Command = id(3) },
			[]system.Rule{system.CommandsOnce, system.AcknowledgedIsLogged},
		},
		{"an operation before one that had been answered when it began", func(w *world) {
			w.operations[0].Began, w.operations[0].Ended = time.Unix(5, 0), time.Unix(6, 0)
		}, []system.Rule{system.RealTimeOrder}},
		{"a false refusal", func(w *world) { w.operations[2].Outcome = system.Refused }, []system.Rule{system.RefusedIsAbsent}},
		{"an event nobody asked for", func(w *world) { w.operations = w.operations[:2] }, []system.Rule{system.LoggedWasAsked}},
		{"a gap in the positions", func(w *world) {
			w.log[4].Position, w.deliveries[5].Position = 6, 6
		}, []system.Rule{system.PositionsContiguous}},
		{"a version out of order", func(w *world) {
			w.log[4].Version, w.deliveries[5].Version = 5, 5
		}, []system.Rule{system.VersionsContiguous}},
		{"a gap in the organization's sequence", func(w *world) { w.log[4].OrganizationSequence = 7 }, []system.Rule{system.SequencesContiguous}},
		{"an event id that is there twice", func(w *world) {
			w.log[3].ID = w.log[0].ID
			w.operations[1].Events = []uuid.UUID{w.log[0].ID}
			w.log[3].Stream, w.log[3].Version = "b", 1
		}, []system.Rule{system.EventIDsUnique, system.DeliveredAsLogged, system.NoPhantom}},
		{"an event the consumer missed", func(w *world) { w.deliveries = w.deliveries[:5] }, []system.Rule{system.NothingMissed}},
		{"a phantom", func(w *world) {
			w.deliveries = append(w.deliveries, system.Delivery{ID: id(99), Position: 6, Version: 5, Stream: "a"})
		}, []system.Rule{system.NoPhantom}},
		{"a duplicate with another position", func(w *world) { w.deliveries[4].Position = 3 }, []system.Rule{system.DeliveredAsLogged}},
		{"a delivery with other data", func(w *world) { w.deliveries[5].Digest[0]++ }, []system.Rule{system.DeliveredAsLogged}},
		{"first deliveries of a stream out of order", func(w *world) {
			w.deliveries[0], w.deliveries[2] = w.deliveries[2], w.deliveries[0]
		}, []system.Rule{system.DeliveredInOrder}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := promisesKept()
			c.do(&w)
			found := system.Check(w.given, w.operations, w.log, w.deliveries)
			var rules []system.Rule
			for _, v := range found {
				if !slices.Contains(rules, v.Rule) {
					rules = append(rules, v.Rule)
				}
			}
			if !slices.Equal(rules, c.want) {
				t.Errorf("found %v, want the rules %q", found, c.want)
			}
		})
	}
}

// Two consumers are judged each by itself.
func TestCheckJudgesEveryConsumer(t *testing.T) {
	w := promisesKept()
	found := system.Check(w.given, w.operations, w.log, w.deliveries, w.deliveries[1:])
	if len(found) != 1 || found[0].Rule != system.NothingMissed {
		t.Errorf("found %v, want that the second consumer missed position 1", found)
	}
}

func TestDuplicates(t *testing.T) {
	if n := system.Duplicates(promisesKept().deliveries); n != 1 {
		t.Errorf("%d duplicates, want 1", n)
	}
}
