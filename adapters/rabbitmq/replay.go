package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata.dev/strata/app/eventlog"
)

// HeaderReplay is "true" in messages that are sent again, to one queue only.
const HeaderReplay = "strata-replay"

// ErrNoQueue: a replay goes into a queue of a consumer's own.
var ErrNoQueue = errors.New("not the queue of a consumer")

// Replay sends events once more, in order, to one queue and to nobody else: past
// the exchange that they were announced on. What it gives is how many of them,
// from the first on, the broker has in the queue for certain; without an error
// that is all. The messages are those that were announced, but for the routing
// key, which is the queue's name, and for HeaderReplay.
func Replay(ctx context.Context, to *Publisher, m Messages, queue string, events []eventlog.Event) (sent int, err error) {
	if queue == "" || len(queue) > shortLimit || strings.HasPrefix(queue, InboundPrefix) {
		return 0, fmt.Errorf("%q: %w", queue, ErrNoQueue)
	}
	messages := make([]*message.Message, len(events))
	for i, e := range events {
		if messages[i], err = m.Message(e); err != nil {
			return 0, fmt.Errorf("position %d: %w", e.Position, err)
		}
		messages[i].Metadata[RoutingKeyProperty] = queue
		messages[i].Metadata[HeaderReplay] = "true"
		messages[i].SetContext(ctx)
	}
	const defaultExchange = "" // routes by the name of the queue
	if err := to.Publish(defaultExchange, messages...); err != nil {
		if stopped, ok := errors.AsType[*PublishError](err); ok {
			sent = stopped.Delivered()
		}
		return sent, err
	}
	return len(events), nil
}
