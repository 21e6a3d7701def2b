package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/adapters/stratml"
	"strata.dev/strata/app"
	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ingest"
	"strata.dev/strata/app/query"
	"strata.dev/strata/ports/rest"
	"strata.dev/strata/ports/rest/resttest"
)

// world is the API on a log in memory, with an issuer of tokens. Every answer
// is checked against the contract.
type world struct {
	t       testing.TB
	handler http.Handler
	api     *rest.API
	keys    string // folder of the issuer's key
	issuer  *oidc.Issuer
	log     eventlog.Log
	logs    *logBuffer
	options rest.Options
}

func newWorld(t testing.TB, change ...func(*rest.Options)) *world {
	t.Helper()
	log := &memory.Log{}
	keys := t.TempDir()
	issuer, err := oidc.Open(oidc.Options{KeyFile: filepath.Join(keys, "key")})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := issuer.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	encoder, err := cloudevents.New(cloudevents.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, keys: keys, issuer: issuer, log: log, logs: &logBuffer{}}
	commands := command.New(command.Options{
		Log: log, Basis: noIndicators{log}, Findings: memory.FindingIndex{Log: log},
		Documents: stratml.Parser{}, Writer: stratml.Writer{}, Imports: &memory.Imports{},
	})
	w.options = rest.Options{
		App:    app.New(commands, noPlans{}, audit{log: log}, stratml.Parser{}),
		Ingest: ingest.New(ingest.Options{Commands: commands, Log: log, Inbox: &memory.Inbox{}}),
		System: func(ctx context.Context) (query.System, error) {
			head, err := log.Head(ctx)
			return query.System{
				Time: time.Now(), Version: "test", Position: head, Projections: []query.ProjectionState{}, Groups: []query.GroupState{},
				Processes: []query.ProcessState{}, Databases: []query.DatabaseState{}, Away: []string{},
			}, err
		},
		Tokens: verifier, Events: encoder, Log: slog.New(slog.NewJSONHandler(w.logs, nil)),
	}
	for _, c := range change {
		c(&w.options)
	}
	if w.api, err = rest.New(w.options); err != nil {
		t.Fatal(err)
	}
	w.handler = resttest.Checked(t, w.api)
	return w
}

// reopen makes the API anew with other options; what was recorded stays.
func (w *world) reopen(change func(*rest.Options)) {
	w.t.Helper()
	change(&w.options)
	var err error
	if w.api, err = rest.New(w.options); err != nil {
		w.t.Fatal(err)
	}
	w.handler = resttest.Checked(w.t, w.api)
}

// request is one call; zero fields get what an honest client sends.
type request struct {
	method, path, body string
	token              string
	key                string // "" = a new one
	match              string // "" = *; "-" = none
	header             http.Header
}

type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

func (w *world) do(r request) answer {
	w.t.Helper()
	if r.method == "" {
		r.method = http.MethodPost
	}
	q := httptest.NewRequest(r.method, r.path, strings.NewReader(r.body))
	if r.method == http.MethodPost {
		q.Header.Set("Content-Type", "application/json")
		if r.key == "" {
			r.key = uuid.NewString()
		}
		q.Header.Set("Idempotency-Key", r.key)
		switch r.match {
		case "":
			q.Header.Set("If-Match", "*")
		case "-":
		default:
			q.Header.Set("If-Match", r.match)
		}
	}
	if r.token != "" {
		q.Header.Set("Authorization", "Bearer "+r.token)
	}
	for name, values := range r.header {
		q.Header[name] = values
	}
	recorded := httptest.NewRecorder()
	w.handler.ServeHTTP(recorded, q)
	return answer{w.t, recorded.Code, recorded.Header(), recorded.Body.Bytes()}
}

// want fails unless the answer has the status, and for refusals the code.
func (a answer) want(status int, code string) answer {
	a.t.Helper()
	if a.status != status || (code != "" && a.str("code") != code) {
		a.t.Fatalf("answer %d %s, want %d %s", a.status, a.body, status, code)
	}
	return a
}

func (a answer) json() map[string]any {
	a.t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil {
		a.t.Fatalf("%v in %d %s", err, a.status, a.body)
	}
	return v
}

func (a answer) str(member string) string {
	a.t.Helper()
	s, _ := a.json()[member].(string)
	return s
}

// organization is a registered one with a token per role.
type organization struct {
	id     uuid.UUID
	tokens map[string]string
}

func (w *world) token(c oidc.Claims) string {
	w.t.Helper()
	token, err := w.issuer.Issue(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

func (w *world) operator() string { return w.token(oidc.Claims{Subject: "operator", Operator: true}) }

func (w *world) register(name string, roles ...string) organization {
	w.t.Helper()
	a := w.do(request{path: "/v1/organizations", token: w.operator(), body: `{"name":"` + name + `",
		"administrator":{"issuer":"` + oidc.DevIssuer + `","subject":"admin"},
		"complianceOfficer":{"issuer":"` + oidc.DevIssuer + `","subject":"officer"}}`}).want(http.StatusCreated, "")
	o := organization{uuid.MustParse(a.str("organizationId")), map[string]string{}}
	o.tokens["admin"] = w.token(oidc.Claims{Organization: o.id, Subject: "admin"})
	o.tokens["officer"] = w.token(oidc.Claims{Organization: o.id, Subject: "officer"})
	for _, role := range roles {
		w.enrol(o, role)
	}
	return o
}

// enrol adds a member named after the role that they have.
func (w *world) enrol(o organization, role string) {
	w.t.Helper()
	member := w.do(request{
		path: "/v1/organization/commands/enrol-member", token: o.tokens["admin"],
		body: `{"issuer":"` + oidc.DevIssuer + `","subject":"` + role + `","kind":"person"}`,
	}).want(http.StatusOK, "").str("memberId")
	w.do(request{
		path: "/v1/organization/commands/grant-role", token: o.tokens["admin"],
		body: `{"memberId":"` + member + `","role":"` + role + `","ticketRef":"T-1"}`,
	}).want(http.StatusOK, "")
	o.tokens[role] = w.token(oidc.Claims{Organization: o.id, Subject: role})
}

const (
	author   = "strategy_author"
	approver = "strategy_approver"
	owner    = "indicator_owner"
)

// draft gives the path of a new strategy.
func (w *world) draft(o organization) string {
	w.t.Helper()
	return w.do(request{path: "/v1/strategies", token: o.tokens[author], body: `{"frame":{"name":"Plan"}}`}).
		want(http.StatusCreated, "").header.Get("Location")
}

// indicator gives the path of a new indicator of a new strategy.
func (w *world) indicator(o organization) (indicatorPath, strategyPath string) {
	w.t.Helper()
	strategyPath = w.draft(o)
	goal := w.do(request{path: strategyPath + "/commands/add-goal", token: o.tokens[author], body: `{"name":"Goal"}`}).want(200, "").str("goalId")
	objective := w.do(request{
		path: strategyPath + "/commands/add-objective", token: o.tokens[author],
		body: `{"goalId":"` + goal + `","name":"Objective"}`,
	}).want(200, "").str("objectiveId")
	a := w.do(request{path: "/v1/indicators", token: o.tokens[author], body: `{"strategyId":"` + strings.TrimPrefix(strategyPath, "/v1/strategies/") + `",
		"objectiveId":"` + objective + `","definition":{"name":"Emissions","unit":"t","type":"quantitative","direction":"decrease","frequency":"year"}}`}).
		want(http.StatusCreated, "")
	return a.header.Get("Location"), strategyPath
}

// audit answers the feed and histories from the log itself. Whoever is told
// that it is behind is heard of in waits, if there is room.
type audit struct {
	query.Audit
	log   eventlog.Log
	waits chan struct{}
}

func (a audit) Events(ctx context.Context, r query.Read, f query.EventsFilter) (query.Feed, error) {
	head, err := a.log.Head(ctx)
	if err != nil {
		return query.Feed{}, err
	}
	if head < r.MinPosition {
		select {
		case a.waits <- struct{}{}:
		default:
		}
		return query.Feed{}, query.ErrProjectionBehind.With("wanted", decimal(r.MinPosition)).With("reached", decimal(head))
	}
	all, err := a.log.Read(ctx, f.After, 10_000)
	feed := query.Feed{Next: max(f.After, head), Position: head}
	for _, e := range all {
		if e.OrganizationID == r.OrganizationID {
			feed.Events = append(feed.Events, e)
		}
	}
	return feed, err
}

func (a audit) History(ctx context.Context, r query.Read, f query.HistoryFilter) (query.Page[query.Entry], error) {
	events, err := a.log.ReadStream(ctx, r.OrganizationID, f.StreamID, 0, 0)
	page := query.Page[query.Entry]{Items: []query.Entry{}, Position: 1}
	for _, e := range events {
		page.Items = append(page.Items, query.Entry{
			Position: e.Position, OrganizationSequence: e.OrganizationSequence, StreamID: e.StreamID, Version: e.Version,
			ID: e.ID.String(), Type: e.Type, SchemaVersion: e.SchemaVersion, RecordedAt: e.RecordedAt, Data: e.Data, Metadata: e.Metadata,
		})
	}
	return page, err
}

func (audit) Diff(context.Context, query.Read, query.DiffFilter) (query.Diff, error) {
	return query.Diff{}, query.ErrNotFound
}

func (audit) Event(context.Context, query.Read, uuid.UUID) (query.Entry, error) {
	return query.Entry{}, query.ErrNotFound
}

// noPlans is a read side that has seen nothing.
type noPlans struct{ query.Plans }

func (noPlans) Strategy(context.Context, query.Read, query.StrategyAsk) (query.Strategy, error) {
	return query.Strategy{}, query.ErrNotFound
}

func (noPlans) Indicator(context.Context, query.Read, uuid.UUID) (query.Indicator, error) {
	return query.Indicator{}, errors.New("ERROR: relation \"secret_table\" does not exist (SQLSTATE 42P01)")
}

type noIndicators struct{ log eventlog.Log }

func (n noIndicators) IndicatorBasis(ctx context.Context, _, _ uuid.UUID, _ int64) (string, []string, int64, error) {
	head, err := n.log.Head(ctx)
	return strings.Repeat("0", 64), nil, head, err
}

func (noIndicators) IndicatorsOf(context.Context, uuid.UUID, uuid.UUID, int64) ([]uuid.UUID, error) {
	return nil, nil
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func decimal(n int64) string { b, _ := json.Marshal(n); return string(b) }

var _ io.Writer = (*logBuffer)(nil)

func ago(d time.Duration) time.Time { return time.Now().Add(-d) }
