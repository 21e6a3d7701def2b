package verifier

import (
	"fmt"
	"strings"
)

// The checks that can fail.
const (
	CheckFormat     = "format"                // it cannot be read
	CheckPosition   = "position"              // 1, 2, 3 … without gaps
	CheckSequence   = "organization-sequence" // likewise in an organization
	CheckVersion    = "version"               // likewise in a stream
	CheckTime       = "recorded-at"           // never before the previous event's
	CheckCommand    = "command-id"            // a command is recorded once
	CheckEvent      = "event-id"              // an event is recorded once
	CheckLeaf       = "leaf"                  // the event is the one that was sealed
	CheckTile       = "tile"                  // the sealed hashes are those that were signed
	CheckRoot       = "root"                  // the log leads to the root that was signed
	CheckSignature  = "signature"             // who signed is who should have
	CheckRemembered = "remembered"            // the log continues what was seen before
	CheckArchive    = "archive"               // the archive holds what the log holds
	CheckProof      = "proof"                 // an inclusion or consistency proof holds
	CheckManifest   = "manifest"              // a file is the one that was packed
	CheckComplete   = "complete"              // nothing is missing from what is stated
)

// What a difference looks like: a guess at what was done, from what is there.
const (
	Edited      = "edited"       // one event or more, changed in its place
	Swapped     = "swapped"      // two events have changed places or contents
	Inserted    = "inserted"     // an event has come in between, the rest has moved back
	Removed     = "removed"      // an event is gone
	Truncated   = "truncated"    // the end is gone
	Rewritten   = "rewritten"    // from a position on everything is another history
	TileEdited  = "tile-edited"  // the ledger's hashes were changed, the events were not
	Resealed    = "resealed"     // events and the ledger's hashes were changed, what was signed was not
	Resigned    = "resigned"     // all of it was changed and signed again, or an older copy was restored
	Replayed    = "replayed"     // something old is shown as the present
	ForgedNote  = "forged"       // a signed text was changed, or signed with another key
	ArchiveSwap = "archive-edit" // the archive was changed, the log was not
)

var looks = map[string]string{
	Edited: "changed in place", Swapped: "two events changed places", Inserted: "an event was put in between",
	Removed: "an event was taken out", Truncated: "the end of the log was cut off",
	Rewritten:  "from here on it is another history: the tail was deleted and written again, or an older copy was restored",
	TileEdited: "the events are those that were signed; the ledger's stored hashes were changed",
	Resealed:   "events were changed and the ledger's hashes made to fit; the signed checkpoints say otherwise",
	Resigned:   "the log was changed, or replaced by an older copy, and signed again with its key",
	Replayed:   "something old is shown as the present", ForgedNote: "a signed text was changed, or signed by somebody else",
	ArchiveSwap: "the archive was changed; the log is as it was signed",
}

// Problem is something that is not as it should be: the first bad position and
// what is wrong there.
type Problem struct {
	Position     int64  `json:"position,string"`          // the first bad one; 0 if none can be named
	Through      int64  `json:"through,string,omitempty"` // it is somewhere from Position to here; 0 = exactly there
	Check        string `json:"check"`
	Kind         string `json:"kind,omitempty"` // what it looks like
	EventID      string `json:"eventId,omitempty"`
	Stream       string `json:"stream,omitempty"`
	Organization string `json:"organizationId,omitempty"`
	Where        string `json:"where,omitempty"` // a file, segment, checkpoint or source
	Expected     string `json:"expected"`
	Found        string `json:"found"`
	Detail       string `json:"detail,omitempty"`
}

// Error says all of it in one line.
func (p *Problem) Error() string {
	var b strings.Builder
	switch {
	case p.Through > p.Position:
		fmt.Fprintf(&b, "between positions %d and %d: ", p.Position, p.Through)
	case p.Position > 0:
		fmt.Fprintf(&b, "position %d: ", p.Position)
	}
	if p.Where != "" {
		fmt.Fprintf(&b, "%s: ", p.Where)
	}
	fmt.Fprintf(&b, "%s: expected %s, found %s", p.Check, p.Expected, p.Found)
	if p.EventID != "" {
		fmt.Fprintf(&b, " (event %s of stream %s)", p.EventID, p.Stream)
	}
	if p.Kind != "" {
		fmt.Fprintf(&b, "; it looks %s: %s", p.Kind, p.Looks())
	}
	if p.Detail != "" {
		fmt.Fprintf(&b, "; %s", p.Detail)
	}
	return b.String()
}

// Looks says in words what the kind of a problem means.
func (p *Problem) Looks() string { return looks[p.Kind] }

// at names the event of a problem.
func (p *Problem) at(e *Event) *Problem {
	p.EventID, p.Stream, p.Organization = e.ID.String(), e.Stream, e.Organization.String()
	return p
}

// earlier is the problem with the lower position; the first one if they are equal.
func earlier(a, b *Problem) *Problem {
	if a == nil || b != nil && b.Position < a.Position {
		return b
	}
	return a
}
