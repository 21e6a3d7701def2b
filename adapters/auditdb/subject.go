package auditdb

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/internal/readdb"
)

// Prefixes of the streams' names.
const (
	strategyStream  = "strategy-"
	indicatorStream = "indicator-"
	journalStream   = "journal-"
)

// readData reads out what an event is about. A body that cannot be read is kept
// all the same, about nothing.
func (r *row) readData() {
	if id, ok := strings.CutPrefix(r.event.StreamID, strategyStream); ok {
		r.strategyID = searchable(id)
	}
	var d struct {
		StrategyID    string `json:"strategyId"`
		GoalID        string `json:"goalId"`
		ObjectiveID   string `json:"objectiveId"`
		ElementID     string `json:"elementId"`
		MeasurementID string `json:"measurementId"`
		MemberID      string `json:"memberId"`
		GrantID       string `json:"grantId"`
		HoldID        string `json:"holdId"`
		ActorID       string `json:"actorId"`
		Rule          string `json:"rule"`
		Target        target `json:"target"`
		Changes       []struct {
			Field string `json:"field"`
			New   struct {
				Text string `json:"text"`
			} `json:"new"`
		} `json:"changes"`
	}
	if err := json.Unmarshal(r.event.Data, &d); err != nil {
		return
	}
	if strings.HasPrefix(r.event.StreamID, journalStream) {
		r.subjectID, r.rule = searchable(d.ActorID), searchable(d.Rule)
		if r.subjectID == "" {
			r.subjectID = searchable(d.MemberID)
		}
		return
	}
	switch r.event.Type {
	case "evidence.linked":
		r.subjectID = searchable(string(d.Target))
	case "indicator.defined":
		r.joins = searchable(d.StrategyID)
	case "indicator.redefined":
		for _, c := range d.Changes {
			if c.Field == "strategyId" {
				r.joins = searchable(c.New.Text)
			}
		}
	case "strategy.objective-added":
		r.subjectID = searchable(d.ObjectiveID) // it names its goal, too
	case "organization.role-granted":
		r.subjectID = searchable(d.GrantID) // it names the member, too
	default:
		for _, id := range []string{d.ElementID, d.GoalID, d.MeasurementID, d.MemberID, d.HoldID} {
			if id != "" {
				r.subjectID = searchable(id)
				break
			}
		}
	}
}

// target is the event that evidence was linked to, or else the whole aggregate. In
// other events a member of that name is something else, and read as nothing.
type target string

// UnmarshalJSON implements json.Unmarshaler. It never refuses.
func (t *target) UnmarshalJSON(b []byte) error {
	var of struct {
		ID      string `json:"id"`
		EventID string `json:"eventId"`
	}
	if json.Unmarshal(b, &of) == nil {
		*t = target(of.EventID)
		if of.EventID == "" {
			*t = target(of.ID)
		}
	}
	return nil
}

// rolesText is a set of roles as one text, equal exactly for equal sets.
func rolesText(roles []string) string {
	roles = slices.Clone(roles)
	slices.Sort(roles)
	return searchable(strings.Join(slices.Compact(roles), ","))
}

// streamRow says which strategy an indicator belongs to.
type streamRow struct {
	org        uuid.UUID
	streamID   string
	version    int64
	strategyID string
}

type streamKey struct {
	org uuid.UUID
	id  string
}

var streams = readdb.NewTable("streams", 2, "version",
	readdb.UUIDCol("organization_id", func(r *streamRow) *uuid.UUID { return &r.org }),
	readdb.Col("stream_id", "text", func(r *streamRow) *string { return &r.streamID }),
	readdb.Col("version", "bigint", func(r *streamRow) *int64 { return &r.version }),
	readdb.Col("strategy_id", "text", func(r *streamRow) *string { return &r.strategyID }),
)

func newStreams(empty bool) *readdb.Rows[streamKey, streamRow] {
	return readdb.NewRows(streams, empty,
		func(k streamKey) *streamRow { return &streamRow{org: k.org, streamID: k.id} },
		func(r *streamRow) streamKey { return streamKey{r.org, r.streamID} })
}
