package system

import (
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Outcome is what a client knows about a command in the end.
type Outcome string

// The outcomes. Unknown is none of the service's answers: it is what remains
// when the client gave up before it got one.
const (
	OK      Outcome = "ok"
	Refused Outcome = "refused" // nothing was recorded
	Unknown Outcome = "unknown" // it was recorded or not
)

// Operation is one command of one client, with all its repetitions.
type Operation struct {
	Client  int
	Kind    string
	Command uuid.UUID // id of the command in the log: the image of the idempotency key
	Stream  string

	Outcome  Outcome
	Code     string // of the refusal
	Attempts int
	Version  int64
	Position int64
	Events   []uuid.UUID
	Replayed bool // the answer was a repetition's

	Began, Ended time.Time
	Request      Request
}

// Record is one event as the log holds it.
type Record struct {
	Position             int64
	OrganizationSequence int64
	Version              int64
	Organization         uuid.UUID
	ID                   uuid.UUID
	Command              uuid.UUID // zero on all but the first event of a command
	Stream               string
	Type                 string
	Digest               [sha256.Size]byte // of the data
}

// Delivery is one message as a consumer got it.
type Delivery struct {
	ID       uuid.UUID
	Position int64
	Version  int64
	Stream   string
	Digest   [sha256.Size]byte // of the data
}

// History is what clients were told. Safe for concurrent use.
type History struct {
	mu         sync.Mutex
	operations []Operation
}

// Add notes an operation that has ended.
func (h *History) Add(o Operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, o)
}

// Operations is what there is so far.
func (h *History) Operations() []Operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.operations)
}
