package rest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/domain/authz"
)

// last is the data of the last event of a type.
func (w *world) last(o organization, kind string) (id string, data map[string]any) {
	w.t.Helper()
	events, err := w.log.Read(w.t.Context(), 0, 100_000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		if e.OrganizationID != o.id || e.Type != kind {
			continue
		}
		id, data = e.ID.String(), nil
		if err := json.Unmarshal(e.Data, &data); err != nil {
			w.t.Fatal(err)
		}
	}
	if id == "" {
		w.t.Fatalf("there is no event %s", kind)
	}
	return id, data
}

// inForce submits, approves and activates a strategy.
func (w *world) inForce(o organization, plan string) {
	w.t.Helper()
	w.do(request{path: plan + "/commands/submit", token: o.tokens[author], body: `{}`}).want(200, "")
	_, submitted := w.last(o, "strategy.submitted")
	hash := `"contentHash":"` + submitted["contentHash"].(string) + `"`
	w.do(request{path: plan + "/commands/approve", token: o.tokens[approver], body: `{` + hash + `,"meaning":"business"}`}).want(200, "")
	w.do(request{path: plan + "/commands/approve", token: o.tokens["officer"], body: `{` + hash + `,"meaning":"compliance"}`}).want(200, "")
	w.do(request{path: plan + "/commands/activate", token: o.tokens["officer"], body: `{` + hash + `,"meaning":"activation"}`}).want(200, "")
}

// TestReports: what auditors, compliance officers and operators ask, of a plan
// that was attested and changed afterwards.
func TestReports(t *testing.T) {
	w := newReadWorld(t)
	recording(t, w.world) // the first of a kind is written at once
	o, others := w.register("Examples", author, approver, owner, authz.Auditor), w.register("Others", authz.Auditor)
	indicator, plan := w.indicator(o)
	w.do(request{
		path: indicator + "/commands/set-target", token: o.tokens[author],
		body: `{"period":{"start":"2024-01-01","end":"2024-12-31"},"value":"80","reason":"agreed"}`,
	}).want(200, "")
	measurement := w.do(request{
		path: indicator + "/commands/record", token: o.tokens[owner],
		body: `{"period":{"start":"2024-01-01","end":"2024-12-31"},"value":"70.50"}`,
	}).want(200, "").str("measurementId")
	w.do(request{path: plan + "/commands/submit", token: o.tokens[author], body: `{}`}).want(200, "")
	_, submitted := w.last(o, "strategy.submitted")
	own := `{"contentHash":"` + submitted["contentHash"].(string) + `","meaning":"business"}`
	w.do(request{path: plan + "/commands/approve", token: o.tokens[author], body: own}).want(403, "forbidden") // not even an approver
	w.do(request{path: plan + "/commands/request-changes", token: o.tokens[approver], body: `{"contentHash":"` + submitted["contentHash"].(string) + `","comments":"Once more"}`}).want(200, "")
	w.inForce(o, plan)
	w.do(request{
		path: plan + "/commands/attest-period", token: o.tokens[approver],
		body: `{"period":{"start":"2024-01-01","end":"2024-12-31"},"statement":"These are the numbers","meaning":"attestation"}`,
	}).want(200, "")
	attestation, _ := w.last(o, "strategy.period-attested")
	w.do(request{path: indicator + "/commands/correct", token: o.tokens[owner], body: `{"measurementId":"` + measurement + `","value":"71","reason":"counted again"}`}).want(200, "")
	w.do(request{path: indicator + "/commands/record", token: o.tokens[owner], body: `{"period":{"start":"2023-01-01","end":"2023-12-31"},"value":"72"}`}).want(200, "")
	// Nobody grants themselves a role.
	w.do(request{path: "/v1/organization/commands/grant-role", token: o.tokens["admin"], body: `{"memberId":"` + w.member(o, "admin") + `","role":"viewer"}`}).want(403, "forbidden")
	w.project()

	get := func(path, role string) answer {
		t.Helper()
		return w.do(request{method: http.MethodGet, path: path, token: o.tokens[role]})
	}
	strategyID := strings.TrimPrefix(plan, "/v1/strategies/")
	t.Run("attestations", func(t *testing.T) {
		for query, want := range map[string]int{"": 1, "?strategyId=" + strategyID: 1, "?strategyId=" + uuid.NewString(): 0} {
			if got := w.items(t, "/v1/attestations"+query, o.tokens[owner]); len(got) != want {
				t.Errorf("%s: %v", query, got)
			}
		}
		one := w.items(t, "/v1/attestations", o.tokens[owner])[0]
		if one["id"] != attestation || one["statement"] != "These are the numbers" || one["strategyId"] != strategyID || one["attesterId"] != w.holder(o, approver) {
			t.Errorf("%v", one)
		}
		changes := w.items(t, "/v1/attestations/"+attestation+"/changes?limit=1", o.tokens[owner])
		if len(changes) != 1 || changes[0]["type"] != "indicator.measurement-corrected" || changes[0]["reason"] != "counted again" {
			t.Errorf("%v", changes)
		}
		for _, id := range []string{uuid.NewString(), measurement} {
			get("/v1/attestations/"+id+"/changes", owner).want(404, "not-found")
		}
		w.do(request{method: http.MethodGet, path: "/v1/attestations/" + attestation + "/changes", token: others.tokens[authz.Auditor]}).want(404, "not-found")
		if got := w.items(t, "/v1/attestations", others.tokens[authz.Auditor]); len(got) != 0 {
			t.Errorf("%v", got)
		}
	})
	t.Run("the journal", func(t *testing.T) {
		get("/v1/journal", owner).want(403, "forbidden")
		for query, want := range map[string]int{"?kind=command-denied": 2, "?kind=command-denied&rule=S5": 1, "?rule=S1": 0, "?kind=reminded": 0, "?kind=command-denied&limit=1": 2, "?actorId=" + w.member(o, "admin"): 1} {
			if got := w.items(t, "/v1/journal"+query, o.tokens["officer"]); len(got) != want {
				t.Errorf("%s: %d entries, want %d: %v", query, len(got), want, got)
			}
		}
		entry := w.items(t, "/v1/journal?rule=S5", o.tokens[authz.Auditor])[0]
		if entry["what"] != authz.GrantRole || entry["actorId"] != w.member(o, "admin") || entry["count"] != 1.0 {
			t.Errorf("%v", entry)
		}
		for _, bad := range []string{"kind=gossip", "rule=%00", "from=yesterday", "limit=0"} {
			get("/v1/journal?"+bad, authz.Auditor).want(422, "validation-failed")
		}
		if got := w.items(t, "/v1/journal?kind=command-denied", others.tokens[authz.Auditor]); len(got) != 0 {
			t.Errorf("%v", got)
		}
	})
	t.Run("segregation", func(t *testing.T) {
		get("/v1/segregation", owner).want(403, "forbidden")
		report := get("/v1/segregation?dormantDays=1", "officer").want(200, "").json()
		misses := report["nearMisses"].([]any)
		if len(misses) != 1 || misses[0].(map[string]any)["rule"] != "S5" || misses[0].(map[string]any)["command"] != authz.GrantRole {
			t.Errorf("%v", misses)
		}
		if later := get("/v1/segregation?from=2999-01-01T00:00:00Z", "officer").want(200, "").json(); len(later["nearMisses"].([]any)) != 0 {
			t.Errorf("%v", later)
		}
		for _, bad := range []string{"dormantDays=0", "dormantDays=3651", "to=x"} {
			get("/v1/segregation?"+bad, "officer").want(422, "validation-failed")
		}
	})
	t.Run("persons", func(t *testing.T) {
		writer := w.holder(o, author)
		get("/v1/persons/"+writer, author).want(403, "forbidden") // not even about oneself
		p := get("/v1/persons/"+writer, authz.Auditor).want(200, "")
		as := map[string]bool{}
		for _, act := range p.json()["acts"].([]any) {
			as[act.(map[string]any)["as"].(string)] = true
		}
		if !as["author"] || p.str("id") != writer {
			t.Errorf("%s", p.body)
		}
		subject := p.json()["subjectIds"].([]any)[0].(string)
		if other := get("/v1/persons/"+subject, "officer").want(200, ""); other.json()["enrolments"].([]any)[0].(map[string]any)["memberId"] != writer {
			t.Errorf("%s", other.body)
		}
		get("/v1/persons/"+uuid.NewString(), "officer").want(404, "not-found")
		for _, id := range []string{writer, subject} {
			w.do(request{method: http.MethodGet, path: "/v1/persons/" + id, token: others.tokens[authz.Auditor]}).want(404, "not-found")
		}
	})
	t.Run("where a number comes from", func(t *testing.T) {
		p := get("/v1/measurements/"+measurement+"/provenance", owner).want(200, "").json()
		steps := p["steps"].([]any)
		if len(steps) != 2 || steps[0].(map[string]any)["type"] != "indicator.measurement-recorded" || steps[1].(map[string]any)["reason"] != "counted again" {
			t.Errorf("%v", p)
		}
	})
	t.Run("the system", func(t *testing.T) {
		if s := get("/v1/system", owner).want(200, ""); s.header.Get("Strata-Position") != s.str("position") || s.str("version") != "test" {
			t.Errorf("%v %s", s.header, s.body)
		}
	})
}
