package rest_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"strata.dev/strata/adapters/countersign"
	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/ports/rest"
	"strata.dev/strata/ports/rest/resttest"
)

// matrix is a world with an organization of everything and everybody.
type matrix struct {
	*readWorld
	mine, other organization
	keys        map[string]sourceKey // of sources, by id
	values      resttest.Values      // ids of mine
	drawn       resttest.Values      // those that requests may name
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{readWorld: newReadWorld(t), keys: map[string]sourceKey{}}
	signer, err := countersign.Open(countersign.Options{KeyFile: filepath.Join(t.TempDir(), "countersign.key"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	m.options.Countersigner = signer
	sealWhatComes(t, m.log, &m.options)
	handler, err := rest.New(m.options)
	if err != nil {
		t.Fatal(err)
	}
	m.handler = resttest.Checked(t, handler)
	m.mine, m.other = m.everybody("Mine"), m.everybody("Other")
	m.mine.tokens["stranger"] = m.token(oidc.Claims{Organization: m.mine.id, Subject: "stranger"})
	m.mine.tokens["newcomer"] = m.member(m.mine, "newcomer", "person")
	m.mine.tokens["gone"] = m.gone(m.mine)
	m.mine.tokens[authz.Operator] = m.operator()
	m.values = m.things(m.mine)
	m.drawn = maps.Clone(m.values)
	// Nobody is granted a role, or loses one, while the cells are asked.
	delete(m.drawn, "memberId")
	delete(m.drawn, "grantId")
	return m
}

// everybody registers an organization with a member for each role.
func (m *matrix) everybody(name string) organization {
	o := m.register(name)
	o.tokens[authz.Administrator], o.tokens[authz.ComplianceOfficer] = o.tokens["admin"], o.tokens["officer"]
	for _, role := range authz.Grantable() {
		if o.tokens[role] == "" && role != authz.Integrator {
			m.enrol(o, role)
		}
	}
	o.tokens[authz.Integrator] = m.member(o, authz.Integrator, "service", authz.Integrator)
	return o
}

// member enrols somebody with the roles and gives their token.
func (m *matrix) member(o organization, name, kind string, roles ...string) string {
	m.t.Helper()
	id := m.do(request{
		path: "/v1/organization/commands/enrol-member", token: o.tokens["admin"],
		body: `{"issuer":"` + oidc.DevIssuer + `","subject":"` + name + `","kind":"` + kind + `"}`,
	}).want(http.StatusOK, "").str("memberId")
	for _, role := range roles {
		m.do(request{
			path: "/v1/organization/commands/grant-role", token: o.tokens["admin"],
			body: `{"memberId":"` + id + `","role":"` + role + `","ticketRef":"T-1"}`,
		}).want(http.StatusOK, "")
	}
	return m.token(oidc.Claims{Organization: o.id, Subject: name})
}

// gone is a member who has left, with a token that is good for an hour.
func (m *matrix) gone(o organization) string {
	m.t.Helper()
	token := m.member(o, "gone", "person", authz.Viewer, authz.Author)
	members := m.listed(o)
	m.do(request{
		path: "/v1/organization/commands/offboard-member", token: o.tokens["admin"],
		body: `{"memberId":"` + members[len(members)-1] + `","reason":"left"}`,
	}).want(http.StatusOK, "")
	return token
}

// listed are the ids of the members, the last enrolled one last.
func (m *matrix) listed(o organization) (ids []string) {
	m.t.Helper()
	for _, e := range m.recorded(o) {
		if kind, _ := e["type"].(string); strings.Contains(kind, "organization.member-enrolled") {
			ids = append(ids, e["data"].(map[string]any)["memberId"].(string))
		}
	}
	return ids
}

// things makes one of each, and names them as members of requests do.
func (m *matrix) things(o organization) resttest.Values {
	m.t.Helper()
	indicator, plan := m.indicator(o)
	m.do(request{
		path: indicator + "/commands/set-target", token: o.tokens[author],
		body: `{"period":{"start":"2025-01-01","end":"2025-12-31"},"value":"80","reason":"agreed"}`,
	}).want(200, "")
	measured := m.do(request{
		path: indicator + "/commands/record", token: o.tokens[owner],
		body: `{"period":{"start":"2025-01-01","end":"2025-12-31"},"value":"70.50"}`,
	}).want(200, "")
	found := m.do(request{
		path: "/v1/findings", token: o.tokens[authz.Auditor], body: `{"kind":"minor_nc","severity":"medium","title":"Not measured","condition":"No value",
			"criteria":"One a year","origin":"audit","subjects":[{"type":"indicator","id":"` + strings.TrimPrefix(indicator, "/v1/indicators/") + `"}]}`,
	}).want(http.StatusCreated, "").header.Get("Location")
	m.do(request{path: found + "/commands/assign", token: o.tokens[authz.Auditor], body: `{"ownerId":"` + m.holder(o, owner) + `"}`}).want(200, "")
	proof := m.evidence(o, "of "+uuid.NewString())
	key := newSourceKey(m.t)
	source := m.source(o, key, indicator)
	imported := m.do(request{
		path: "/v1/strategies/stratml", token: o.tokens[author], body: document("Imported " + uuid.NewString()), header: http.Header{"Content-Type": {"application/xml"}},
	}).want(http.StatusCreated, "")
	v := resttest.Values{
		"importId":   {imported.str("importId")},
		"strategyId": {strings.TrimPrefix(plan, "/v1/strategies/")}, "indicatorId": {strings.TrimPrefix(indicator, "/v1/indicators/")},
		"measurementId": {measured.str("measurementId")}, "memberId": m.listed(o),
		"findingId": {strings.TrimPrefix(found, "/v1/findings/")}, "evidenceId": {proof}, "evidenceIds": {proof}, "sourceId": {source},
		"ownerId": {m.holder(o, owner)}, "stewardId": {m.holder(o, authz.DataSteward)}, "publicKey": {key.public(), newSourceKey(m.t).public()},
		"mediaType": {"application/pdf", "text/html"}, "indicatorRef": {strings.TrimPrefix(indicator, "/v1/indicators/")},
	}
	v["id"] = []string{v["strategyId"][0], v["indicatorId"][0], source, proof} // of what something is about
	m.keys[source] = key
	for _, e := range m.recorded(o) {
		data, _ := e["data"].(map[string]any)
		for _, name := range []string{"goalId", "objectiveId", "grantId", "contentHash"} {
			if id, _ := data[name].(string); id != "" {
				v[name] = append(v[name], id)
			}
		}
		v["eventId"] = append(v["eventId"], e["id"].(string))
	}
	return v
}

// project brings the read side up to date, if it is not.
func (m *matrix) project() {
	m.t.Helper()
	head, err := m.log.Head(context.Background())
	if err != nil {
		m.t.Fatal(err)
	}
	at, err := m.plans.Checkpoint(context.Background())
	if err != nil {
		m.t.Fatal(err)
	}
	if at < head {
		m.readWorld.project()
	}
}

// document is a plan in StratML.
func document(name string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<StrategicPlan xmlns="urn:ISO:std:iso:17469:tech:xsd:stratml_core"><Name>` + name + `</Name>
<StrategicPlanCore><Organization><Name>Examples</Name></Organization>
<Goal><Name>Goal</Name><Objective><Name>Objective</Name></Objective></Goal></StrategicPlanCore>
<AdministrativeInformation/></StrategicPlan>`
}

// recorded are the organization's events, as the feed of the log itself has them.
func (m *matrix) recorded(o organization) []map[string]any {
	m.t.Helper()
	m.project()
	var events []map[string]any
	for after := ""; ; {
		a := m.do(request{method: "GET", path: "/v1/events?limit=200" + after, token: o.tokens["admin"]}).want(200, "")
		page := a.list()
		events = append(events, page...)
		if len(page) < 200 {
			return events
		}
		after = "&after=" + strings.TrimLeft(page[len(page)-1]["sequence"].(string), "0")
	}
}

// id is of what an operation's path is about.
func (m *matrix) id(op resttest.Operation) string {
	for prefix, name := range map[string]string{
		"/v1/strategies/": "strategyId", "/v1/indicators/": "indicatorId", "/v1/imports/": "importId", "/v1/operations/": "importId", "/v1/events/": "eventId",
		"/v1/findings/": "findingId", "/v1/evidence/": "evidenceId", "/v1/sources/": "sourceId", "/v1/measurements/": "measurementId",
		"/v1/attestations/": "eventId", "/v1/persons/": "memberId",
	} {
		if strings.HasPrefix(op.Path, prefix) {
			return m.values[name][0]
		}
	}
	return "no id"
}

// target fills an operation's path with things that are there.
func (m *matrix) target(op resttest.Operation) string {
	path := strings.NewReplacer("{id}", m.id(op), "{streamId}", "strategy-"+m.values["strategyId"][0], "{code}", "not-found", "{name}", "strategy.drafted.v1.json", "{file}", "index.html").Replace(op.Path)
	switch {
	case strings.HasSuffix(path, "/diff"):
		path += "?from=0&to=1"
	case op.ID == "registerEvidence":
		path += "?kind=document"
	}
	return path
}

// ask sends what fits the contract, so that who asks is what decides.
func (m *matrix) ask(op resttest.Operation, token string) answer {
	m.t.Helper()
	r := request{method: op.Method, path: m.target(op), token: token}
	switch {
	case op.ID == "approveStrategy": // each role has a meaning of its own
		r.body = `{"contentHash":"` + strings.Repeat("0", 64) + `","meaning":"business"}`
		if token == m.mine.tokens[authz.ComplianceOfficer] {
			r.body = strings.Replace(r.body, "business", "compliance", 1)
		}
	case op.Body != nil:
		r.body = text(m.t, rapid.Custom(func(t *rapid.T) any { return m.drawn.Draw(t, op.Body, "", false) }).Example(1))
	case op.Media != "":
		r.header, r.body = http.Header{"Content-Type": {op.Media}}, document(uuid.NewString())
	}
	return m.until(op, r)
}

// until ends a stream when it has begun.
func (m *matrix) until(op resttest.Operation, r request) answer {
	if op.ID == "streamEvents" {
		r.method = http.MethodHead
	}
	return m.do(r)
}

// Every operation of the contract × everybody there is: a new operation fails
// this test until somebody has said who it is for.
func TestWhoMayDoWhat(t *testing.T) {
	m := newMatrix(t)
	said := slices.Concat(slices.Collect(maps.Keys(commandsOf)), slices.Collect(maps.Keys(readers)), open, signed, []string{"countersign"})
	cells := 0
	for _, op := range resttest.Operations(t) {
		said = slices.DeleteFunc(said, func(id string) bool { return id == op.ID })
		if _, ok := allowed(op.ID, authz.Author); !ok {
			t.Errorf("nobody has said who %s (%s %s) is for", op.ID, op.Method, op.Path)
			continue
		}
		if slices.Contains(open, op.ID) != op.Public {
			t.Errorf("%s: the contract asks for a token: %v", op.ID, !op.Public)
		}
		for who, token := range m.mine.tokens {
			cells++
			m.cell(op, who, token)
		}
		if op.Public {
			continue
		}
		if a := m.ask(op, ""); a.status != http.StatusUnauthorized || a.header.Get("Www-Authenticate") == "" {
			t.Errorf("%s without a token: %d %s", op.ID, a.status, a.body)
		}
		m.foreign(op)
	}
	if len(said) > 0 {
		t.Errorf("the contract has no operations %v", said)
	}
	t.Logf("%d cells", cells)
}

// cell is one operation asked for by one of its own organization.
func (m *matrix) cell(op resttest.Operation, who, token string) {
	m.t.Helper()
	a := m.ask(op, token)
	role := who
	switch who {
	case "admin":
		role = authz.Administrator
	case "officer":
		role = authz.ComplianceOfficer
	}
	yes, _ := allowed(op.ID, role)
	rule := a.rule()
	switch {
	case a.status >= http.StatusInternalServerError && a.status != http.StatusServiceUnavailable:
		m.t.Errorf("%s as %s: %d %s", op.ID, who, a.status, a.body)
	case op.Signed:
		if a.status != http.StatusUnauthorized {
			m.t.Errorf("%s takes the token of %s: %d %s", op.ID, who, a.status, a.body)
		}
	case op.Public || yes:
		// Past the question who may: whatever is wrong now is wrong with the request.
		if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden && slices.Contains([]string{"", "role", "membership", "operator"}, rule) {
			m.t.Errorf("%s is refused to %s: %d %s", op.ID, who, a.status, a.body)
		}
	default:
		if op.ID == "recordMeasurements" && a.status == http.StatusOK {
			m.refusedItems(who, a)
			return
		}
		if a.status != http.StatusForbidden || len(a.body) > 0 && !slices.Contains([]string{"role", "membership", "operator", "S12"}, rule) {
			m.t.Errorf("%s is not refused to %s: %d %s", op.ID, who, a.status, a.body)
		}
	}
}

// refusedItems: a batch is answered item by item.
func (m *matrix) refusedItems(who string, a answer) {
	m.t.Helper()
	for _, item := range a.json()["items"].([]any) {
		problem, _ := item.(map[string]any)["problem"].(map[string]any)
		if problem["code"] != "forbidden" {
			m.t.Errorf("an item of a batch is not refused to %s: %v", who, item)
		}
	}
}

// foreign asks as the one of another organization who could do it there: what is
// not theirs is not there, and nothing of it is told.
func (m *matrix) foreign(op resttest.Operation) {
	m.t.Helper()
	for role, token := range m.other.tokens {
		if yes, _ := allowed(op.ID, role); !yes {
			continue
		}
		a := m.ask(op, token)
		for _, ids := range m.values {
			for _, id := range ids {
				if own := strings.ReplaceAll(string(a.body), m.id(op), ""); op.Method == http.MethodGet && len(id) == 36 && strings.Contains(own, id) {
					m.t.Errorf("%s tells %s of another organization about %s: %s", op.ID, role, id, a.body)
				}
			}
		}
		if strings.Contains(op.Path, "{id}") && a.status != http.StatusNotFound {
			m.t.Errorf("%s of another organization, as %s: %d %s", op.ID, role, a.status, a.body)
		}
		return
	}
}

func (a answer) rule() string {
	if a.status < http.StatusBadRequest || len(a.body) == 0 {
		return ""
	}
	return a.str("rule")
}

// list is an answer that is a JSON array of objects.
func (a answer) list() []map[string]any {
	a.t.Helper()
	var v []map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil {
		a.t.Fatalf("%v in %d %s", err, a.status, a.body)
	}
	return v
}
