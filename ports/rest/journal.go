package rest

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/labstack/echo/v4"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/journal"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/ident"
	facts "strata.dev/strata/domain/journal"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/ports/rest/gen"
)

// Journal hears of what is refused to whom, of tokens that are not believed, and
// of every answer with audit data, before it is given. Its methods neither fail
// nor block for long. Safe for concurrent use.
type Journal interface {
	Denied(ctx context.Context, d journal.Denial)
	SignInFailed(ctx context.Context, s journal.SignIn)
	AuditRead(ctx context.Context, r journal.Read)
}

const (
	// askTime bounds how long a refusal waits to know whom it was given to.
	askTime = 2 * time.Second
	// noteTime bounds how long it waits in all; to be written, the journal waits
	// less by itself.
	noteTime = 10 * time.Second
)

// auditReads are the operations whose answers are audit data: what happened, who
// did it, and what is kept as it came in. Their handlers call exchange.shown.
var auditReads = map[string]bool{
	"getStrategyHistory": true, "getIndicatorHistory": true, "getFindingHistory": true, "listActivity": true,
	"listEvents": true, "streamEvents": true, "getEvent": true, "getStrategyDiff": true, "getIndicatorDiff": true,
	"getFindingDiff": true, "getEvidenceDiff": true, "getSourceDiff": true, "getOrganizationDiff": true,
	"listJournal": true, "getSegregation": true, "getPerson": true, "listPersons": true, "getChangesSinceAttestation": true, "getProvenance": true,
	"listExternalChanges": true, "getEvidenceContent": true, "getStreamPack": true, "getOrganizationPack": true, "exportStrategy": true, "getImportOriginal": true,
}

// commandNames are the names of commands where they do not follow from those of
// the operations.
var commandNames = map[string]string{
	"importStrategy": authz.ImportStratML, "importRevision": authz.ImportStratML, "recordMeasurements": authz.RecordMeasurement,
}

// kinds are the first parts of streams' names, by the collections of paths.
var kinds = map[string]string{
	"strategies": "strategy", "indicators": "indicator", "findings": "finding", "evidence": "evidence", "sources": "source",
	"imports": "import", "operations": "import", "events": "event", "measurements": "measurement", "attestations": "event", "persons": "person",
}

// shown notes what an answer with audit data shows: how many rows, and the
// positions of the first and the last event among them (0 = it shows none).
func (x *exchange) shown(rows int, first, last int64) {
	x.rows, x.first, x.last = rows, first, last
}

// journalled lets the journal know before audit data is shown.
func (s *server) journalled(next gen.StrictHandlerFunc, _ string) gen.StrictHandlerFunc {
	return func(c echo.Context, request any) (any, error) {
		response, err := next(c, request)
		x := exchangeOf(c)
		if err != nil || s.options.Journal == nil || !auditReads[x.operationID()] {
			return response, err
		}
		ctx := c.Request().Context()
		asker := s.asker(ctx, x.principal)
		s.options.Journal.AuditRead(ctx, journal.Read{
			OrganizationID: asker.OrganizationID, By: journal.Who{Kind: asker.Kind, ID: asker.ID},
			Query: x.operation.id, Target: x.asksAbout(c), Rows: x.rows,
			Range:     facts.Range{From: x.instant("from"), To: x.instant("to"), FirstPosition: x.first, LastPosition: x.last},
			RequestID: x.requestID, TraceParent: x.traceParent,
		})
		return response, nil
	}
}

// note tells the journal of a refusal that belongs into it.
func (s *server) note(c echo.Context, x *exchange, f *fault.Fault, err error) {
	if s.options.Journal == nil || x.operation == nil {
		return
	}
	if x.ruled != nil {
		f = x.ruled
	}
	// The request's own context has ended with its handler.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), noteTime)
	defer cancel()
	switch {
	case f.Kind == fault.Unauthenticated:
		s.noteSignIn(ctx, x, err)
	case journal.Counts(f) && !x.operation.public: // who is not a principal is known to the handler only
		target := x.target(c)
		if target == "" && x.principal.OrganizationID != (command.Principal{}).OrganizationID && strings.HasPrefix(x.path, "/v1/organization/") {
			target = "organization-" + x.principal.OrganizationID.String()
		}
		s.deny(ctx, x, target, f)
	}
}

func (s *server) noteSignIn(ctx context.Context, x *exchange, err error) {
	in := journal.SignIn{Reason: "no-token", RequestID: x.requestID, TraceParent: x.traceParent}
	if why, ok := errors.AsType[*command.TokenRefusal](err); ok {
		in.Reason, in.Issuer = why.Reason, why.Issuer
		if why.OrganizationID != in.OrganizationID {
			// Only an organization that there is has a journal of its own.
			in.OrganizationID = s.asker(ctx, command.Principal{OrganizationID: why.OrganizationID}).OrganizationID
		}
	} else if x.ruled != nil { // of a source: see unbelieved
		if in.Reason = x.ruled.Rule; in.Reason == source.BadSignature {
			in.OrganizationID = x.principal.OrganizationID // it has such a source
		}
	} else if !errors.Is(err, errUnauthenticated) {
		in.Reason = "not-believed"
	}
	s.options.Journal.SignInFailed(ctx, in)
}

// asker names a principal for the journal. Whoever cannot be looked up soon stays
// a stranger: the answer does not wait for more.
func (s *server) asker(ctx context.Context, p command.Principal) command.Asker {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return s.options.App.Organizations.Asker(ctx, p)
}

// deny records a refusal of the command or query of x.
func (s *server) deny(ctx context.Context, x *exchange, target string, f *fault.Fault) {
	asker := s.asker(ctx, x.principal)
	if asker.OrganizationID != x.principal.OrganizationID && target == "" && !x.principal.Operator {
		target = "organization-" + x.principal.OrganizationID.String() // that there is not
	}
	s.options.Journal.Denied(ctx, journal.Denial{
		OrganizationID: asker.OrganizationID, By: journal.Who{Kind: asker.Kind, ID: asker.ID},
		Command: commandName(x.operation), Rule: f.Rule, Slug: f.Slug, Target: target,
		RequestID: x.requestID, TraceParent: x.traceParent,
	})
}

// deniedItem tells the journal of an item of a batch that was refused, as it
// would have been told of the single command.
func (s *server) deniedItem(ctx context.Context, target string, err error) {
	x := of(ctx)
	if f := asFault(err, x); s.options.Journal != nil && journal.Counts(f) {
		s.deny(ctx, x, target, f)
	}
}

// commandName is what the table of roles calls an operation; a query keeps its name.
func commandName(op *operation) string {
	if name, ok := commandNames[op.id]; ok {
		return name
	}
	if !op.idempotent {
		return op.id
	}
	var b strings.Builder
	for _, r := range op.id {
		if unicode.IsUpper(r) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// target is what the path names, as a stream does; empty if it names nothing
// that could be there: paths are whatever a client writes.
func (x *exchange) target(c echo.Context) string {
	id := c.Param("id")
	if !ident.Valid(id) {
		return ""
	}
	collection, _, _ := strings.Cut(strings.TrimPrefix(x.path, "/v1/"), "/")
	if kind := kinds[collection]; kind != "" {
		return kind + "-" + id
	}
	return id
}

// asksAbout is the target of a query: what its path names, or what it is limited to.
func (x *exchange) asksAbout(c echo.Context) string {
	if target := x.target(c); target != "" {
		return target
	}
	if v := c.Param("streamId"); v != "" {
		return v
	}
	for _, p := range []struct{ name, kind string }{{"streamId", ""}, {"strategyId", "strategy-"}, {"sourceId", "source-"}, {"actorId", ""}} {
		if v := x.query.Get(p.name); v != "" {
			return p.kind + v
		}
	}
	return ""
}

// instant is a query parameter that names an instant; nil if it does not.
func (x *exchange) instant(name string) *time.Time {
	t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(x.query.Get(name)))
	if err != nil {
		return nil
	}
	t = t.UTC().Truncate(time.Microsecond)
	return &t
}

var _ Journal = (*journal.Recorder)(nil)

// positions are those of the first and the last of some events.
func positions(events []eventlog.Event) (first, last int64) {
	if len(events) == 0 {
		return 0, 0
	}
	return events[0].Position, events[len(events)-1].Position
}
