package restore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/journal"
	facts "strata.dev/strata/domain/journal"
)

// maxReason is the most characters of a reason.
const maxReason = 1000

// ErrReason: an epoch begins for a reason, of 1 to 1,000 characters.
var ErrReason = errors.New("say why, in 1 to 1,000 characters")

// NewEpoch is what it takes to begin one.
type NewEpoch struct {
	Reason   string // for everybody who reads the log
	Operator string // who does it, as the machine knows them; may be empty

	// LostHead is the last position that is known of what is left behind; 0 if
	// nothing is. The places that are given to BeginEpoch count, too.
	LostHead int64

	// Above is the greatest number of an epoch that is known elsewhere, such as in
	// an archive: the log may have been set back to before its own last epochs.
	Above int
}

// Follower is somebody who keeps a place in the log outside of its database.
type Follower struct {
	Name   string
	At     eventlog.Place
	Remedy string // what to do if it is beyond the end
}

// Divergence is somebody who holds what the log does not.
type Divergence struct {
	Who    string `json:"who"`
	At     int64  `json:"at,string"`
	Epoch  int    `json:"epoch"`
	Shared int64  `json:"shared,string"` // the last position that the log has, too
	Lost   int64  `json:"lost,string"`   // how many positions it holds that the log does not
	Remedy string `json:"remedy"`
}

// Diverged lists the followers that hold what a log that ends at head does not.
func Diverged(epochs eventlog.Epochs, head int64, followers []Follower) []Divergence {
	var out []Divergence
	for _, f := range followers {
		var ahead *eventlog.AheadError
		if err := epochs.Check(f.Name, f.At, head); errors.As(err, &ahead) {
			out = append(out, Divergence{Who: f.Name, At: f.At.Position, Epoch: f.At.Epoch, Shared: ahead.Shared, Lost: f.At.Position - ahead.Shared, Remedy: f.Remedy})
		}
	}
	slices.SortFunc(out, func(a, b Divergence) int { return strings.Compare(a.Who, b.Who) })
	return out
}

// BeginEpoch begins the next epoch at the end of the log: the event that says so
// is its first. From then on nobody who holds more than the log did goes on
// unnoticed. It is done again if it is asked for again: every epoch is one more.
func BeginEpoch(ctx context.Context, target Target, n NewEpoch, followers []Follower) (eventlog.Epoch, []Divergence, error) {
	if n.Reason = strings.TrimSpace(n.Reason); n.Reason == "" || len([]rune(n.Reason)) > maxReason {
		return eventlog.Epoch{}, nil, ErrReason
	}
	head, err := target.Head(ctx)
	if err != nil {
		return eventlog.Epoch{}, nil, err
	}
	epochs, err := target.Epochs(ctx)
	if err != nil {
		return eventlog.Epoch{}, nil, err
	}
	diverged := Diverged(epochs, head, followers)
	for _, d := range diverged {
		n.LostHead = max(n.LostHead, d.At)
	}
	n.Above = max(n.Above, epochs.Current().Number)
	for _, f := range followers {
		n.Above = max(n.Above, f.At.Epoch)
	}
	if n.LostHead <= head {
		n.LostHead = 0
	}
	e := eventlog.Epoch{Number: n.Above + 1, First: head + 1, RestoredTo: head, LostHead: n.LostHead, Reason: n.Reason}
	c, err := epochCommand(e, n.Operator)
	if err != nil {
		return eventlog.Epoch{}, nil, err
	}
	begun, err := target.Begin(ctx, e, c)
	return begun, diverged, err
}

// epochCommand is the append that begins an epoch.
func epochCommand(e eventlog.Epoch, operator string) (eventlog.Command, error) {
	typ, schema, data, err := eventcodec.Encode(facts.EpochStarted{
		Epoch: e.Number, First: e.First, RestoredTo: e.RestoredTo, LostHead: e.LostHead, Reason: e.Reason, Operator: operator,
	})
	if err != nil {
		return eventlog.Command{}, fmt.Errorf("begin epoch %d: %w", e.Number, err)
	}
	var ids [2]uuid.UUID
	for i := range ids {
		if ids[i], err = uuid.NewV7(); err != nil {
			return eventlog.Command{}, fmt.Errorf("begin epoch %d: %w", e.Number, err)
		}
	}
	at := time.Now().UTC().Truncate(time.Microsecond)
	metadata, err := eventlog.Metadata{
		Actor: eventlog.Actor{Kind: eventlog.SystemProcess, ID: "restore"}, Origin: eventlog.Origin{Kind: "process"},
		CommandID: ids[0], CorrelationID: ids[0].String(), OccurredAt: &at, Reason: e.Reason,
	}.Encode()
	if err != nil {
		return eventlog.Command{}, fmt.Errorf("begin epoch %d: %w", e.Number, err)
	}
	organization := uuid.MustParse(facts.InstallationID)
	sum := sha256.Sum256(data)
	return eventlog.Command{
		ID: ids[0], Hash: sum[:], OrganizationID: organization, StreamID: journal.Stream(organization),
		Events: []eventlog.NewEvent{{ID: ids[1], Type: typ, SchemaVersion: schema, Data: data, Metadata: metadata}},
	}, nil
}

// begins is the epoch that an event says it begins.
func begins(e eventlog.Event) (epoch eventlog.Epoch, ok bool, err error) {
	if e.Type != epochStarted || e.OrganizationID.String() != facts.InstallationID {
		return epoch, false, nil
	}
	body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
	if err != nil {
		return epoch, false, fmt.Errorf("position %d: %w", e.Position, err)
	}
	b, ok := body.(facts.EpochStarted)
	if !ok || b.First != e.Position {
		return epoch, false, fmt.Errorf("position %d: the epoch does not begin where its event is", e.Position)
	}
	return eventlog.Epoch{
		Number: b.Epoch, First: b.First, RestoredTo: b.RestoredTo, LostHead: b.LostHead, Reason: b.Reason, EventID: e.ID, StartedAt: e.RecordedAt,
	}, true, nil
}

// epochStarted is the type of the first event of every epoch but the first.
const epochStarted = "journal.epoch-started"
