package rabbitmq

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"
)

// Delivery is one message as it came from a queue. Headers that are no strings
// (the broker adds some) are left out, but for the delivery count.
type Delivery struct {
	MessageID, Type, ContentType, CorrelationID, AppID string
	Exchange, RoutingKey                               string
	Headers                                            map[string]string
	Timestamp                                          time.Time // zero if there is none
	Redelivered                                        bool
	DeliveryCount                                      int64 // earlier attempts, from a quorum queue
	Body                                               []byte
}

// deliveryCount is the header in which a quorum queue counts.
const deliveryCount = "x-delivery-count"

var errBatch = errors.New("not a batch of deliveries")

// appendDelivery packs a delivery: numbers as varints, strings with their
// length before them, headers as pairs behind their number.
func appendDelivery(dst []byte, d *amqp.Delivery) []byte {
	var seconds int64
	if !d.Timestamp.IsZero() {
		seconds = d.Timestamp.Unix()
	}
	redelivered := int64(0)
	if d.Redelivered {
		redelivered = 1
	}
	for _, n := range [...]int64{seconds, redelivered, count(d.Headers[deliveryCount])} {
		dst = binary.AppendVarint(dst, n)
	}
	for _, s := range [...]string{d.MessageId, d.Type, d.ContentType, d.CorrelationId, d.AppId, d.Exchange, d.RoutingKey} {
		dst = appendText(dst, s)
	}
	texts := uint64(0)
	for _, v := range d.Headers {
		if _, ok := v.(string); ok {
			texts++
		}
	}
	dst = binary.AppendUvarint(dst, texts)
	for k, v := range d.Headers {
		if s, ok := v.(string); ok {
			dst = appendText(appendText(dst, k), s)
		}
	}
	return appendText(dst, d.Body)
}

func count(v any) int64 {
	switch n := v.(type) {
	case int64:
		return n
	case int32:
		return int64(n)
	case int16:
		return int64(n)
	}
	return 0
}

func appendText[T ~string | ~[]byte](dst []byte, s T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// Deliveries unpacks a message of a BatchSubscriber, in the order of the queue.
// Bodies share the message's memory.
func Deliveries(m *message.Message) ([]Delivery, error) {
	r := batchReader{rest: m.Payload}
	var all []Delivery
	for len(r.rest) > 0 {
		var d Delivery
		if seconds := r.number(); seconds != 0 {
			d.Timestamp = time.Unix(seconds, 0).UTC()
		}
		d.Redelivered = r.number() == 1
		d.DeliveryCount = r.number()
		for _, s := range [...]*string{&d.MessageID, &d.Type, &d.ContentType, &d.CorrelationID, &d.AppID, &d.Exchange, &d.RoutingKey} {
			*s = string(r.text())
		}
		if n := r.length(); n > 0 && !r.failed {
			d.Headers = make(map[string]string)
			for ; n > 0 && !r.failed; n-- {
				k := string(r.text())
				d.Headers[k] = string(r.text())
			}
		}
		d.Body = r.text()
		if r.failed {
			return nil, fmt.Errorf("message %s: %w", m.UUID, errBatch)
		}
		all = append(all, d)
	}
	return all, nil
}

// batchReader reads what appendDelivery wrote; after a failure all is empty.
type batchReader struct {
	rest   []byte
	failed bool
}

func (r *batchReader) number() int64 {
	n, width := binary.Varint(r.rest)
	return advance(r, n, width)
}

func (r *batchReader) length() uint64 {
	n, width := binary.Uvarint(r.rest)
	return advance(r, n, width)
}

func (r *batchReader) text() []byte {
	n := r.length()
	if n > uint64(len(r.rest)) {
		r.rest, r.failed = nil, true
	}
	if r.failed {
		return nil
	}
	t := r.rest[:n:n]
	r.rest = r.rest[n:]
	return t
}

func advance[N int64 | uint64](r *batchReader, n N, width int) N {
	if width <= 0 || r.failed {
		r.rest, r.failed = nil, true
		return 0
	}
	r.rest = r.rest[width:]
	return n
}
