package rest_test

import (
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/countersign"
	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/ports/rest"
	"strata.dev/strata/ports/rest/resttest"
)

// Whatever can be read can be asked for without its body, with the same head,
// and every path says what can be done there.
func TestHeadAndOptionsEverywhere(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author)
	plan := w.draft(o)
	for path, item := range resttest.Contract(t).Paths.Map() {
		target := strings.NewReplacer("/v1/strategies/{id}", plan, "{id}", uuid.NewString(), "{code}", "not-found", "{name}", "strategy.drafted.v1.json", "{file}", "start.js").Replace(path)
		allow := strings.Split(w.do(request{method: "OPTIONS", path: target}).want(204, "").header.Get("Allow"), ", ")
		for method := range item.Operations() {
			if !slices.Contains(allow, method) {
				t.Errorf("%s: Allow %v lacks %s", path, allow, method)
			}
		}
		if item.Get == nil {
			continue
		}
		if !slices.Contains(allow, http.MethodHead) {
			t.Errorf("%s: Allow %v lacks HEAD", path, allow)
		}
		get := answer{status: 200, header: http.Header{"Content-Type": {"text/event-stream"}}}
		if path != "/v1/events/stream" { // which does not end
			get = w.do(request{method: "GET", path: target, token: o.tokens[author]})
		}
		head := w.do(request{method: "HEAD", path: target, token: o.tokens[author]})
		if head.status != get.status || len(head.body) != 0 || head.header.Get("Content-Type") != get.header.Get("Content-Type") || head.header.Get("Etag") != get.header.Get("Etag") {
			t.Errorf("%s: HEAD %d %v, GET %d %v", path, head.status, head.header, get.status, get.header)
		}
	}
}

func TestTheDocumentationLoadsNothingFromElsewhere(t *testing.T) {
	w := newWorld(t)
	page := w.do(request{method: "GET", path: "/docs", header: http.Header{"Accept": {"text/html,*/*;q=0.8"}}}).want(200, "")
	policy := page.header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy %q lacks %s", policy, part)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("the policy is not strict: %q", policy)
	}
	references := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(string(page.body), -1)
	if len(references) < 4 || regexp.MustCompile(`<script>|<style|style=|onload=`).Match(page.body) {
		t.Errorf("%s", page.body)
	}
	for _, r := range references {
		if !strings.HasPrefix(r[1], "/") {
			t.Errorf("%s is somewhere else", r[1])
		}
		a := w.do(request{method: "GET", path: r[1]}).want(200, "")
		again := w.do(request{method: "GET", path: r[1], header: http.Header{"If-None-Match": {a.header.Get("Etag")}}})
		if again.status != http.StatusNotModified || len(again.body) != 0 {
			t.Errorf("%s: %d", r[1], again.status)
		}
	}
	start := w.do(request{method: "GET", path: "/docs/start.js"}).want(200, "")
	if !strings.Contains(string(start.body), "validatorUrl: null") || strings.Contains(string(start.body), "http") {
		t.Errorf("%s", start.body)
	}
	w.do(request{method: "GET", path: "/docs/LICENSE"}).want(200, "")
	w.do(request{method: "GET", path: "/docs/docs.go"}).want(404, "not-found")
}

func TestAProblemPageForProgramsAndForPeople(t *testing.T) {
	w := newWorld(t)
	a := w.do(request{method: "GET", path: "/problems/stale-revision", header: http.Header{"Accept": {"application/json"}}}).want(200, "")
	for _, member := range []string{"cause", "fix", "example"} {
		if a.str(member) == "" {
			t.Errorf("no %s: %s", member, a.body)
		}
	}
	if a.header.Get("Vary") != "Accept" {
		t.Errorf("Vary %q", a.header.Get("Vary"))
	}
	page := w.do(request{method: "GET", path: "/problems/stale-revision", header: http.Header{"Accept": {"application/json;q=0.5, text/html"}}}).want(200, "")
	if !strings.Contains(string(page.body), "<h2>What to do</h2>") || !strings.Contains(page.header.Get("Content-Security-Policy"), "script-src 'self'") {
		t.Errorf("%v %s", page.header, page.body)
	}
	w.do(request{method: "GET", path: "/problems/stale-revision", header: http.Header{"Accept": {"image/png"}}}).want(406, "not-acceptable")
}

func TestMeasurementsInABatch(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author, owner)
	one, _ := w.indicator(o)
	two, _ := w.indicator(o)
	id := func(path string) string { return strings.TrimPrefix(path, "/v1/indicators/") }
	year := func(y string) string { return `"period":{"start":"` + y + `-01-01","end":"` + y + `-12-31"}` }
	body := `{"items":[
		{"indicatorId":"` + id(one) + `","record":{` + year("2023") + `,"value":"1.50"}},
		{"indicatorId":"` + id(two) + `","record":{` + year("2023") + `,"value":"7"}},
		{"indicatorId":"` + id(one) + `","record":{` + year("2023") + `,"value":"2"}},
		{"indicatorId":"` + id(one) + `","correct":{` + year("2023") + `,"value":"1.75","reason":"counted again"}},
		{"indicatorId":"` + id(two) + `","void":{` + year("2023") + `,"reason":"wrong year"}},
		{"indicatorId":"` + uuid.NewString() + `","record":{` + year("2023") + `,"value":"2"}}]}`
	r := request{path: "/v1/measurements", token: o.tokens[owner], body: body, key: uuid.NewString()}
	first := w.do(r).want(200, "")
	items := first.json()["items"].([]any)
	want := []float64{200, 200, 409, 200, 200, 404}
	for i, item := range items {
		m := item.(map[string]any)
		if m["status"] != want[i] || m["index"] != float64(i) || (m["problem"] != nil) != (want[i] != 200) || (want[i] == 200 && m["measurementId"] == nil) {
			t.Errorf("item %d: %v, want %v", i, m, want[i])
		}
	}
	if len(items) != len(want) || first.json()["recorded"] != 4.0 || first.json()["refused"] != 2.0 {
		t.Fatalf("%s", first.body)
	}
	if items[0].(map[string]any)["measurementId"] != items[3].(map[string]any)["measurementId"] {
		t.Errorf("the correction was of another measurement: %s", first.body)
	}
	before, err := w.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again := w.do(r).want(200, "")
	if again.json()["recorded"] != 4.0 || again.header.Get("Strata-Position") != first.header.Get("Strata-Position") {
		t.Errorf("repetition %s\nfirst %s", again.body, first.body)
	}
	if after, err := w.log.Head(t.Context()); err != nil || after != before {
		t.Errorf("the repetition recorded %d events (%v)", after-before, err)
	}
	r.body = strings.Replace(body, "1.50", "1.51", 1)
	w.do(r).want(422, "idempotency-key-reused")
	for name, body := range map[string]string{
		"none": `{"items":[]}`, "two in one": `{"items":[{"indicatorId":"` + id(one) + `","record":{` + year("2022") + `},"void":{` + year("2022") + `,"reason":"x"}}]}`,
		"nothing": `{"items":[{"indicatorId":"` + id(one) + `"}]}`, "too many": `{"items":[` + strings.Repeat(`{"indicatorId":"`+id(one)+`","record":{`+year("2022")+`,"value":"1"}},`, 1000) + `{"indicatorId":"` + id(one) + `","record":{` + year("2021") + `,"value":"1"}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			w.do(request{path: "/v1/measurements", token: o.tokens[owner], body: body}).want(422, "validation-failed")
		})
	}
	// Nobody who may not gets anything in.
	a := w.do(request{path: "/v1/measurements", token: o.tokens[author], body: `{"items":[{"indicatorId":"` + id(one) + `","record":{` + year("2021") + `,"value":"1"}}]}`}).want(200, "")
	if m := a.json()["items"].([]any)[0].(map[string]any); m["status"] != 403.0 || a.json()["recorded"] != 0.0 {
		t.Errorf("%s", a.body)
	}
}

const officer = "compliance_officer"

// S8: a weaker policy takes two officers, the one who asked and countersigned,
// and the one who gives exactly that command.
func TestAWeakerPolicyTakesTwoOfficers(t *testing.T) {
	signer, err := countersign.Open(countersign.Options{KeyFile: filepath.Join(t.TempDir(), "key"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *rest.Options) { o.Countersigner = signer })
	o := w.register("Examples", officer)
	const path = "/v1/organization/commands/set-governance-policy"
	policy := func(n string) string {
		return `{"policy":{"quorum":{"n":` + n + `,"complianceRequired":true},"autoHoldSeverity":"critical","autoResume":false,"breachSeverity":"medium",
			"acceptanceMaxDays":365,"retentionYears":10,"rejectionSuspendThreshold":100},"reason":"as decided"}`
	}
	w.do(request{path: path, token: o.tokens["officer"], body: policy("3")}).want(200, "")
	w.do(request{path: path, token: o.tokens["officer"], body: policy("2")}).want(403, "forbidden")

	countersign := func(token, body string) string {
		return w.do(request{path: "/v1/countersignatures", token: token, body: `{"method":"POST","path":"` + path + `","meaning":"I asked for this","body":` + body + `}`}).
			want(200, "").str("token")
	}
	token := countersign(o.tokens["officer"], policy("2"))
	with := func(token string) http.Header { return http.Header{"Strata-Countersignature": {token}} }
	if a := w.do(request{path: path, token: o.tokens["officer"], body: policy("2"), header: with(token)}).want(403, "forbidden"); a.str("rule") != "S8" {
		t.Errorf("one person alone: %s", a.body)
	}
	if a := w.do(request{path: path, token: o.tokens[officer], body: policy("1"), header: with(token)}).want(403, "forbidden"); a.str("rule") != "countersigned-command" {
		t.Errorf("another command: %s", a.body)
	}
	w.do(request{path: path, token: o.tokens[officer], body: policy("2"), header: with(token[:len(token)-2])}).want(422, "countersignature-refused")
	stale := w.token(oidc.Claims{Organization: o.id, Subject: "officer", AuthAt: ago(time.Hour)})
	w.do(request{path: "/v1/countersignatures", token: stale, body: `{"method":"POST","path":"` + path + `","meaning":"x","body":` + policy("2") + `}`}).want(403, "forbidden")

	r := request{path: path, token: o.tokens[officer], body: " " + policy("2"), header: with(token), key: uuid.NewString()}
	w.do(r).want(200, "")
	// Recorded is recorded, whatever has become of the countersignature since.
	r.header = with("expired")
	if a := w.do(r).want(200, ""); a.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%v", a.header)
	}
	feed := w.do(request{method: "GET", path: "/v1/events", token: o.tokens[officer]}).want(200, "")
	if !strings.Contains(string(feed.body), `"authorizedBy":"`) || !strings.Contains(string(feed.body), `"requestedBy":"`) {
		t.Errorf("the event does not name both: %s", feed.body)
	}
}
