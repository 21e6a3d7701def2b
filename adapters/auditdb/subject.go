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
	switch r.event.Type {
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
