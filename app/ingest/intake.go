package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/source"
)

// Process is the process that refuses what comes in, and keeps it as evidence.
const Process = "ingest"

// Log is what an intake needs of the event log beside the commands.
type Log interface {
	eventlog.CommandFinder
	eventlog.StreamReader
}

// Metrics hears of every message. Safe for concurrent use.
type Metrics interface {
	// Received: kind is HTTP or AMQP.
	Received(kind string)
	// Settled counts the measurements of a message that was settled now, not before.
	Settled(recorded, corrected, unchanged int)
	// Rejected: of a message or measurement, by code, once for each time it is refused.
	Rejected(code string)
}

// Options wires an Intake.
type Options struct {
	Commands *command.Commands // required
	Log      Log               // required
	Inbox    Inbox             // required
	Clock    func() time.Time  // default time.Now
	Metrics  Metrics           // default none
}

// Intake takes messages of sources. Safe for concurrent use.
type Intake struct {
	options    Options
	allowances allowances
	references references
}

// New makes an Intake.
func New(o Options) *Intake {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Metrics == nil {
		o.Metrics = noMetrics{}
	}
	in := &Intake{options: o}
	in.references.indicators = o.Commands.Indicators
	return in
}

type noMetrics struct{}

func (noMetrics) Received(string)       {}
func (noMetrics) Settled(int, int, int) {}
func (noMetrics) Rejected(string)       {}

// Take decides one message. See the package's documentation for the way, and
// Answer.Settled for what an error means. The errors that refuse a message are
// those of this package; everything else is a fault of what the intake relies on
// (kinds Unavailable, Unknown, RateLimited, Internal), and nothing is final.
//
// From a queue, Take waits until the source's rate allows the message.
func (in *Intake) Take(ctx context.Context, m Message) (Answer, error) {
	in.options.Metrics.Received(m.Kind)
	sum := sha256.Sum256(m.Body)
	w := &work{Intake: in, Message: m, sum: sum[:], answer: Answer{
		SourceID: m.SourceID.String(), MessageID: m.MessageID, SHA256: hex.EncodeToString(sum[:]), Items: []Item{},
	}}
	err := w.take(ctx)
	switch {
	case w.answer.Replayed:
	case w.answer.Settled:
		in.options.Metrics.Settled(w.answer.Recorded, w.answer.Corrected, w.answer.Unchanged)
		for _, item := range w.answer.Items {
			if item.Status == Rejected {
				in.options.Metrics.Rejected(item.Code)
			}
		}
		if w.answer.Code != "" {
			in.options.Metrics.Rejected(w.answer.Code)
		}
	case w.turnedAway != "":
		in.options.Metrics.Rejected(w.turnedAway)
	}
	return w.answer, err
}

// work is one message being decided.
type work struct {
	*Intake
	Message
	sum    []byte // SHA-256 of the body
	source source.State
	answer Answer

	turnedAway string // code, if the message was not taken
}

func (w *work) take(ctx context.Context) error {
	state, err := w.options.Commands.Sources.State(ctx, w.OrganizationID, w.SourceID)
	if err != nil {
		return err
	}
	if !state.Registered() {
		return w.stranger(source.UnknownSource, "There is no such source.")
	}
	w.source = state
	if code, detail := w.unbelievable(); code != "" {
		if w.Kind != AMQP {
			return w.stranger(code, detail)
		}
		// It is in a queue of ours, so it is kept. Under an id of its own: whoever
		// cannot sign takes no message id away from the source.
		return w.refuse(ctx, w.ids(code, w.MessageID, w.answer.SHA256), code, detail)
	}
	if state.Channel != channelOf(w.Kind) {
		return w.turnAway(ctx, source.NotAllowed, fmt.Sprintf("This source sends by %s.", state.Channel))
	}
	if err := w.allowances.admit(ctx, w.Message, state.Terms.MaxRatePerMin, w.options.Clock()); err != nil {
		return w.turnAway(ctx, source.RateExceeded, detailOf(err))
	}
	return w.settle(ctx)
}

func channelOf(kind string) source.Channel {
	if kind == HTTP {
		return source.HTTP
	}
	return source.AMQP
}

// unbelievable says why a message is none of its source.
func (w *work) unbelievable() (code, detail string) {
	switch {
	case !validID(w.MessageID):
		if w.MessageID = "sha256:" + w.answer.SHA256; w.Kind == AMQP {
			w.answer.MessageID = w.MessageID
		}
		return source.Malformed, "The message id is not 1 to 255 of A-Z a-z 0-9 . _ : -"
	case len(w.Body) > MaxBody:
		return source.MessageTooLarge, fmt.Sprintf("It has %d bytes, %d are allowed.", len(w.Body), MaxBody)
	case !w.signedBy(w.source.Terms.PublicKey):
		return source.BadSignature, "The signature is not that of this source."
	}
	return "", ""
}

// stranger turns somebody away who has not proved to be a source. Nothing is
// kept; for the journal, the cause names a source only if there is one.
func (w *work) stranger(code, detail string) error {
	w.turnedAway = code
	why := &command.TokenRefusal{Reason: code, Err: errors.New(detail)}
	if w.source.Registered() {
		why.OrganizationID, why.Issuer = w.OrganizationID, "source-"+w.SourceID.String()
	}
	return faultOf(code, detail).Because(why)
}

// turnAway does not take the message of a source that is known: it may come
// again. Over HTTP the first time in a minute leaves a record.
func (w *work) turnAway(ctx context.Context, code, detail string) error {
	w.turnedAway = code
	f := faultOf(code, detail)
	now := w.options.Clock()
	if w.Kind == AMQP || !w.allowances.firstInAMinute(w.SourceID, code, now) {
		return f
	}
	minute := now.UTC().Truncate(time.Minute).Format(time.RFC3339)
	ids := w.ids("turned away", code, minute)
	ids.hash = hash(code, minute) // one record for all that came in the minute
	if _, err := w.reject(ctx, ids, []source.RejectIngest{w.rejection(code, detail)}); err != nil && !errors.Is(err, eventlog.ErrCommandReused) {
		return f.Because(err)
	}
	return f
}

// settle decides the message, once.
func (w *work) settle(ctx context.Context) error {
	var refused error
	key := MessageKey{w.OrganizationID, w.SourceID, w.MessageID}
	err := w.options.Inbox.Serially(ctx, key, func(ctx context.Context, known Known) (*Entry, error) {
		if known.Entry != nil {
			if !bytes.Equal(known.Entry.SHA256, w.sum) {
				refused = w.conflict(ctx)
				return nil, w.unlessSettled(refused)
			}
			if err := json.Unmarshal(known.Entry.Answer, &w.answer); err != nil {
				return nil, fmt.Errorf("inbox: answer to message %s of source %s: %w", w.MessageID, w.SourceID, err)
			}
			w.answer.Replayed, w.answer.Settled = true, true
			if w.answer.Code != "" {
				refused = faultOf(w.answer.Code, w.answer.Detail)
			}
			return nil, nil
		}
		if w.source.Status != source.Active {
			return nil, w.turnAway(ctx, source.SourceSuspended, "Ask the source's steward to reinstate it.")
		}
		sequence, err := w.decide(ctx, known.Sequence)
		refused = err
		if !w.answer.Settled || w.answer.Code == source.MessageConflict {
			return nil, w.unlessSettled(err) // a conflict is about another message, that has the id
		}
		answer, err := json.Marshal(w.answer)
		if err != nil {
			return nil, fmt.Errorf("inbox: %w", err)
		}
		return &Entry{SHA256: w.sum, Sequence: sequence, Refused: w.answer.Code != "", Answer: answer}, nil
	})
	if err != nil {
		w.answer.Settled = false
		return err
	}
	return refused
}

func (w *work) unlessSettled(err error) error {
	if w.answer.Settled {
		return nil
	}
	return err
}

// decide goes through a message that was not settled before. It gives the
// highest sequence number of what was taken.
func (w *work) decide(ctx context.Context, last int64) (sequence int64, err error) {
	before, reused, err := w.rejectedBefore(ctx)
	switch {
	case err != nil:
		return 0, err
	case reused:
		return 0, w.conflict(ctx)
	}
	readings, err := parse(w.Body)
	if r, ok := errors.AsType[*refused](err); ok {
		return 0, w.refuse(ctx, w.ids(), r.code, r.detail)
	}
	if err != nil {
		return 0, err
	}
	sequence, err = w.measure(ctx, readings, last, before)
	if errors.Is(err, eventlog.ErrCommandReused) {
		return 0, w.conflict(ctx)
	}
	return sequence, err
}

// conflict refuses a message whose id belongs to another one.
func (w *work) conflict(ctx context.Context) error {
	return w.refuse(ctx, w.ids(source.MessageConflict, w.MessageID, w.answer.SHA256), source.MessageConflict, "Another message came under this id before: use a new one.")
}

// asking is the call of the source itself.
func (w *work) asking() command.Call {
	return w.call(command.SourcePrincipal(w.OrganizationID, w.SourceID), w.ids().of("measurements"), w.sum)
}

func (w *work) call(by command.Principal, id uuid.UUID, hash []byte) command.Call {
	return command.Call{
		Principal: by, CommandID: id, Hash: hash,
		Origin: eventlog.Origin{
			Kind: w.Kind, SourceID: w.SourceID.String(), MessageID: w.MessageID, Channel: w.Channel, PayloadSHA256: w.answer.SHA256,
		},
		CorrelationID: w.ids().root.String(),
		RequestID:     w.RequestID, TraceParent: w.TraceParent, TraceState: w.TraceState,
	}
}

// dependency says whether err is about what the intake relies on, so that
// nothing is decided.
func dependency(err error) bool {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		return true
	}
	switch f.Kind {
	case fault.Internal, fault.Unavailable, fault.Unknown, fault.RateLimited:
		return true
	}
	return false
}
