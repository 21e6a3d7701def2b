package rabbitmq

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"

	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/app/eventlog"
)

// AppID is the app-id property of every message.
const AppID = "strata"

// Metadata of a Watermill message that become AMQP properties. All other
// metadata become headers, as strings.
const (
	propertyPrefix = "amqp."

	RoutingKeyProperty    = propertyPrefix + "routing-key"
	ContentTypeProperty   = propertyPrefix + "content-type"
	TypeProperty          = propertyPrefix + "type"
	CorrelationIDProperty = propertyPrefix + "correlation-id"
	TimestampProperty     = propertyPrefix + "timestamp" // seconds since 1970
)

// Headers of an event's message; all strings.
const (
	HeaderPosition    = "strata-position" // without leading zeros
	HeaderTraceParent = "traceparent"
	HeaderTraceState  = "tracestate"

	// headerWatermill lets Watermill consumers work unconfigured.
	headerWatermill = "_watermill_message_uuid"
)

// Messages makes messages of events. Safe for concurrent use.
type Messages struct{ Encoder *cloudevents.Encoder }

// Message is the AMQP message of one event, as docs/events.md promises it. An
// error is the event's own fault, and permanent.
func (m Messages) Message(e eventlog.Event) (*message.Message, error) {
	body, a, err := m.Encoder.Encode(&e)
	if err != nil {
		return nil, err
	}
	msg := &message.Message{UUID: a.ID, Payload: body, Metadata: make(message.Metadata, 16)}
	md := msg.Metadata
	md[RoutingKeyProperty] = a.RoutingKey
	md[ContentTypeProperty] = cloudevents.ContentType
	md[TypeProperty] = a.Type
	md[TimestampProperty] = strconv.FormatInt(e.RecordedAt.Unix(), 10)
	md["cloudEvents_id"] = a.ID
	md["cloudEvents_type"] = a.Type
	md["cloudEvents_source"] = a.Source
	md["cloudEvents_subject"] = a.Subject
	md["cloudEvents_time"] = a.Time
	md["cloudEvents_specversion"] = "1.0"
	md[HeaderPosition] = strconv.FormatInt(e.Position, 10)
	md[headerWatermill] = a.ID
	if a.CorrelationID != "" {
		md[CorrelationIDProperty] = a.CorrelationID
	}
	if a.TraceParent != "" {
		md[HeaderTraceParent] = a.TraceParent
	}
	if a.TraceState != "" {
		md[HeaderTraceState] = a.TraceState
	}
	return msg, nil
}

// shortLimit is the longest AMQP short string: routing key and most properties.
const shortLimit = 255

// publishing turns a message into what goes to the broker, with headers as its
// headers: the library has written them when it returns, so one table does for all.
func publishing(m *message.Message, headers amqp.Table) (key string, p amqp.Publishing, err error) {
	clear(headers)
	p = amqp.Publishing{
		DeliveryMode: amqp.Persistent,
		MessageId:    m.UUID,
		AppId:        AppID,
		Body:         m.Payload,
		Headers:      headers,
	}
	for k, v := range m.Metadata {
		if !strings.HasPrefix(k, propertyPrefix) {
			p.Headers[k] = v
			continue
		}
		if len(v) > shortLimit {
			return "", p, fmt.Errorf("%s is longer than %d bytes", k, shortLimit)
		}
		switch k {
		case RoutingKeyProperty:
			key = v
		case ContentTypeProperty:
			p.ContentType = v
		case TypeProperty:
			p.Type = v
		case CorrelationIDProperty:
			p.CorrelationId = v
		case TimestampProperty:
			seconds, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				return "", p, fmt.Errorf("%s: %w", k, err)
			}
			p.Timestamp = time.Unix(seconds, 0)
		default:
			return "", p, fmt.Errorf("%s is no property", k)
		}
	}
	return key, p, nil
}
