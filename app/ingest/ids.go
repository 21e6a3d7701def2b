package ingest

import (
	"crypto/sha256"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
)

// issuer vouches for sources: the register. It is no URL, so no token can have it.
const issuer = "strata:sources"

// ids are the ids of everything that one message leads to.
type ids struct {
	root uuid.UUID
	hash []byte // of what was asked
}

// ids are made from the message's id, or from other facts about it.
func (w *work) ids(facts ...string) ids {
	key := "message " + w.MessageID
	if len(facts) > 0 {
		quoted := make([]string, len(facts))
		for i, f := range facts {
			quoted[i] = strconv.Quote(f)
		}
		key = "refused " + strings.Join(quoted, " ")
	}
	return ids{command.CommandID(w.OrganizationID, issuer, w.SourceID.String(), key), w.sum}
}

func (i ids) of(part string) uuid.UUID { return uuid.NewSHA1(i.root, []byte(part)) }

func hash(parts ...string) []byte {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return sum[:]
}
