package consumer

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata.dev/strata/app/eventlog"
)

// What a group gets where its field is zero.
const (
	DefaultBatchRows      = 1_000
	DefaultRelayBatchRows = 2_000 // whose end, when the broker runs dry, then comes half as often
	DefaultBatchBytes     = 4 << 20
	DefaultHandlerTimeout = 15 * time.Second
)

// Group is one consumer of the whole log with a place of its own in it. Over
// all processes one instance of a group reads at a time.
type Group struct {
	// Name identifies the group for ever: cursor, parked streams and lease hang
	// on it. A name not seen before starts at position 1.
	Name string

	// Handler takes each batch. Exactly one of Handler, Advance and Relay is set.
	//
	// A group with its cursor in the log sees batches without the events of its
	// parked streams: ascending positions, not contiguous ones, while something
	// is parked. A group with its own Checkpoint always sees contiguous positions.
	Handler eventlog.BatchHandler

	// Advance takes the log by itself, from the position behind after up to upTo,
	// at most BatchRows positions: for a group that reads it in another way than as
	// pages of whole events. It needs a Checkpoint.
	Advance func(ctx context.Context, after, upTo int64) error

	// Relay publishes each batch instead.
	Relay *Relay

	// Checkpoint reads the position up to which the group's own database has
	// taken the log. It is set if and only if Handler moves that position in the
	// transaction of its effects. It is then the truth, and the log's cursor a
	// hint for people. It is asked when reading starts and after every failure.
	Checkpoint func(ctx context.Context) (int64, error)

	// History remembers which of the log's histories the Checkpoint counts in. It
	// is needed where the Checkpoint is not in the log's own database, which cannot
	// hold another history than the log; nil = it is.
	History History

	// Park records, for a group with a Checkpoint, that event cannot be taken:
	// in one transaction it stores stream, position and reason and moves the
	// checkpoint to event.Position. From then on Handler itself leaves out the
	// events of that stream. Without Park a poison event stops such a group.
	Park func(ctx context.Context, event eventlog.Event, reason string) error

	BatchRows  int // most events in one batch; 0 = DefaultBatchRows, or DefaultRelayBatchRows
	BatchBytes int // a batch ends behind the event that passes this; 0 = DefaultBatchBytes

	// Linger is how long an idle group waits after a wake-up before it reads, so
	// that what follows at once comes in the same batch and a group without Linger
	// (the relay) has the processor first. 0 = not at all.
	Linger time.Duration

	// Lazy, if not 0, is how often the group looks for what other processes have
	// committed: the database does not tell it of each commit, which costs those who
	// commit something. Wake does.
	Lazy time.Duration

	// HandlerTimeout ends the context of one batch; 0 = DefaultHandlerTimeout.
	// Nothing else is started for the group until the handler has returned,
	// however late.
	HandlerTimeout time.Duration
}

// History is an own database's memory of the epoch it has followed.
type History interface {
	// Followed is the epoch in which the checkpoint counts.
	Followed(ctx context.Context) (epoch int, err error)

	// Follow notes that the group goes on in another epoch, with which its
	// checkpoint has been found to agree. Repeating it changes nothing.
	Follow(ctx context.Context, epoch int) error
}

// Relay makes messages of events and publishes them. Watermill's Router hands
// all messages of a batch to one Publish.
type Relay struct {
	// Publisher says with a nil error that the broker has every message, safely.
	// An error may implement Delivered() int: that many leading messages are
	// safe, and the group goes on behind them. One with Refused() bool that is
	// true says that the message behind those was refused by itself: the group
	// then knocks with that message alone until it is taken, rather than repeat
	// the others. The caller closes the publisher after Run.
	Publisher message.Publisher
	Topic     string
	// Encode makes one event a message. An error is poison: it parks the stream.
	Encode func(eventlog.Event) (*message.Message, error)
}

// GroupStatus says how a group is doing, as this process knows it.
type GroupStatus struct {
	Name      string
	Leader    bool      // this process reads for the group
	Position  int64     // taken up to here; what was last known if not leader
	Lag       int64     // events behind the last known head; -1 if not leader
	Parked    int       // streams set aside in the log database
	LastError string    // why nothing moves; "" when all is well
	Since     time.Time // of the present state: leader or not, failing or not
}

func (g Group) withDefaults() Group {
	if g.BatchRows == 0 {
		g.BatchRows = DefaultBatchRows
		if g.Relay != nil {
			g.BatchRows = DefaultRelayBatchRows
		}
	}
	if g.BatchBytes == 0 {
		g.BatchBytes = DefaultBatchBytes
	}
	if g.HandlerTimeout == 0 {
		g.HandlerTimeout = DefaultHandlerTimeout
	}
	return g
}

func (g Group) validate() error {
	var errs []error
	if g.Name == "" {
		errs = append(errs, errors.New("a name is missing"))
	}
	ways := 0
	for _, set := range []bool{g.Handler != nil, g.Advance != nil, g.Relay != nil} {
		if set {
			ways++
		}
	}
	if ways != 1 {
		errs = append(errs, errors.New("exactly one of Handler, Advance and Relay must be set"))
	}
	if g.Advance != nil && g.Checkpoint == nil {
		errs = append(errs, errors.New("Advance is for groups with a Checkpoint"))
	}
	if g.Relay != nil && (g.Relay.Publisher == nil || g.Relay.Encode == nil || g.Relay.Topic == "") {
		errs = append(errs, errors.New("Relay needs Publisher, Topic and Encode"))
	}
	if g.Relay != nil && g.Checkpoint != nil {
		errs = append(errs, errors.New("a relay has its cursor in the log: Checkpoint must be nil"))
	}
	if g.History != nil && g.Checkpoint == nil {
		errs = append(errs, errors.New("History is for groups with a Checkpoint"))
	}
	if g.Park != nil && g.Checkpoint == nil {
		errs = append(errs, errors.New("Park is for groups with a Checkpoint"))
	}
	if g.BatchRows < 0 || g.BatchBytes < 0 || g.HandlerTimeout < 0 || g.Lazy < 0 {
		errs = append(errs, errors.New("limits must not be negative"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("consumer group %q: %w", g.Name, err)
	}
	return nil
}

// lockKey is the advisory lock that the one active reader of a group holds.
func lockKey(group string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("strata consumer group " + group)) // a hash never fails
	return int64(h.Sum64())
}
