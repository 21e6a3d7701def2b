package rest_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/ports/rest/resttest"
)

func TestOneStory(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author, approver, owner)
	indicator, plan := w.indicator(o)

	w.do(request{
		path: indicator + "/commands/set-target", token: o.tokens[author],
		body: `{"period":{"start":"2025-01-01","end":"2025-12-31"},"value":"80","reason":"agreed"}`,
	}).want(200, "")
	a := w.do(request{
		path: indicator + "/commands/record", token: o.tokens[owner],
		body: `{"period":{"start":"2025-01-01","end":"2025-12-31"},"value":"5.90"}`,
	}).want(200, "")
	measurement := a.str("measurementId")
	if measurement == "" || a.header.Get("Etag") != `"`+a.str("version")+`"` || a.header.Get("Strata-Position") != a.str("position") {
		t.Errorf("headers and body disagree: %v %s", a.header, a.body)
	}
	w.do(request{
		path: indicator + "/commands/correct", token: o.tokens[owner], match: a.header.Get("Etag"),
		body: `{"measurementId":"` + measurement + `","value":"6.1","reason":"typo"}`,
	}).want(200, "")

	submitted := w.do(request{path: plan + "/commands/submit", token: o.tokens[author], body: `{}`}).want(200, "")
	if submitted.json()["revision"] != 1.0 {
		t.Errorf("revision %v, want 1", submitted.json()["revision"])
	}
	history := w.do(request{method: "GET", path: plan + "/events", token: o.tokens[author]}).want(200, "")
	items := history.json()["items"].([]any)
	last := items[len(items)-1].(map[string]any)
	if last["type"] != "strategy.submitted" {
		t.Fatalf("the last event is %v", last["type"])
	}
	hash := last["data"].(map[string]any)["contentHash"].(string)

	// Its author may not approve it, whatever the token says.
	w.do(request{
		path: plan + "/commands/approve", token: o.tokens[author],
		body: `{"contentHash":"` + hash + `","meaning":"business"}`,
	}).want(403, "forbidden")
	// Signing asks for a fresh sign-in (S11).
	stale := w.token(oidc.Claims{Organization: o.id, Subject: approver, AuthAt: ago(10 * 60e9)})
	if got := w.do(request{
		path: plan + "/commands/approve", token: stale,
		body: `{"contentHash":"` + hash + `","meaning":"business"}`,
	}).want(403, "forbidden").str("rule"); got != "S11" {
		t.Errorf("rule %q, want S11", got)
	}
	w.do(request{
		path: plan + "/commands/approve", token: o.tokens[approver],
		body: `{"contentHash":"` + hash + `","meaning":"business"}`,
	}).want(200, "")
}

func TestEveryOperationNeedsAToken(t *testing.T) {
	w := newWorld(t)
	contract := resttest.Contract(t)
	seen := 0
	for path, item := range contract.Paths.Map() {
		for method, operation := range item.Operations() {
			public := operation.Security != nil && len(*operation.Security) == 0
			target := strings.NewReplacer("{id}", uuid.NewString(), "{code}", "not-found", "{name}", "a.b.v1.json").Replace(path)
			a := w.do(request{method: method, path: target, body: `{}`})
			switch {
			case public && a.status == http.StatusUnauthorized:
				t.Errorf("%s %s asks for a token", method, path)
			case !public:
				seen++
				a.want(http.StatusUnauthorized, "unauthenticated")
				if slices.Contains(signed, operation.OperationID) {
					if got := a.header.Get("Www-Authenticate"); got != `Strata-Signature realm="strata"` {
						t.Errorf("%s %s: WWW-Authenticate %q", method, path, got)
					}
					continue
				}
				if got := a.header.Get("Www-Authenticate"); got != `Bearer realm="strata"` {
					t.Errorf("%s %s: WWW-Authenticate %q", method, path, got)
				}
				a = w.do(request{method: method, path: target, body: `{}`, token: "x.y.z"}).want(http.StatusUnauthorized, "unauthenticated")
				if got := a.header.Get("Www-Authenticate"); !strings.Contains(got, `error="invalid_token"`) {
					t.Errorf("%s %s: WWW-Authenticate %q", method, path, got)
				}
			}
		}
	}
	if seen < 35 {
		t.Errorf("only %d operations need a token", seen)
	}
}

func TestOperatorsAndMembersKeepToTheirOwn(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author)
	w.do(request{path: "/v1/organizations", token: o.tokens["admin"], body: `{}`}).want(403, "forbidden")
	w.do(request{path: "/v1/strategies", token: w.operator(), body: `{"frame":{"name":"x"}}`}).want(403, "forbidden")
	w.do(request{method: "GET", path: "/v1/events", token: w.operator()}).want(403, "forbidden")

	stranger := w.token(oidc.Claims{Organization: o.id, Subject: "stranger"})
	w.do(request{path: "/v1/strategies", token: stranger, body: `{"frame":{"name":"x"}}`}).want(403, "forbidden")
}

func TestAnotherOrganizationsThingsDoNotExist(t *testing.T) {
	w := newWorld(t)
	ours, theirs := w.register("Ours", author, owner), w.register("Theirs", author, owner)
	indicator, plan := w.indicator(ours)
	before, err := w.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for path, body := range map[string]string{
		plan + "/commands/add-goal":    `{"name":"Goal"}`,
		plan + "/commands/submit":      `{}`,
		indicator + "/commands/record": `{"period":{"start":"2025-01-01","end":"2025-12-31"},"value":"1"}`,
		indicator + "/commands/retire": `{"reason":"because"}`,
	} {
		token := theirs.tokens[author]
		if strings.HasSuffix(path, "record") {
			token = theirs.tokens[owner]
		}
		w.do(request{path: path, token: token, body: body}).want(404, "not-found")
	}
	w.do(request{method: "GET", path: plan + "/events", token: theirs.tokens[author]}).want(404, "not-found")
	if after, err := w.log.Head(t.Context()); err != nil || after != before {
		t.Errorf("%d events were recorded (%v)", after-before, err)
	}
	feed := w.do(request{method: "GET", path: "/v1/events?after=0", token: theirs.tokens[author]}).want(200, "")
	if bytes.Contains(feed.body, []byte(ours.id.String())) || !bytes.Contains(feed.body, []byte(theirs.id.String())) {
		t.Errorf("the feed of one organization holds the other's: %s", feed.body)
	}
}

func TestARepetitionGetsTheFirstAnswer(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author, owner)
	indicator, plan := w.indicator(o)
	for _, r := range []request{
		{path: "/v1/strategies", token: o.tokens[author], body: `{"frame":{"name":"Another"}}`},
		{path: plan + "/commands/add-goal", token: o.tokens[author], body: `{"name":"Second"}`},
		{path: indicator + "/commands/record", token: o.tokens[owner], body: `{"period":{"start":"2025-01-01","end":"2025-12-31"},"value":"1"}`},
	} {
		t.Run(r.path, func(t *testing.T) {
			r.key = uuid.NewString()
			first := w.do(r)
			if first.status >= 300 || first.header.Get("Idempotent-Replayed") != "" {
				t.Fatalf("first answer %d %s", first.status, first.body)
			}
			// The stream moves on; white space and quotes around the key do not matter.
			if strings.Contains(r.path, "/commands/add-goal") {
				w.do(request{path: r.path, token: r.token, body: `{"name":"Third"}`}).want(200, "")
			}
			again := r
			again.key, again.body = `"`+r.key+`"`, " "+r.body+" "
			second := w.do(again)
			if second.status != first.status || !bytes.Equal(second.body, first.body) {
				t.Errorf("repetition %d %s\nfirst      %d %s", second.status, second.body, first.status, first.body)
			}
			for _, name := range []string{"Etag", "Location", "Strata-Position"} {
				if second.header.Get(name) != first.header.Get(name) {
					t.Errorf("%s is %q, was %q", name, second.header.Get(name), first.header.Get(name))
				}
			}
			if second.header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("the repetition is not marked")
			}
			other := r
			other.body = strings.Replace(r.body, `":"`, `":" `, 1)
			other.body = strings.Replace(other.body, " 2025", "2025", 1)
			if other.body == r.body {
				other.body = strings.Replace(r.body, `"1"`, `"2"`, 1)
			}
			w.do(other).want(422, "idempotency-key-reused")
		})
	}
}

func TestSomebodyElseWasFaster(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author)
	plan := w.draft(o)
	seen := w.do(request{path: plan + "/commands/add-goal", token: o.tokens[author], body: `{"name":"One"}`, match: `"1"`}).
		want(200, "").header.Get("Etag")
	for _, match := range []string{`W/"2"`, `"2-gzip"`, `"2-0a1b2c3d"`} {
		w.do(request{
			path: plan + "/commands/retire-goal", token: o.tokens[author], match: match,
			body: `{"goalId":"` + uuid.NewString() + `","reason":"none"}`,
		}).want(409, "invariant-violated") // past the precondition
	}
	w.do(request{path: plan + "/commands/add-goal", token: o.tokens[author], body: `{"name":"Two"}`, match: seen}).want(200, "")
	a := w.do(request{path: plan + "/commands/add-goal", token: o.tokens[author], body: `{"name":"Three"}`, match: seen}).want(412, "stale-revision")
	if a.str("currentRevision") != "3" || a.header.Get("Etag") != `"3"` || a.str("changesSince") != plan+"/events" {
		t.Errorf("it does not say what is there now: %v %s", a.header, a.body)
	}
	w.do(request{path: plan + "/commands/add-goal", token: o.tokens[author], body: `{"name":"Three"}`, match: "-"}).want(428, "precondition-required")
	for _, match := range []string{"3", `"x"`, `"3`, `"1","2"`, `""`, `"-1"`, `"+3"`, `"99999999999999999999"`} {
		w.do(request{path: plan + "/commands/add-goal", token: o.tokens[author], body: `{"name":"Three"}`, match: match}).want(400, "malformed-request")
	}
}

func TestBadKeysAreRefused(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author)
	for _, key := range []string{`"`, `"a`, `"a"b"`, strings.Repeat("k", 256), "é", `""`, `"\x"`} {
		w.do(request{path: "/v1/strategies", token: o.tokens[author], body: `{"frame":{"name":"x"}}`, key: key}).want(400, "malformed-request")
	}
	w.do(request{
		path: "/v1/strategies", token: o.tokens[author], body: `{"frame":{"name":"x"}}`,
		header: http.Header{"Idempotency-Key": nil},
	}).want(400, "idempotency-key-required")
	for _, key := range []string{"a,b", `"with \"quotes\""`, strings.Repeat("k", 255)} {
		w.do(request{path: "/v1/strategies", token: o.tokens[author], body: `{"frame":{"name":"x"}}`, key: key}).want(201, "")
	}
}

func TestHostileBodiesAreRefused(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author)
	deep := strings.Repeat(`[`, 100_000) + strings.Repeat(`]`, 100_000)
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"empty":              {``, 400, "malformed-request"},
		"not JSON":           {`{"frame":`, 400, "malformed-request"},
		"two values":         {`{"frame":{"name":"x"}}{}`, 400, "malformed-request"},
		"duplicate member":   {`{"frame":{"name":"x","name":"y"}}`, 400, "malformed-request"},
		"escaped duplicate":  {`{"frame":{"name":"x","n\u0061me":"y"}}`, 400, "malformed-request"},
		"bad UTF-8":          {"{\"frame\":{\"name\":\"\xff\"}}", 400, "malformed-request"},
		"BOM":                {"\ufeff{}", 400, "malformed-request"},
		"lone surrogate":     {`{"frame":{"name":"\ud800"}}`, 400, "malformed-request"},
		"reversed surrogate": {`{"frame":{"name":"\udc00\ud800"}}`, 400, "malformed-request"},
		"NUL escaped":        {`{"frame":{"name":"a\u0000b"}}`, 400, "malformed-request"},
		"NUL raw":            {"{\"frame\":{\"name\":\"a\x00b\"}}", 400, "malformed-request"},
		"1e400":              {`{"frame":{"name":1e400}}`, 400, "malformed-request"},
		"deep":               {deep, 400, "malformed-request"},
		"deep in a member":   {`{"frame":` + deep + `}`, 400, "malformed-request"},
		"2^63":               {`{"frame":{"name":9223372036854775808}}`, 422, "validation-failed"},
		"unknown member":     {`{"frame":{"name":"x"},"organizationId":"y"}`, 422, "validation-failed"},
		"case variant":       {`{"frame":{"Name":"x"}}`, 422, "validation-failed"},
		"server-set member":  {`{"frame":{"name":"x"},"importId":"y"}`, 422, "validation-failed"},
		"sealed by hand":     {`{"frame":{"name":"x","organizations":[{"stakeholders":[{"sealed":"x"}]}]}}`, 422, "validation-failed"},
		"null":               {`null`, 422, "validation-failed"},
		"array":              {`[]`, 422, "validation-failed"},
		"number":             {`1`, 422, "validation-failed"},
		"wrong type":         {`{"frame":{"name":true}}`, 422, "validation-failed"},
		"empty name":         {`{"frame":{"name":""}}`, 422, "validation-failed"},
		"long name":          {`{"frame":{"name":"` + strings.Repeat("x", 2001) + `"}}`, 422, "validation-failed"},
		"no date":            {`{"frame":{"name":"x","publicationDate":"2025-02-30"}}`, 422, "validation-failed"},
		"huge":               {`{"frame":{"name":"` + strings.Repeat("x", 2<<20) + `"}}`, 413, "too-large"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.do(request{path: "/v1/strategies", token: o.tokens[author], body: c.body}).want(c.status, c.code)
			if c.code == "validation-failed" && len(a.json()["errors"].([]any)) == 0 {
				t.Errorf("it does not say where: %s", a.body)
			}
		})
	}
}

func TestValidationNamesThePlace(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author)
	a := w.do(request{
		path: "/v1/strategies", token: o.tokens[author],
		body: `{"frame":{"name":"","values":[{"name":"a"},{"colour":"red"}]}}`,
	}).want(422, "validation-failed")
	got := fmt.Sprint(a.json()["errors"])
	for _, place := range []string{"pointer:#/frame/name", "keyword:minLength", "pointer:#/frame/values/1", "keyword:additionalProperties"} {
		if !strings.Contains(got, place) {
			t.Errorf("%s is missing in %s", place, got)
		}
	}
}

func TestFormatsAndMethods(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author)
	token := o.tokens[author]
	post := func(header http.Header) request {
		return request{path: "/v1/strategies", token: token, body: `{"frame":{"name":"x"}}`, header: header}
	}
	for _, media := range []string{"", "text/plain", "application/xml", "application/json; charset=latin1", "application/jsonx"} {
		a := w.do(post(http.Header{"Content-Type": {media}})).want(415, "unsupported-media-type")
		if a.header.Get("Accept-Post") != "application/json" {
			t.Errorf("Accept-Post %q", a.header.Get("Accept-Post"))
		}
	}
	w.do(post(http.Header{"Content-Encoding": {"gzip"}})).want(415, "unsupported-media-type")
	w.do(post(http.Header{"Content-Type": {"application/json; charset=UTF-8"}})).want(201, "")
	for _, accept := range []string{"text/html", "application/xml, image/*", "*/*;q=0", "application/json;q=0.0"} {
		w.do(post(http.Header{"Accept": {accept}})).want(406, "not-acceptable")
	}
	for _, accept := range []string{"*/*", "application/*", "text/html, application/json;q=0.1", "APPLICATION/JSON"} {
		w.do(post(http.Header{"Accept": {accept}})).want(201, "")
	}

	w.do(request{method: "GET", path: "/v1/nothing", token: token}).want(404, "not-found")
	w.do(request{method: "GET", path: "/v1/strategies/not-an-id", token: token}).want(404, "not-found")
	w.do(request{method: "GET", path: "/v1/strategies/" + strings.ToUpper("0198c0de-0000-7000-8000-00000000000a"), token: token}).want(404, "not-found")
	a := w.do(request{method: "DELETE", path: "/v1/strategies", token: token}).want(405, "method-not-allowed")
	for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
		if !strings.Contains(a.header.Get("Allow"), method) {
			t.Errorf("Allow %q lacks %s", a.header.Get("Allow"), method)
		}
	}
	if a := w.do(request{method: "OPTIONS", path: "/v1/strategies"}); a.status != 204 || !strings.Contains(a.header.Get("Allow"), "POST") {
		t.Errorf("OPTIONS: %d, Allow %q", a.status, a.header.Get("Allow"))
	}
	if a := w.do(request{method: "HEAD", path: "/livez"}); a.status != 200 {
		t.Errorf("HEAD: %d", a.status)
	}
	for _, q := range []string{"limit=0", "limit=201", "limit=1e2", "limit=01", "state=gone", "colour=red", "limit=1&limit=2", "cursor="} {
		w.do(request{method: "GET", path: "/v1/strategies?" + q, token: token}).want(422, "validation-failed")
	}
}

func TestMinimalAnswers(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author)
	a := w.do(request{
		path: "/v1/strategies", token: o.tokens[author], body: `{"frame":{"name":"x"}}`,
		header: http.Header{"Prefer": {`wait=1`, `return=minimal`}},
	}).want(204, "")
	if len(a.body) != 0 || a.header.Get("Location") == "" || a.header.Get("Etag") != `"1"` || a.header.Get("Preference-Applied") != "return=minimal" {
		t.Errorf("%v %s", a.header, a.body)
	}
}

func TestAnImportComesIn(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author, owner)
	document := `<?xml version="1.0" encoding="UTF-8"?>
<StrategicPlan xmlns="urn:ISO:std:iso:17469:tech:xsd:stratml_core"><Name>Plan</Name>
<StrategicPlanCore><Organization><Name>Examples</Name></Organization>
<Goal><Name>Goal</Name><Objective><Name>Objective</Name></Objective></Goal></StrategicPlanCore>
<AdministrativeInformation/></StrategicPlan>`
	xml := http.Header{"Content-Type": {"application/xml"}}
	r := request{path: "/v1/strategies/stratml", token: o.tokens[author], body: document, header: xml, key: uuid.NewString()}
	first := w.do(r).want(201, "")
	recorded := first.json()["recorded"].(map[string]any)
	if recorded["goals"] != 1.0 || recorded["objectives"] != 1.0 || !strings.HasPrefix(first.header.Get("Location"), "/v1/strategies/") {
		t.Errorf("%v %s", first.header, first.body)
	}
	second := w.do(r).want(201, "")
	if !bytes.Equal(first.body, second.body) || second.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("repetition %v %s\nfirst %s", second.header, second.body, first.body)
	}
	r.body = document + "<!-- -->"
	w.do(r).want(422, "idempotency-key-reused")
	w.do(request{path: r.path, token: r.token, header: xml, body: "<nothing/>"}).want(422, "stratml-refused")
	w.do(request{path: r.path, token: r.token, header: xml, body: strings.Repeat(" ", 17<<20)}).want(413, "too-large")
	w.do(request{path: r.path, token: r.token, body: "{}"}).want(415, "unsupported-media-type")
	w.do(request{path: r.path, token: o.tokens[owner], header: xml, body: document}).want(403, "forbidden")
}
