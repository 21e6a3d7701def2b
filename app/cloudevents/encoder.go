package cloudevents

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"strata.dev/strata/app/eventlog"
)

// ContentType is the media type of one document; it decides structured mode.
const ContentType = "application/cloudevents+json"

// TypePrefix stands before every type on the wire.
const TypePrefix = "dev.strata."

// DefaultInstance is used where Options name none.
const DefaultInstance = "strata.local"

// Options of an Encoder.
type Options struct {
	Instance string // host in source and dataschema; "" = DefaultInstance

	// Epochs are the histories of the log: events of the second and later ones say
	// so in the extension attribute epoch. Zero = there is one.
	Epochs eventlog.Epochs
}

// Encoder writes events as CloudEvents. Safe for concurrent use.
type Encoder struct {
	source, schema string
	epochs         eventlog.Epochs
	scratch        sync.Pool // *[]byte for leaves
}

// New makes an Encoder. It refuses an instance that is not a host name, with or without port.
func New(o Options) (*Encoder, error) {
	if o.Instance == "" {
		o.Instance = DefaultInstance
	}
	for _, r := range o.Instance {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-:[]", r) {
			return nil, fmt.Errorf("instance %q is not a host name: %q does not belong there", o.Instance, r)
		}
	}
	return &Encoder{
		source:  "https://" + o.Instance + "/orgs/",
		schema:  "https://" + o.Instance + "/v1/schemas/",
		epochs:  o.Epochs,
		scratch: sync.Pool{New: func() any { return new(make([]byte, 0, 2048)) }},
	}, nil
}

// Type is the event's type on the wire: "dev.strata.strategy.goal-added.v1".
func Type(e *eventlog.Event) string { return TypePrefix + RoutingKey(e) }

// RoutingKey is the type without prefix: "strategy.goal-added.v1".
func RoutingKey(e *eventlog.Event) string {
	return e.Type + ".v" + strconv.Itoa(e.SchemaVersion)
}

// Attributes are the values of a document that a transport repeats in its own
// headers.
type Attributes struct {
	ID, Source, Type, Subject, Time        string
	CorrelationID, TraceParent, TraceState string // "" if the event has none
	RoutingKey                             string
}

var errData = errors.New("data is not JSON")

// Append appends the event's document to dst. On an error, which is this
// event's own fault and permanent, it returns dst as it was.
func (c *Encoder) Append(dst []byte, e *eventlog.Event) ([]byte, error) {
	f, err := c.check(e)
	if err != nil {
		return dst, err
	}
	return c.append(dst, e, f), nil
}

// Encode gives the event's document and what a transport repeats of it.
func (c *Encoder) Encode(e *eventlog.Event) (doc []byte, a Attributes, err error) {
	f, err := c.check(e)
	if err != nil {
		return nil, Attributes{}, err
	}
	a.ID = e.ID.String()
	a.Source = c.source + e.OrganizationID.String()
	a.RoutingKey = RoutingKey(e)
	a.Type = TypePrefix + a.RoutingKey
	a.Subject = string(appendSubject(nil, e.StreamID))
	var errs [4]error
	a.CorrelationID, errs[0] = unquote(f.correlation)
	a.TraceParent, errs[1] = unquote(f.traceParent)
	a.TraceState, errs[2] = unquote(f.traceState)
	if f.occurred != nil {
		a.Time, errs[3] = unquote(f.occurred)
	} else {
		a.Time = string(appendTime(nil, e.RecordedAt))
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, Attributes{}, fmt.Errorf("event %s: %w", e.ID, err)
	}
	return c.append(make([]byte, 0, 1100+len(e.Data)), e, f), a, nil
}

func (c *Encoder) check(e *eventlog.Event) (facts, error) {
	f, err := scanMetadata(e.Metadata)
	if err != nil {
		return facts{}, fmt.Errorf("event %s: %w", e.ID, err)
	}
	if _, err := authType(f.actorKind); err != nil {
		return facts{}, fmt.Errorf("event %s: %w", e.ID, err)
	}
	if !json.Valid(e.Data) {
		return facts{}, fmt.Errorf("event %s: %w", e.ID, errData)
	}
	return f, nil
}

// append writes the members in the order of RFC 8785, which for these names is
// the alphabet's. All values but the spliced ones consist of characters that
// JSON does not escape, or go through appendString.
func (c *Encoder) append(dst []byte, e *eventlog.Event, f facts) []byte {
	kind, _ := authType(f.actorKind) // checked
	dst = append(dst, `{"authid":`...)
	dst = append(dst, f.actorID...)
	dst = append(dst, `,"authtype":"`...)
	dst = append(dst, kind...)
	dst = append(dst, '"')
	if f.causation != nil {
		dst = append(dst, `,"causationid":`...)
		dst = append(dst, f.causation...)
	}
	if f.correlation != nil {
		dst = append(dst, `,"correlationid":`...)
		dst = append(dst, f.correlation...)
	}
	dst = append(dst, `,"data":`...)
	dst = append(dst, e.Data...)
	dst = append(dst, `,"datacontenttype":"application/json","dataschema":"`...)
	dst = append(dst, c.schema...)
	dst = appendEscaped(dst, e.Type)
	dst = append(dst, ".v"...)
	dst = strconv.AppendInt(dst, int64(e.SchemaVersion), 10)
	if epoch := c.epochs.Of(e.Position); epoch > 1 {
		dst = append(dst, `.json","epoch":"`...)
		dst = strconv.AppendInt(dst, int64(epoch), 10)
		dst = append(dst, `","id":"`...)
	} else {
		dst = append(dst, `.json","id":"`...)
	}
	dst = appendUUID(dst, e.ID)
	dst = append(dst, `","leafhash":"`...)
	dst = c.appendLeafHash(dst, e)
	dst = append(dst, `","organizationsequence":"`...)
	dst = strconv.AppendInt(dst, e.OrganizationSequence, 10)
	dst = append(dst, `","partitionkey":"`...)
	dst = appendEscaped(dst, e.StreamID)
	dst = append(dst, `","recordedtime":"`...)
	dst = appendTime(dst, e.RecordedAt)
	dst = append(dst, `","sequence":"`...)
	dst = appendSequence(dst, e.Position)
	dst = append(dst, `","source":"`...)
	dst = append(dst, c.source...)
	dst = appendUUID(dst, e.OrganizationID)
	dst = append(dst, `","specversion":"1.0","streamversion":"`...)
	dst = strconv.AppendInt(dst, e.Version, 10)
	dst = append(dst, `","subject":"`...)
	dst = appendEscaped(dst, string(appendSubject(nil, e.StreamID)))
	dst = append(dst, `","time":`...)
	if f.occurred != nil {
		dst = append(dst, f.occurred...)
	} else {
		dst = append(dst, '"')
		dst = appendTime(dst, e.RecordedAt)
		dst = append(dst, '"')
	}
	if f.traceParent != nil {
		dst = append(dst, `,"traceparent":`...)
		dst = append(dst, f.traceParent...)
	}
	dst = append(dst, `,"type":"`+TypePrefix...)
	dst = appendEscaped(dst, e.Type)
	dst = append(dst, ".v"...)
	dst = strconv.AppendInt(dst, int64(e.SchemaVersion), 10)
	return append(dst, `"}`...)
}

func (c *Encoder) appendLeafHash(dst []byte, e *eventlog.Event) []byte {
	scratch := c.scratch.Get().(*[]byte) //nolint:forcetypeassert // the pool holds nothing else
	hash := eventlog.LeafHashIn(scratch, e)
	c.scratch.Put(scratch)
	return hex.AppendEncode(dst, hash[:])
}

// Sequence is a position as the sequence attribute has it: 20 digits, so that
// it sorts as text.
func Sequence(position int64) string { return string(appendSequence(nil, position)) }

func appendSequence(dst []byte, position int64) []byte {
	var digits [20]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + position%10)
		position /= 10
	}
	return append(dst, digits[:]...)
}

func appendUUID(dst []byte, id [16]byte) []byte {
	var text [36]byte
	hex.Encode(text[:], id[:4])
	text[8] = '-'
	hex.Encode(text[9:13], id[4:6])
	text[13] = '-'
	hex.Encode(text[14:18], id[6:8])
	text[18] = '-'
	hex.Encode(text[19:23], id[8:10])
	text[23] = '-'
	hex.Encode(text[24:], id[10:])
	return append(dst, text[:]...)
}

func appendTime(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, time.RFC3339Nano)
}

// appendSubject makes "strategies/<id>" of "strategy-<id>".
func appendSubject(dst []byte, stream string) []byte {
	aggregate, id, ok := strings.Cut(stream, "-")
	if !ok {
		return append(dst, stream...)
	}
	dst = append(dst, plural(aggregate)...)
	dst = append(dst, '/')
	return append(dst, id...)
}
