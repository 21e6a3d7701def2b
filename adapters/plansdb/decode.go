package plansdb

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/journal"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
)

// change is a decoded event with what the model needs of its envelope.
type change struct {
	ref      // of the aggregate
	stream   string
	position int64
	version  int64
	at       time.Time
	by       fact.Actor
	eventID  uuid.UUID
	origin   string // ui, api, amqp, import …
	source   external
	reason   string
	signing
	sealed []string // texts in it that hold personal data
	body   any      // one of the domain's events
}

// external is what the metadata says about a message that an event comes from.
type external struct {
	ID            string `json:"sourceId"`
	MessageID     string `json:"messageId"`
	Channel       string `json:"channel"`
	PayloadSHA256 string `json:"payloadSha256"`
}

// signing is what the metadata says about how a decision was made.
type signing struct {
	policyVersion int32
	authMethod    string
	authAt        *time.Time
	signers       []string // who signed and who countersigned
	printedName   string   // of who signed, sealed
}

// Decode implements readdb.Model.
func (model) Decode(e eventlog.Event) (*change, error) {
	body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
	if err != nil {
		return nil, err
	}
	id, err := aggregateID(e.StreamID, body)
	if err != nil {
		return nil, err
	}
	// Only the part of the metadata that is used: decoding all of it costs as much as the body.
	var meta struct {
		Actor struct {
			Kind       fact.Kind  `json:"kind"`
			ID         string     `json:"id"`
			AuthMethod string     `json:"authMethod"`
			AuthAt     *time.Time `json:"authAt"`
		} `json:"actor"`
		Origin struct {
			Kind string `json:"kind"`
			external
		} `json:"source"`
		Reason        string `json:"reason"`
		PolicyVersion int32  `json:"policyVersion"`
		Signature     struct {
			SignerID    string `json:"signerId"`
			PrintedName string `json:"printedName"`
		} `json:"signature"`
		Countersignature struct {
			SignerID string `json:"signerId"`
		} `json:"countersignature"`
	}
	if err := json.Unmarshal(e.Metadata, &meta); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	at := e.RecordedAt.UTC()
	return &change{
		ref: ref{e.OrganizationID, id}, stream: e.StreamID, position: e.Position, version: e.Version, at: at,
		by:      fact.Actor{Kind: meta.Actor.Kind, ID: meta.Actor.ID, At: at},
		eventID: e.ID, origin: meta.Origin.Kind, source: meta.Origin.external, reason: meta.Reason, body: body,
		signing: signing{
			meta.PolicyVersion, meta.Actor.AuthMethod, meta.Actor.AuthAt,
			named(meta.Signature.SignerID, meta.Countersignature.SignerID), meta.Signature.PrintedName,
		},
		sealed: append(sealedIn(e.Data), sealedIn(e.Metadata)...),
	}, nil
}

// aggregateID is the id that the stream is named by; the stream's kind is that of the event.
func aggregateID(streamID string, body any) (string, error) {
	var kind string
	switch body.(type) {
	case organization.Event:
		kind = "organization-"
	case strategy.Event:
		kind = "strategy-"
	case indicator.Event:
		kind = "indicator-"
	case finding.Event:
		kind = "finding-"
	case evidence.Event:
		kind = "evidence-"
	case source.Event:
		kind = "source-"
	case journal.Event:
		kind = "journal-"
	default:
		return "", fmt.Errorf("event %T belongs to no known aggregate", body)
	}
	id, ok := strings.CutPrefix(streamID, kind)
	if !ok {
		return "", fmt.Errorf("%T is no event of stream %q", body, streamID)
	}
	if _, err := uuid.Parse(id); err != nil {
		return "", fmt.Errorf("stream %q: %w", streamID, err)
	}
	return id, nil
}

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
