package cloudevents

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Message is a document as a consumer reads it.
type Message struct {
	ID             uuid.UUID
	Source         string
	OrganizationID uuid.UUID
	Type           string // with prefix and version, as on the wire
	Name           string // without: "strategy.goal-added"
	SchemaVersion  int
	Subject        string
	Time           time.Time // when it happened
	RecordedAt     time.Time // when it was recorded

	Position             int64
	OrganizationSequence int64
	StreamID             string
	StreamVersion        int64
	Epoch                int // history of the log in which it was recorded; 1 unless the log was restored

	CorrelationID, CausationID string
	AuthType, AuthID           string
	TraceParent                string
	DataSchema                 string
	LeafHash                   []byte
	Data                       []byte // as stored; shares memory with the document
}

type document struct {
	AuthID               string          `json:"authid"`
	AuthType             string          `json:"authtype"`
	CausationID          string          `json:"causationid"`
	CorrelationID        string          `json:"correlationid"`
	Data                 json.RawMessage `json:"data"`
	DataContentType      string          `json:"datacontenttype"`
	DataSchema           string          `json:"dataschema"`
	Epoch                string          `json:"epoch"`
	ID                   uuid.UUID       `json:"id"`
	LeafHash             string          `json:"leafhash"`
	OrganizationSequence string          `json:"organizationsequence"`
	PartitionKey         string          `json:"partitionkey"`
	RecordedTime         time.Time       `json:"recordedtime"`
	Sequence             string          `json:"sequence"`
	Source               string          `json:"source"`
	SpecVersion          string          `json:"specversion"`
	StreamVersion        string          `json:"streamversion"`
	Subject              string          `json:"subject"`
	Time                 time.Time       `json:"time"`
	TraceParent          string          `json:"traceparent"`
	Type                 string          `json:"type"`
}

// ErrNotOurs means that a body is no event of Strata.
var ErrNotOurs = errors.New("not an event of Strata")

// Decode reads a document. Members it does not know are ignored: adding one is
// not a new version. Every error is ErrNotOurs.
func Decode(body []byte) (Message, error) {
	var d document
	if err := json.Unmarshal(body, &d); err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrNotOurs, err)
	}
	if d.SpecVersion != "1.0" {
		return Message{}, fmt.Errorf("%w: specversion %q", ErrNotOurs, d.SpecVersion)
	}
	m := Message{
		ID: d.ID, Source: d.Source, Type: d.Type, Subject: d.Subject, Time: d.Time, RecordedAt: d.RecordedTime,
		StreamID: d.PartitionKey, CorrelationID: d.CorrelationID, CausationID: d.CausationID,
		AuthType: d.AuthType, AuthID: d.AuthID, TraceParent: d.TraceParent, DataSchema: d.DataSchema, Data: d.Data,
	}
	if d.Epoch == "" {
		d.Epoch = "1"
	}
	var errs [7]error
	m.Position, errs[0] = strconv.ParseInt(d.Sequence, 10, 64)
	m.OrganizationSequence, errs[1] = strconv.ParseInt(d.OrganizationSequence, 10, 64)
	m.StreamVersion, errs[2] = strconv.ParseInt(d.StreamVersion, 10, 64)
	m.LeafHash, errs[3] = hex.DecodeString(d.LeafHash)
	m.OrganizationID, errs[4] = uuid.Parse(d.Source[strings.LastIndexByte(d.Source, '/')+1:])
	m.Name, m.SchemaVersion, errs[5] = splitType(d.Type)
	m.Epoch, errs[6] = strconv.Atoi(d.Epoch)
	if err := errors.Join(errs[:]...); err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrNotOurs, err)
	}
	return m, nil
}

func splitType(wire string) (name string, version int, err error) {
	rest, ours := strings.CutPrefix(wire, TypePrefix)
	at := strings.LastIndex(rest, ".v")
	if !ours || at <= 0 {
		return "", 0, fmt.Errorf("type %q", wire)
	}
	version, err = strconv.Atoi(rest[at+2:])
	return rest[:at], version, err
}
