package consumer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

// A batch message's payload is one record per event: five varints (position,
// organization sequence, version, schema version, recorded microseconds) and
// eight length-prefixed fields (organization, id, command id, stream, type,
// data, metadata, command hash). It lives within one process only.

var errPayload = errors.New("not a batch of events")

func appendNumbers(dst []byte, numbers ...int64) []byte {
	for _, n := range numbers {
		dst = binary.AppendVarint(dst, n)
	}
	return dst
}

func appendFields[B ~[]byte](dst []byte, fields ...B) []byte {
	for _, f := range fields {
		dst = binary.AppendUvarint(dst, uint64(len(f)))
		dst = append(dst, f...)
	}
	return dst
}

// Events decodes a batch message. The events share the payload's memory: treat
// both as read-only.
func Events(msg *message.Message) ([]eventlog.Event, error) {
	events, err := decodeEvents(msg.Payload)
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", msg.UUID, err)
	}
	return events, nil
}

func decodeEvents(payload []byte) ([]eventlog.Event, error) {
	p := payloadReader{rest: payload}
	// Most events are between 0.5 and 1 kB: rarely more than one growth.
	events := make([]eventlog.Event, 0, len(payload)/768+1)
	for len(p.rest) > 0 && p.err == nil {
		e := eventlog.Event{
			Position:             p.number(),
			OrganizationSequence: p.number(),
			Version:              p.number(),
			SchemaVersion:        int(p.number()),
			RecordedAt:           time.UnixMicro(p.number()).UTC(),
			OrganizationID:       p.uuid(),
			ID:                   p.uuid(),
			CommandID:            p.uuid(),
			StreamID:             string(p.field()),
			Type:                 string(p.field()),
			Data:                 p.field(),
			Metadata:             p.field(),
			CommandHash:          p.field(),
		}
		if len(e.CommandHash) == 0 {
			e.CommandHash = nil
		}
		events = append(events, e)
	}
	return events, p.err
}

// payloadReader reads a payload; after an error it yields zero values.
type payloadReader struct {
	rest []byte
	err  error
}

func (p *payloadReader) number() int64 {
	n, width := binary.Varint(p.rest)
	if width <= 0 {
		p.fail()
		return 0
	}
	p.rest = p.rest[width:]
	return n
}

func (p *payloadReader) field() []byte {
	n, width := binary.Uvarint(p.rest)
	if width <= 0 || n > uint64(len(p.rest)-width) {
		p.fail()
		return nil
	}
	f := p.rest[width : width+int(n) : width+int(n)]
	p.rest = p.rest[width+int(n):]
	return f
}

func (p *payloadReader) uuid() (id uuid.UUID) {
	switch f := p.field(); len(f) {
	case 0:
	case len(id):
		copy(id[:], f)
	default:
		p.fail()
	}
	return id
}

func (p *payloadReader) fail() {
	p.rest, p.err = nil, errPayload
}
