package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/journal"
	facts "strata.dev/strata/domain/journal"
	"strata.dev/strata/ports/rest"
)

// recording adds a journal on the world's log; what is counted is written by the
// function that it gives.
func recording(t testing.TB, w *world) (flush func()) {
	t.Helper()
	r := journal.New(journal.Options{Log: w.log, Logger: w.options.Log, Timeout: time.Minute}) // a busy machine is no log that is away
	flush = func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Errorf("close the journal: %v", err)
		}
	}
	t.Cleanup(flush)
	w.reopen(func(o *rest.Options) { o.Journal = r })
	return flush
}

// entries are the facts in an organization's journal.
func (w *world) entries(organization uuid.UUID) []any {
	w.t.Helper()
	events, err := w.log.ReadStream(context.Background(), organization, journal.Stream(organization), 0, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	list := make([]any, len(events))
	for i, e := range events {
		if list[i], err = eventcodec.Decode(e.Type, e.SchemaVersion, e.Data); err != nil {
			w.t.Fatal(err)
		}
	}
	return list
}

// member finds a member by the subject of their token.
func (w *world) member(o organization, subject string) string {
	w.t.Helper()
	token := o.tokens[subject]
	p, err := w.options.Tokens.Authenticate(context.Background(), token)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.options.App.Organizations.Asker(context.Background(), p).ID
}

var whenever = cmp.Options{
	cmpopts.IgnoreFields(facts.CommandDenied{}, "FirstAt", "LastAt"), cmpopts.IgnoreFields(facts.SignInFailed{}, "FirstAt", "LastAt"),
	cmpopts.IgnoreFields(facts.AuditRead{}, "FirstAt", "LastAt"),
}

func TestEachRefusalLeavesItsRecord(t *testing.T) {
	w := newWorld(t)
	o := w.register("O", author, approver, owner)
	path := w.draft(o)
	goal := w.do(request{path: path + "/commands/add-goal", token: o.tokens[author], body: `{"name":"G"}`}).want(200, "").str("goalId")
	w.do(request{path: path + "/commands/add-objective", token: o.tokens[author], body: `{"goalId":"` + goal + `"}`}).want(200, "")
	stranger := w.token(oidc.Claims{Organization: o.id, Subject: "stranger"})
	elsewhere := uuid.New()
	foreign := w.token(oidc.Claims{Organization: elsewhere, Subject: "x"})
	stream := "strategy-" + strings.TrimPrefix(path, "/v1/strategies/")
	flush := recording(t, w)
	by := func(subject, command, rule, target string) facts.CommandDenied {
		return facts.CommandDenied{ActorKind: "person", ActorID: w.member(o, subject), Command: command, Rule: rule, Slug: "forbidden", Target: target, Count: 1}
	}
	for _, c := range []struct {
		name    string
		request request
		status  int
		want    []any // in the organization's journal
		outside []any // in the installation's
	}{
		{
			"a role",
			request{path: path + "/commands/add-goal", token: o.tokens[approver], body: `{"name":"G"}`},
			403,
			[]any{by(approver, "add-goal", "role", stream)},
			nil,
		},
		{
			"a role in the organization",
			request{path: "/v1/organization/commands/revoke-role", token: o.tokens[author], body: `{"memberId":"` + uuid.NewString() + `","grantIds":["` + uuid.NewString() + `"],"reason":"r"}`},
			403,
			[]any{by(author, "revoke-role", "role", "organization-"+o.id.String())},
			nil,
		},
		{
			"a rule of segregation",
			request{path: "/v1/organization/commands/grant-role", token: o.tokens["admin"], body: `{"memberId":"` + w.member(o, "admin") + `","role":"viewer","ticketRef":"T"}`},
			403,
			[]any{by("admin", "grant-role", "S5", "organization-"+o.id.String())},
			nil,
		},
		{
			"a conflict of roles",
			request{path: "/v1/organization/commands/grant-role", token: o.tokens["admin"], body: `{"memberId":"` + w.member(o, "officer") + `","role":"auditor","ticketRef":"T"}`},
			409,
			[]any{func() any {
				e := by("admin", "grant-role", "S4", "organization-"+o.id.String())
				e.Slug = "invariant-violated"
				return e
			}()},
			nil,
		},
		{
			"a stranger reads",
			request{method: "GET", path: path + "/events", token: stranger},
			403,
			[]any{func() any {
				e := by(author, "getStrategyHistory", "membership", stream)
				e.ActorID = w.identity(stranger)
				return e
			}()},
			nil,
		},
		{
			"an operator reads",
			request{method: "GET", path: "/v1/activity", token: w.operator()},
			403, nil,
			[]any{facts.CommandDenied{ActorKind: "person", ActorID: w.identity(w.operator()), Command: "listActivity", Rule: "operator", Slug: "forbidden", Count: 1}},
		},
		{
			"an organization that there is not",
			request{method: "GET", path: path, token: foreign},
			403, nil,
			[]any{facts.CommandDenied{ActorKind: "person", ActorID: w.identity(foreign), Command: "getStrategy", Rule: "membership", Slug: "forbidden", Target: stream, Count: 1}},
		},
		{"no token", request{method: "GET", path: path}, 401, nil, []any{facts.SignInFailed{Reason: "no-token", Count: 1}}},
		{"half a token", request{method: "GET", path: path, token: "nonsense"}, 401, nil, []any{facts.SignInFailed{Reason: "unreadable-token", Count: 1}}},
		{
			"a token that has expired",
			request{method: "GET", path: path, token: w.expired(t, o)},
			401,
			[]any{facts.SignInFailed{Issuer: oidc.DevIssuer, Reason: "expired", Count: 1}},
			nil,
		},
		{"a mistake", request{path: path + "/commands/add-goal", token: o.tokens[author], body: `{"name":""}`}, 422, nil, nil},
		{"another state", request{path: path + "/commands/approve", token: o.tokens[approver], body: `{"contentHash":"` + strings.Repeat("0", 64) + `","meaning":"business"}`}, 409, nil, nil},
		{"nothing there", request{method: "GET", path: "/v1/nothing", token: o.tokens[author]}, 404, nil, nil},
		{"nothing wrong", request{path: path + "/commands/add-goal", token: o.tokens[author], body: `{"name":"H"}`}, 200, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, beforeOutside := len(w.entries(o.id)), len(w.entries(journal.Installation))
			w.do(c.request).want(c.status, "")
			got, outside := w.entries(o.id)[before:], w.entries(journal.Installation)[beforeOutside:]
			if diff := cmp.Diff(c.want, got, whenever, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("the organization's journal (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.outside, outside, whenever, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("the installation's journal (-want +got):\n%s", diff)
			}
		})
	}
	before := len(w.entries(o.id))
	flush()
	if after := len(w.entries(o.id)); after != before {
		t.Errorf("%d entries more: something was counted twice", after-before)
	}
}

func (w *world) identity(token string) string {
	w.t.Helper()
	p, err := w.options.Tokens.Authenticate(context.Background(), token)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.options.App.Organizations.Asker(context.Background(), p).ID
}

// expired is a token of the issuer that was good an hour ago.
func (w *world) expired(t *testing.T, o organization) string {
	t.Helper()
	past, err := oidc.Open(oidc.Options{KeyFile: filepath.Join(w.keys, "key"), Now: func() time.Time { return ago(time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	token, err := past.Issue(oidc.Claims{Organization: o.id, Subject: author})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// A thousand refusals are few events that add up.
func TestAFloodOfRefusalsIsFewEvents(t *testing.T) {
	w := newWorld(t)
	o := w.register("O", approver)
	path := "/v1/strategies/" + uuid.NewString()
	flush := recording(t, w)
	for range 1000 {
		w.do(request{path: path + "/commands/add-goal", token: o.tokens[approver], body: `{"name":"G"}`}).want(http.StatusForbidden, "forbidden")
	}
	flush()
	sum := 0
	list := w.entries(o.id)
	for _, e := range list {
		if d, ok := e.(facts.CommandDenied); ok {
			sum += d.Count
		}
	}
	if sum != 1000 || len(list) > 5 {
		t.Errorf("%d events count %d refusals", len(list), sum)
	}
}

// Items of a batch are refused each for itself.
func TestRefusedItemsOfABatch(t *testing.T) {
	w := newWorld(t)
	o := w.register("O", author, approver)
	path, _ := w.indicator(o)
	id := strings.TrimPrefix(path, "/v1/indicators/")
	recording(t, w)
	w.do(request{path: "/v1/measurements", match: "-", token: o.tokens[approver], body: `{"items":[{"indicatorId":"` + id + `","record":{"period":{"start":"2024-01-01","end":"2024-12-31"},"value":"1"}}]}`}).want(200, "")
	want := []any{facts.CommandDenied{
		ActorKind: "person", ActorID: w.member(o, approver), Command: "record-measurement", Rule: "role", Slug: "forbidden", Target: "indicator-" + id, Count: 1,
	}}
	if diff := cmp.Diff(want, w.entries(o.id), whenever); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whoever is shown audit data leaves a trace: who, what, which part, how much.
func TestReadsOfAuditDataLeaveATrace(t *testing.T) {
	w := newWorld(t)
	o := w.register("O", author)
	_, path := w.indicator(o)
	stream := "strategy-" + strings.TrimPrefix(path, "/v1/strategies/")
	ofStrategy, err := w.log.ReadStream(t.Context(), o.id, stream, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	all, err := w.log.Read(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	mine := slices.DeleteFunc(all, func(e eventlog.Event) bool { return e.OrganizationID != o.id })
	flush := recording(t, w)
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w.do(request{method: "GET", path: path + "/events?from=2026-01-01T00:00:00Z", token: o.tokens["officer"]}).want(200, "")
	w.do(request{method: "GET", path: "/v1/events", token: o.tokens[author]}).want(200, "")
	w.do(request{method: "GET", path: path + "/stratml", token: o.tokens[author]}).want(200, "")
	w.do(request{method: "GET", path: "/v1/events/" + uuid.NewString(), token: o.tokens[author]}).want(404, "")
	w.do(request{method: "GET", path: "/v1/strategies/" + uuid.NewString(), token: o.tokens[author]}).want(404, "")
	read := func(subject, query, target string, rows int, r facts.Range) facts.AuditRead {
		return facts.AuditRead{ActorKind: "person", ActorID: w.member(o, subject), Query: query, Target: target, Rows: rows, Range: r, Count: 1}
	}
	last := mine[len(mine)-1].Position
	want := []any{
		read("officer", "getStrategyHistory", stream, len(ofStrategy), facts.Range{
			From: &from, FirstPosition: ofStrategy[0].Position, LastPosition: ofStrategy[len(ofStrategy)-1].Position,
		}),
		// The trace of the first read is part of what the second shows.
		read(author, "listEvents", "", len(mine)+1, facts.Range{FirstPosition: mine[0].Position, LastPosition: last + 1}),
		read(author, "exportStrategy", stream, 1, facts.Range{LastPosition: last + 2}),
	}
	if diff := cmp.Diff(want, w.entries(o.id), whenever); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for range 30 {
		w.do(request{method: "GET", path: "/v1/events", token: o.tokens[author]}).want(200, "")
	}
	flush()
	list := w.entries(o.id)
	if n := len(list); n != 4 || list[3].(facts.AuditRead).Count != 30 {
		t.Errorf("%d entries, the last %+v", n, list[n-1])
	}
}

// Nothing of a request's own text gets into the journal.
func TestTheJournalHoldsNoSecrets(t *testing.T) {
	w := newWorld(t)
	o := w.register("O", approver)
	recording(t, w)
	const canary = "CANARYJ0URNAL"
	for _, r := range []request{
		{path: "/v1/strategies/" + canary + "/commands/add-goal", token: o.tokens[approver], body: `{"name":"` + canary + `"}`},
		{path: "/v1/strategies/" + uuid.NewString() + "/commands/add-goal", token: o.tokens[approver], body: `{"name":"` + canary + `"}`, key: canary + canary},
		{path: "/v1/strategies", token: canary, body: `{}`},
		{path: "/v1/strategies", token: canary + ".e30." + canary, body: `{}`},
		{method: "GET", path: "/v1/activity?actorId=" + canary, token: w.token(oidc.Claims{Organization: o.id, Subject: canary})},
	} {
		w.do(r)
	}
	events, err := w.log.Read(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	entries := 0
	for _, e := range events {
		if strings.HasPrefix(e.Type, "journal.") {
			entries++
			if text := fmt.Sprintf("%s %s", e.Data, e.Metadata); strings.Contains(text, canary) || strings.Contains(text, o.tokens[approver]) {
				t.Errorf("%s holds %s", e.Type, text)
			}
		}
	}
	if entries < 3 {
		t.Errorf("%d entries: it shows nothing", entries)
	}
}
