package rest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/app/command"
	"strata.dev/strata/ports/rest"
	"strata.dev/strata/tests/testenv"
)

const documentText = `<?xml version="1.0" encoding="UTF-8"?>
<StrategicPlan xmlns="urn:ISO:std:iso:17469:tech:xsd:stratml_core"><Name>Plan</Name>
<StrategicPlanCore><Organization><Name>Examples</Name></Organization>
<Goal><Name>Goal</Name><Objective><Name>Objective</Name></Objective></Goal></StrategicPlanCore>
<AdministrativeInformation/></StrategicPlan>`

func xml(more ...string) http.Header {
	h := http.Header{"Content-Type": {"application/xml"}}
	for i := 0; i < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}

// working runs the world's operations until the test ends.
func (w *world) working(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- w.api.Run(ctx) }()
	testenv.Eventually(t, 10*time.Second, "operations are at work", func() error {
		if !rest.ExportWorking(w.api) {
			return errors.New("not yet")
		}
		return nil
	})
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// done asks for an operation until it has ended.
func (w *world) done(t *testing.T, path, token string) answer {
	t.Helper()
	var last answer
	testenv.Eventually(t, 20*time.Second, "the operation ends", func() error {
		last = w.do(request{method: "GET", path: path, token: token}).want(200, "")
		status := last.str("status")
		if (status == "pending" || status == "running") != (last.header.Get("Retry-After") != "") {
			t.Fatalf("%v %s", last.header, last.body)
		}
		if status != "succeeded" && status != "failed" {
			return errors.New("it is " + status)
		}
		return nil
	})
	return last
}

func TestAnImportNeedNotBeWaitedFor(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author)
	r := request{path: "/v1/strategies/stratml", token: o.tokens[author], body: documentText, header: xml("Prefer", "respond-async"), key: uuid.NewString()}
	// Nobody would go on with it: then it is answered when it is done.
	w.do(request{path: r.path, token: r.token, body: strings.Replace(documentText, "Plan<", "Another<", 1), header: r.header}).want(201, "")

	w.working(t)
	accepted := w.do(r).want(202, "")
	operation := accepted.header.Get("Location")
	if !strings.HasPrefix(operation, "/v1/operations/") || accepted.header.Get("Preference-Applied") != "respond-async" {
		t.Fatalf("%v %s", accepted.header, accepted.body)
	}
	a := w.done(t, operation, o.tokens[author])
	result, _ := a.json()["result"].(map[string]any)
	progress := a.json()["progress"].(map[string]any)
	if a.str("status") != "succeeded" || progress["done"] != progress["total"] || progress["total"] == 0.0 {
		t.Fatalf("%s", a.body)
	}
	again := w.do(r).want(202, "")
	if again.header.Get("Location") != operation || again.header.Get("Idempotent-Replayed") != "true" || again.str("status") != "succeeded" {
		t.Errorf("repetition %v %s", again.header, again.body)
	}
	// The same request by somebody who waits gets the whole answer.
	r.header = xml()
	waited := w.do(r).want(201, "")
	if waited.header.Get("Location") != result["href"] || waited.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%v %s", waited.header, waited.body)
	}
	theirs := w.register("Theirs", author)
	w.do(request{method: "GET", path: operation, token: theirs.tokens[author]}).want(404, "not-found")
	w.do(request{method: "GET", path: "/v1/operations/" + uuid.NewString(), token: o.tokens[author]}).want(404, "not-found")
}

// What an instance had accepted before it died, another one finishes.
func TestAnOperationSurvivesTheProcess(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author)
	principal := command.Principal{OrganizationID: o.id, Issuer: oidc.DevIssuer, Subject: author, AuthMethod: "bearer", AuthAt: time.Now()}
	asked := command.ImportRequest{Document: []byte(documentText)}
	accepted, err := w.options.App.Imports.Start(t.Context(), command.Call{
		Principal: principal, CommandID: uuid.New(), Hash: asked.Fingerprint("POST", "/v1/strategies/stratml"),
	}, asked)
	if err != nil {
		t.Fatal(err)
	}
	operation := "/v1/operations/" + accepted.ImportID.String()
	if a := w.do(request{method: "GET", path: operation, token: o.tokens[author]}).want(200, ""); a.str("status") != "pending" {
		t.Fatalf("%s", a.body)
	}
	rest.ExportAhead(w.api, time.Minute)
	w.working(t)
	if a := w.done(t, operation, o.tokens[author]); a.str("status") != "succeeded" {
		t.Errorf("%s", a.body)
	}
}

func TestAnOperationThatARuleRefusesSaysSo(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author)
	principal := command.Principal{OrganizationID: o.id, Issuer: oidc.DevIssuer, Subject: author, AuthMethod: "bearer", AuthAt: time.Now()}
	asked := command.ImportRequest{Document: []byte(documentText)}
	accepted, err := w.options.App.Imports.Start(t.Context(), command.Call{
		Principal: principal, CommandID: uuid.New(), Hash: asked.Fingerprint("POST", "/v1/strategies/stratml"),
	}, asked)
	if err != nil {
		t.Fatal(err)
	}
	events := w.do(request{method: "GET", path: "/v1/events", token: o.tokens["admin"]}).want(200, "")
	before, _, found := strings.Cut(string(events.body), `","role":"`+author+`"`)
	if !found {
		t.Fatalf("%s", events.body)
	}
	member := before[len(before)-36:]
	w.do(request{path: "/v1/organization/commands/offboard-member", token: o.tokens["admin"], body: `{"memberId":"` + member + `","reason":"left"}`}).want(200, "")
	rest.ExportAhead(w.api, time.Minute)
	w.working(t)
	a := w.done(t, "/v1/operations/"+accepted.ImportID.String(), o.tokens["admin"])
	problem, _ := a.json()["problem"].(map[string]any)
	if a.str("status") != "failed" || problem["code"] != "forbidden" || problem["status"] != 403.0 {
		t.Errorf("%s", a.body)
	}
}

func TestDocumentsComeBackAsTheyCame(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author, owner)
	sum := sha256.Sum256([]byte(documentText))
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	first := w.do(request{
		path: "/v1/strategies/stratml", token: o.tokens[author], body: documentText, header: xml("Content-Digest", "md5=:x:, "+digest),
	}).want(201, "")
	original := "/v1/imports/" + first.str("importId") + "/original"
	a := w.do(request{method: "GET", path: original, token: o.tokens[author]}).want(200, "")
	if string(a.body) != documentText || a.header.Get("Content-Digest") != digest || a.header.Get("Content-Type") != "application/xml" {
		t.Errorf("%v %s", a.header, a.body)
	}
	if tag := a.header.Get("Etag"); tag != `"`+hex.EncodeToString(sum[:])+`"` {
		t.Errorf("ETag %s", tag)
	}
	if a := w.do(request{method: "GET", path: original, token: o.tokens[author], header: http.Header{"If-None-Match": {a.header.Get("Etag")}}}); a.status != 304 {
		t.Errorf("%d", a.status)
	}
	w.do(request{method: "GET", path: original, token: o.tokens[owner]}).want(403, "forbidden")

	plan := first.header.Get("Location")
	out := w.do(request{method: "GET", path: plan + "/stratml", token: o.tokens[author]}).want(200, "")
	got := sha256.Sum256(out.body)
	if out.header.Get("Content-Digest") != "sha-256=:"+base64.StdEncoding.EncodeToString(got[:])+":" || !strings.HasSuffix(out.header.Get("Etag"), `-stratml"`) {
		t.Errorf("%v", out.header)
	}
	if !bytes.Contains(out.body, []byte("<Name>Objective</Name>")) {
		t.Errorf("%s", out.body)
	}
	if a := w.do(request{method: "GET", path: plan + "/stratml", token: o.tokens[author], header: http.Header{"If-None-Match": {out.header.Get("Etag")}}}); a.status != 304 {
		t.Errorf("%d", a.status)
	}
	w.do(request{method: "GET", path: plan + "/stratml?part=3", token: o.tokens[author]}).want(422, "validation-failed")
	w.do(request{method: "GET", path: plan + "/stratml?revision=in-force", token: o.tokens[author]}).want(404, "not-found")
	w.do(request{method: "GET", path: plan + "/stratml", token: o.tokens[author], header: http.Header{"Accept": {"application/json"}}}).want(406, "not-acceptable")
}

func TestABodyIsHeldAgainstItsDigest(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author)
	before, err := w.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := sha256.Sum256([]byte("other"))
	wrong := "sha-256=:" + base64.StdEncoding.EncodeToString(other[:]) + ":"
	w.do(request{path: "/v1/strategies/stratml", token: o.tokens[author], body: documentText, header: xml("Content-Digest", wrong)}).want(400, "digest-mismatch")
	w.do(request{path: "/v1/strategies", token: o.tokens[author], body: `{"frame":{"name":"x"}}`, header: http.Header{"Content-Digest": {wrong}}}).want(400, "digest-mismatch")
	for _, bad := range []string{"sha-256=x", "sha-256=:eA==:", "sha-256=::", "SHA-256=:!:"} {
		w.do(request{path: "/v1/strategies/stratml", token: o.tokens[author], body: documentText, header: xml("Content-Digest", bad)}).want(400, "malformed-request")
	}
	if after, err := w.log.Head(t.Context()); err != nil || after != before {
		t.Errorf("%d events were recorded (%v)", after-before, err)
	}
}
