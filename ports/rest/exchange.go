package rest

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fault"
)

// exchange is what is known about one request. It is filled on its way in by
// envelope and gate, read by handlers, and belongs to the request's goroutine.
type exchange struct {
	started   time.Time
	operation *operation // nil until the route is known
	method    string
	path      string
	query     url.Values // fits the contract

	requestID   string
	traceParent string
	traceState  string
	code        string // of the refusal; "" = answered

	principal command.Principal
	key       string // Idempotency-Key
	expected  *int64 // If-Match
	body      []byte // canonical JSON; of a signed message, its bytes
	signature string // of a signed message
	prefer    preferences
	minimum   int64        // Strata-Min-Position
	asOf      query.Moment // what the answer is as of; zero for the present
	names     bool         // the caller may read names of persons
	opened    bool         // the answer shows personal data that was sealed: it may be erased, so nobody keeps the answer
	noneMatch string       // If-None-Match
	digests   []string     // Content-Digest
	fileName  string       // of an upload, from Content-Disposition
	media     string       // of what the operation produces, the one the caller likes best

	second    *command.Countersignature // of a second person
	secondErr error                     // why it is none
	ruled     *fault.Fault              // by which rule it was refused, if the answer says why it is none

	result   *command.Result // of a command that succeeded
	location string          // of what it created

	records    bool  // the answer is about what was recorded
	recordedTo int64 // the last position of that

	rows        int   // of audit data in the answer
	first, last int64 // positions of what it shows; 0 = none
}

type exchangeKey struct{}

// of gives the request's exchange; handlers run inside envelope, so there is one.
func of(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

const echoKey = "exchange"

func exchangeOf(c echo.Context) *exchange {
	if x, ok := c.Get(echoKey).(*exchange); ok {
		return x
	}
	return &exchange{started: time.Now(), requestID: "none"} // Echo failed before envelope ran
}

func (x *exchange) operationID() string {
	if x.operation == nil {
		return "none"
	}
	return x.operation.id
}

// traceID is the caller's, or the request's own id in the same form.
func (x *exchange) traceID() string {
	if x.traceParent != "" {
		return x.traceParent[3:35]
	}
	return strings.ReplaceAll(x.requestID, "-", "")
}

// call is the request as the application sees it.
func (x *exchange) call(hash []byte, reason string) command.Call {
	return command.Call{
		Principal:   x.principal,
		CommandID:   x.commandID(),
		Hash:        hash,
		Expected:    x.expected,
		Origin:      eventlog.Origin{Kind: "api", Channel: "http"}, // not the address: the log keeps it for ever
		RequestID:   x.requestID,
		TraceParent: x.traceParent,
		TraceState:  x.traceState,
		Reason:      reason,

		Countersignature: x.second,
	}
}

func (x *exchange) commandID() uuid.UUID {
	return command.CommandID(x.principal.OrganizationID, x.principal.Issuer, x.principal.Subject, x.key)
}

// fingerprint says what was asked, so that a key is not used for two things.
func (x *exchange) fingerprint() []byte {
	return command.FingerprintBytes(x.operation.method, x.path, x.body)
}

// derive makes an id for something the command creates inside its aggregate. A
// repetition makes the same one, so its answer names what was recorded.
func (x *exchange) derive(what string) string {
	return uuid.NewSHA1(x.commandID(), []byte(what)).String()
}
