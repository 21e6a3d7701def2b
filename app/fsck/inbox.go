package fsck

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/maphash"

	"github.com/google/uuid"

	"strata.dev/strata/app/ingest"
	"strata.dev/strata/domain/source"
)

// inbox compares settled messages with what the log recorded of them. There may
// be very many, so of what the log has only fingerprints are kept.
type inbox struct {
	seed    maphash.Seed
	led     map[uint64]struct{}     // messages that led to an event
	sources map[uuid.UUID]uuid.UUID // registered → of which organization
}

func newInbox() *inbox {
	return &inbox{seed: maphash.MakeSeed(), led: map[uint64]struct{}{}, sources: map[uuid.UUID]uuid.UUID{}}
}

func (i *inbox) event(e *Entry) {
	if r, ok := e.Body.(source.Registered); ok {
		if id, err := uuid.Parse(r.SourceID); err == nil {
			i.sources[id] = e.OrganizationID
		}
	}
	if o := e.Metadata.Origin; o.SourceID != "" && o.MessageID != "" {
		i.led[i.mark(o.SourceID, o.MessageID, o.PayloadSHA256)] = struct{}{}
	}
}

func (i *inbox) mark(sourceID, messageID, sha256 string) uint64 {
	var h maphash.Hash
	h.SetSeed(i.seed)
	for _, s := range []string{sourceID, messageID, sha256} {
		_, _ = h.WriteString(s) // never fails
		_ = h.WriteByte(0)      // nor this
	}
	return h.Sum64()
}

func (i *inbox) row(row InboxRow, t *Tally) {
	w := Wrong{
		Kind: "not explained", Table: "inbox", Organization: row.OrganizationID.String(), Do: deleteRow,
		Key: rowKey([]string{"source_id", "message_id"}, row.SourceID, row.MessageID),
	}
	home, known := i.sources[row.SourceID]
	var answer ingest.Answer
	err := json.Unmarshal(row.Answer, &answer)
	sum := hex.EncodeToString(row.SHA256)
	switch _, led := i.led[i.mark(row.SourceID.String(), row.MessageID, sum)]; {
	case !known:
		w.Detail = "No such source was ever registered."
	case home != row.OrganizationID:
		w.Detail = fmt.Sprintf("The source belongs to organization %s.", home)
	case err != nil:
		w.Kind, w.Detail = "changed", "Its answer cannot be read: "+err.Error()
	case answer.SourceID != row.SourceID.String() || answer.MessageID != row.MessageID || answer.SHA256 != sum || (answer.Code != "") != row.Refused:
		w.Kind, w.Detail = "changed", "Its answer is about another message."
	case !led && (row.Refused || answer.Recorded+answer.Corrected+answer.Rejected > 0):
		w.Detail = "It says that something was recorded, and no event of the log came of this message."
	default:
		return
	}
	t.Wrong(w)
}
