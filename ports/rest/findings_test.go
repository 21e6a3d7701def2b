package rest_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strata.dev/strata/adapters/countersign"
	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/ports/rest"
)

// raise gives the path of a new finding about an indicator.
func (w *world) raise(o organization, indicatorPath, severity string) string {
	w.t.Helper()
	return w.do(request{
		path: "/v1/findings", token: o.tokens[authz.Auditor],
		body: `{"kind":"minor_nc","severity":"` + severity + `","title":"Not measured","condition":"No value since January","criteria":"One a quarter",
			"cause":"Nobody was there","origin":"audit","subjects":[{"type":"indicator","id":"` + strings.TrimPrefix(indicatorPath, "/v1/indicators/") + `"}]}`,
	}).want(http.StatusCreated, "").header.Get("Location")
}

// assigned gives the path of one that its indicator owner answers for.
func (w *world) assigned(o organization, indicatorPath, severity string) string {
	w.t.Helper()
	path := w.raise(o, indicatorPath, severity)
	w.do(request{path: path + "/commands/assign", token: o.tokens[authz.Auditor], body: `{"ownerId":"` + w.holder(o, owner) + `"}`}).want(200, "")
	return path
}

func day(after time.Duration) string { return time.Now().UTC().Add(after).Format(time.DateOnly) }

// TestAFindingFromBeginningToEnd: raised, assigned, planned, submitted, returned,
// submitted again and closed, each by who may, with what the reads say of it.
func TestAFindingFromBeginningToEnd(t *testing.T) {
	w := newReadWorld(t)
	o, others := w.register("Examples", author, owner, authz.Auditor), w.register("Others", authz.Auditor)
	indicator, plan := w.indicator(o)
	owning := w.holder(o, owner)
	path := w.raise(o, indicator, "medium")
	do := func(role, command, body string) answer {
		t.Helper()
		return w.do(request{path: path + "/commands/" + command, token: o.tokens[role], body: body})
	}

	do(authz.Auditor, "assign", `{"ownerId":"`+w.holder(o, author)+`"}`).want(409, "invariant-violated") // could not respond
	do(authz.Auditor, "assign", `{"ownerId":"`+owning+`","dueDate":"`+day(300*24*time.Hour)+`"}`).want(409, "invariant-violated")
	do(authz.Auditor, "assign", `{"ownerId":"`+owning+`"}`).want(200, "")
	do("officer", "reclassify", `{"severity":"high","reason":"It is more than that"}`).want(200, "")
	do("officer", "reclassify", `{"reason":"As it is"}`).want(409, "invariant-violated")

	planned := do(owner, "plan-remediation", `{"response":"agree","actions":[
		{"text":"Measure","dueDate":"`+day(24*time.Hour)+`","ownerId":"`+owning+`"},{"text":"Tell","dueDate":"`+day(48*time.Hour)+`","ownerId":"`+owning+`"}]}`).want(200, "")
	actions := planned.json()["actionIds"].([]any)
	if len(actions) != 2 || actions[0] == actions[1] {
		t.Fatalf("%s", planned.body)
	}
	done := `{"actionsDone":["` + actions[0].(string) + `"],"statement":"Measured","evidenceIds":["` + w.evidence(o, "the measurements") + `"]}`
	do(owner, "submit-remediation", strings.Replace(done, `"evidenceIds":["`, `"evidenceIds":["0198c0de-0000-7000-8000-00000000000a","`, 1)).want(409, "invariant-violated")
	do(owner, "submit-remediation", done).want(200, "")
	do("officer", "close", `{"resolution":"remediated","effectivenessCheck":"Looked","meaning":"closure"}`).want(403, "forbidden") // an audit found it
	do(authz.Auditor, "return", `{"reason":"insufficient","comments":"And the other?"}`).want(200, "")
	do(owner, "submit-remediation", done).want(200, "")
	stale := w.token(oidc.Claims{Organization: o.id, Subject: authz.Auditor, AuthAt: ago(10 * time.Minute)})
	if a := w.do(request{path: path + "/commands/close", token: stale, body: `{"resolution":"remediated","effectivenessCheck":"Looked","meaning":"closure"}`}).want(403, "forbidden"); a.str("rule") != "S11" {
		t.Errorf("%s", a.body)
	}

	w.project()
	get := func(path string, header ...string) answer {
		t.Helper()
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return w.do(request{method: http.MethodGet, path: path, token: o.tokens[authz.Auditor], header: h})
	}
	before := get(path).want(200, "")
	if f := before.json(); f["state"] != "submitted" || f["severity"] != "high" || f["ownerId"] != owning || f["cause"] != "Nobody was there" || f["overdue"] != false {
		t.Errorf("%s", before.body)
	}
	if f := before.json(); len(f["submissions"].([]any)) != 2 || len(f["returns"].([]any)) != 1 || f["remediation"].(map[string]any)["actions"].([]any)[0].(map[string]any)["done"] != true {
		t.Errorf("%s", before.body)
	}
	get(path, "If-None-Match", before.header.Get("Etag")).want(304, "")

	// As it stands the tag of a read is a precondition of a command.
	closing := request{
		path: path + "/commands/close", token: o.tokens[authz.Auditor], match: `"1"`,
		body: `{"resolution":"remediated","effectivenessCheck":"Looked at the numbers","meaning":"closure"}`,
	}
	if a := w.do(closing).want(412, "stale-revision"); a.str("currentRevision") != before.str("version") {
		t.Errorf("%s", a.body)
	}
	closing.match = before.header.Get("Etag")
	w.do(closing).want(200, "")
	w.project()
	after := get(path, "If-None-Match", before.header.Get("Etag")).want(200, "")
	if f := after.json(); f["state"] != "closed" || f["resolution"] != "remediated" {
		t.Errorf("%s", after.body)
	}

	t.Run("its history", func(t *testing.T) {
		var types []string
		for _, e := range w.items(t, path+"/history?limit=3", o.tokens[authz.Auditor]) {
			types = append(types, e["type"].(string))
		}
		want := "finding.raised finding.assigned finding.reclassified finding.remediation-planned finding.remediation-submitted finding.returned finding.remediation-submitted finding.closed"
		if got := strings.Join(types, " "); got != want {
			t.Errorf("got %s", got)
		}
		last := w.items(t, path+"/history?types=finding.closed", o.tokens[authz.Auditor])
		if signature, _ := last[0]["signature"].(map[string]any); signature["meaning"] != "closure" {
			t.Errorf("%v", last)
		}
	})
	t.Run("the board", func(t *testing.T) {
		second := w.assigned(o, indicator, "critical")
		w.project()
		token := o.tokens[authz.Auditor]
		for query, want := range map[string]int{
			"": 2, "?state=closed": 1, "?state=open,assigned": 1, "?state=planned": 0, "?severity=high,critical": 2, "?severity=low": 0, "?origin=audit": 2, "?origin=breach": 0,
			"?ownerId=" + owning: 2, "?overdue=true": 0, "?overdue=false&state=assigned": 1, "?expiringWithin=30": 0, "?limit=1": 2,
			"?indicatorId=" + strings.TrimPrefix(indicator, "/v1/indicators/"): 2, "?strategyId=" + strings.TrimPrefix(plan, "/v1/strategies/"): 0,
		} {
			if got := w.items(t, "/v1/findings"+query, token); len(got) != want {
				t.Errorf("%s: %d findings, want %d: %v", query, len(got), want, got)
			}
		}
		board := get("/v1/findings?count=exact").want(200, "").json()
		if board["total"] != 2.0 || len(board["counts"].([]any)) != 2 || "/v1/findings/"+board["items"].([]any)[1].(map[string]any)["id"].(string) != second {
			t.Errorf("%v", board)
		}
		for _, bad := range []string{"state=solved", "state=open,open,open,open,open,open,open", "severity=", "overdue=yes", "expiringWithin=-1", "expiringWithin=3661", "ownerId=me", "colour=red"} {
			get("/v1/findings?"+bad).want(422, "validation-failed")
		}
	})
	t.Run("others see nothing of it", func(t *testing.T) {
		token := others.tokens[authz.Auditor]
		for _, what := range []string{path, path + "/history"} {
			w.do(request{method: http.MethodGet, path: what, token: token}).want(404, "not-found")
		}
		w.do(request{path: path + "/commands/reclassify", token: token, body: `{"severity":"low","reason":"Ours"}`}).want(404, "not-found")
		if list := w.items(t, "/v1/findings", token); len(list) != 0 {
			t.Errorf("%v", list)
		}
	})
}

// TestARiskIsAcceptedByTwo: of a critical finding, with the token of the second
// in the header, and for exactly this request.
func TestARiskIsAcceptedByTwo(t *testing.T) {
	signer, err := countersign.Open(countersign.Options{KeyFile: filepath.Join(t.TempDir(), "countersign.key"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *rest.Options) { o.Countersigner = signer })
	o := w.register("Examples", author, owner, authz.Auditor, authz.RiskAcceptor)
	member := w.do(request{
		path: "/v1/organization/commands/enrol-member", token: o.tokens["admin"],
		body: `{"issuer":"` + oidc.DevIssuer + `","subject":"second","kind":"person"}`,
	}).want(200, "").str("memberId")
	w.do(request{path: "/v1/organization/commands/grant-role", token: o.tokens["admin"], body: `{"memberId":"` + member + `","role":"risk_acceptor"}`}).want(200, "")
	second := w.token(oidc.Claims{Organization: o.id, Subject: "second"})

	indicator, _ := w.indicator(o)
	path := w.assigned(o, indicator, "critical") + "/commands/accept-risk"
	body := `{"justification":"It ends soon anyway","expiresOn":"` + day(30*24*time.Hour) + `","meaning":"risk-acceptance"}`
	accept := func(token string) answer {
		t.Helper()
		r := request{path: path, token: o.tokens[authz.RiskAcceptor], body: body, header: http.Header{}}
		if token != "" {
			r.header.Set("Strata-Countersignature", token)
		}
		return w.do(r)
	}
	agree := func(token, body string) string {
		t.Helper()
		return w.do(request{path: "/v1/countersignatures", token: token, body: `{"method":"POST","path":"` + path + `","meaning":"I agree","body":` + body + `}`}).want(200, "").str("token")
	}

	if a := accept("").want(403, "forbidden"); a.str("rule") != "S7" {
		t.Errorf("%s", a.body)
	}
	accept("not a token").want(422, "countersignature-refused")
	accept(agree(second, strings.Replace(body, "soon", "later", 1))).want(403, "forbidden")              // to another request
	if a := accept(agree(o.tokens[authz.Auditor], body)).want(403, "forbidden"); a.str("rule") != "S7" { // who may not
		t.Errorf("%s", a.body)
	}
	if a := accept(agree(o.tokens[authz.RiskAcceptor], body)).want(403, "forbidden"); a.str("rule") != "S7" { // oneself
		t.Errorf("%s", a.body)
	}
	accept(agree(second, body)).want(200, "")

	events, err := w.log.Read(t.Context(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	last := events[len(events)-1]
	if last.Type != "finding.risk-accepted" || !strings.Contains(string(last.Data), member) || !strings.Contains(string(last.Metadata), `"countersignature"`) {
		t.Errorf("%s %s %s", last.Type, last.Data, last.Metadata)
	}
}

// TestFindingsThatAreNotAcceptable: what a body must not say.
func TestFindingsThatAreNotAcceptable(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author, owner, authz.Auditor)
	indicator, _ := w.indicator(o)
	subject := `[{"type":"indicator","id":"` + strings.TrimPrefix(indicator, "/v1/indicators/") + `"}]`
	good := `{"kind":"observation","severity":"low","title":"T","condition":"C","criteria":"C","origin":"audit","subjects":` + subject + `}`
	for what, change := range map[string][2]string{
		"an origin of the service":  {`"origin":"audit"`, `"origin":"breach"`},
		"a key of the service":      {`"kind"`, `"dedupeKey":"breach:x","kind"`},
		"no subject":                {subject, `[]`},
		"a subject twice over":      {subject, `[` + strings.Repeat(subject[1:len(subject)-1]+",", 200) + subject[1:]},
		"a subject of another kind": {`"type":"indicator"`, `"type":"person"`},
		"no such severity":          {`"low"`, `"grave"`},
		"an empty title":            {`"title":"T"`, `"title":""`},
		"a title that is too long":  {`"title":"T"`, `"title":"` + strings.Repeat("T", 2001) + `"`},
	} {
		t.Run(what, func(t *testing.T) {
			bad := strings.Replace(good, change[0], change[1], 1)
			if bad == good {
				t.Fatal("nothing was changed")
			}
			w.do(request{path: "/v1/findings", token: o.tokens[authz.Auditor], body: bad}).want(422, "validation-failed")
		})
	}
	unknown := strings.Replace(good, strings.TrimPrefix(indicator, "/v1/indicators/"), "0198c0de-0000-7000-8000-00000000000a", 1)
	if a := w.do(request{path: "/v1/findings", token: o.tokens[authz.Auditor], body: unknown}).want(409, "invariant-violated"); a.str("rule") != "subject-exists" {
		t.Errorf("%s", a.body)
	}
	w.do(request{path: "/v1/findings", token: o.tokens[authz.Auditor], body: good}).want(201, "")
	w.do(request{path: "/v1/findings/0198c0de-0000-7000-8000-00000000000a/commands/return", token: o.tokens[authz.Auditor], body: `{"reason":"ineffective","comments":"No"}`}).want(404, "not-found")
	w.do(request{path: "/v1/findings/x/commands/return", token: o.tokens[authz.Auditor], body: `{"reason":"ineffective","comments":"No"}`}).want(404, "not-found")
}
