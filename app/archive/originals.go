package archive

import (
	"encoding/json"
	"fmt"
	"strings"

	"strata.dev/strata/app/eventlog"
)

// referring are the events that say that a document is kept, and the member that
// names it by its SHA-256.
var referring = map[string]string{
	"evidence.registered":    "sha256",
	"source.import-accepted": "documentSha256",
}

// OriginalsOf names the documents that an event refers to, by the SHA-256 of what
// they are in clear.
func OriginalsOf(e *eventlog.Event) ([]string, error) {
	member, ok := referring[e.Type]
	if !ok {
		return nil, nil
	}
	var body map[string]json.RawMessage
	var sum string
	if err := json.Unmarshal(e.Data, &body); err != nil {
		return nil, fmt.Errorf("%s at position %d: %w", e.Type, e.Position, err)
	}
	if err := json.Unmarshal(body[member], &sum); err != nil || len(sum) != 64 || strings.Trim(sum, "0123456789abcdef") != "" {
		return nil, fmt.Errorf("%s at position %d: %s is no SHA-256", e.Type, e.Position, member)
	}
	return []string{sum}, nil
}
