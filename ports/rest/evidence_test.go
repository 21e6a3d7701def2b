package rest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"strata.dev/strata/domain/authz"
)

func digestOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// TestBytesStayAsTheyCame: what is registered is given back byte for byte, under
// its own media type and never as a page of ours.
func TestBytesStayAsTheyCame(t *testing.T) {
	w := newReadWorld(t)
	o, others := w.register("Examples", author, owner, authz.Auditor, authz.Viewer), w.register("Others", authz.Auditor)
	page := "<!doctype html><script>alert(document.domain)</script>\x00\xff"
	r := upload("/v1/evidence?kind=review&mediaType=text/html&collectedAt=2025-06-30T12:00:00Z", o.tokens[authz.Auditor], page)
	r.key = "once"
	r.header.Set("Content-Digest", digestOf(page))
	registered := w.do(r).want(http.StatusCreated, "")
	sum := sha256.Sum256([]byte(page))
	if registered.str("sha256") != hex.EncodeToString(sum[:]) {
		t.Errorf("%s", registered.body)
	}
	path := registered.header.Get("Location")
	again := w.do(r).want(http.StatusCreated, "")
	if again.header.Get("Idempotent-Replayed") != "true" || again.header.Get("Location") != path || again.str("sha256") != registered.str("sha256") {
		t.Errorf("%v %s", again.header, again.body)
	}
	for what, other := range map[string]request{
		"other bytes":        {path: r.path, body: "other"},
		"another kind":       {path: strings.Replace(r.path, "review", "document", 1), body: page},
		"another media type": {path: strings.Replace(r.path, "text/html", "text/plain", 1), body: page},
		"another time":       {path: strings.Replace(r.path, "12:00", "13:00", 1), body: page},
	} {
		q := upload(other.path, r.token, other.body)
		q.key = r.key
		if a := w.do(q); a.status != http.StatusUnprocessableEntity || a.str("code") != "idempotency-key-reused" {
			t.Errorf("%s under the same key: %d %s", what, a.status, a.body)
		}
	}

	get := func(path, role string, header ...string) answer {
		t.Helper()
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return w.do(request{method: http.MethodGet, path: path, token: o.tokens[role], header: h})
	}
	t.Run("its content", func(t *testing.T) {
		a := get(path+"/content", authz.Auditor, "Accept", "application/pdf").want(200, "") // what it is, it is
		if !bytes.Equal(a.body, []byte(page)) {
			t.Errorf("%q", a.body)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/html", "Content-Disposition": `attachment; filename="` + registered.str("evidenceId") + `"`,
			"Content-Digest": digestOf(page), "X-Content-Type-Options": "nosniff", "Content-Length": fmt.Sprint(len(page)), "Cache-Control": "private, no-cache",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Etag": `"` + hex.EncodeToString(sum[:]) + `"`,
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		get(path+"/content", authz.Auditor, "If-None-Match", a.header.Get("Etag")).want(304, "")
		get(path+"/content", owner).want(200, "")
		get(path+"/content", authz.Viewer).want(403, "forbidden")
		get(path+"/content", "admin").want(403, "forbidden")
		w.do(request{method: http.MethodGet, path: path + "/content", token: others.tokens[authz.Auditor]}).want(404, "not-found")
		if a := w.do(request{method: http.MethodHead, path: path + "/content", token: o.tokens[authz.Auditor]}).want(200, ""); a.header.Get("Content-Length") != fmt.Sprint(len(page)) {
			t.Errorf("%v", a.header)
		}
	})
	t.Run("what it concerns", func(t *testing.T) {
		w.project()
		before := get(path, authz.Viewer).want(200, "")
		if e := before.json(); e["mediaType"] != "text/html" || e["kind"] != "review" || e["links"] != 0.0 || e["collectedAt"] != "2025-06-30T12:00:00Z" || e["sha256"] != registered.str("sha256") {
			t.Errorf("%s", before.body)
		}
		if bytes.Contains(before.body, []byte("alert")) || bytes.Contains(before.body, []byte("originals/")) {
			t.Errorf("the description tells of the bytes: %s", before.body)
		}
		get(path, authz.Viewer, "If-None-Match", before.header.Get("Etag")).want(304, "")
		indicator, _ := w.indicator(o)
		target := `{"type":"indicator","id":"` + strings.TrimPrefix(indicator, "/v1/indicators/") + `"}`
		link := request{path: path + "/commands/link", token: o.tokens[authz.Auditor], match: before.header.Get("Etag"), body: `{"relation":"supports","target":` + target + `,"note":"See line 1"}`}
		w.do(link).want(200, "")
		w.do(link).want(412, "stale-revision")
		link.match, link.key = "", ""
		if a := w.do(link).want(409, "invariant-violated"); a.str("rule") != "linked-once" {
			t.Errorf("%s", a.body)
		}
		link.body = strings.Replace(link.body, "supports", "supersedes", 1)
		w.do(link).want(422, "validation-failed") // evidence supersedes evidence
		link.body = `{"relation":"supports","target":{"type":"finding","id":"0198c0de-0000-7000-8000-00000000000a"}}`
		if a := w.do(link).want(409, "invariant-violated"); a.str("rule") != "target-exists" {
			t.Errorf("%s", a.body)
		}
		second := w.evidence(o, "a better one")
		w.do(request{path: "/v1/evidence/" + second + "/commands/link", token: o.tokens[authz.Auditor], body: `{"relation":"supersedes","target":{"type":"evidence","id":"` + registered.str("evidenceId") + `"}}`}).want(200, "")
		w.project()
		after := get(path, authz.Viewer, "If-None-Match", before.header.Get("Etag")).want(200, "").json()
		if links := after["linkList"].([]any); len(links) != 1 || links[0].(map[string]any)["note"] != "See line 1" {
			t.Errorf("%v", after)
		}
		if from := after["linkedFrom"].([]any); len(from) != 1 || from[0].(map[string]any)["evidenceId"] != second {
			t.Errorf("%v", after)
		}
		id := strings.TrimPrefix(indicator, "/v1/indicators/")
		for query, want := range map[string]int{
			"": 2, "?kind=review": 1, "?kind=message": 0, "?sha256=" + registered.str("sha256"): 1, "?targetType=indicator&targetId=" + id: 1,
			"?targetType=finding&targetId=" + id: 0, "?to=2020-01-01T00:00:00Z": 0, "?limit=1": 2,
		} {
			if got := w.items(t, "/v1/evidence"+query, o.tokens[authz.Viewer]); len(got) != want {
				t.Errorf("%s: %d, want %d", query, len(got), want)
			}
		}
		get("/v1/evidence?targetId="+id, authz.Viewer).want(422, "validation-failed")
		if list := w.items(t, "/v1/evidence", others.tokens[authz.Auditor]); len(list) != 0 {
			t.Errorf("%v", list)
		}
		w.do(request{method: http.MethodGet, path: path, token: others.tokens[authz.Auditor]}).want(404, "not-found")
	})
}

// TestUploadsThatAreNotTaken: nothing of them is kept or recorded.
func TestUploadsThatAreNotTaken(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", authz.Auditor, authz.Viewer)
	before, err := w.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	good := func() request { return upload("/v1/evidence?kind=document", o.tokens[authz.Auditor], "bytes") }
	for what, c := range map[string]struct {
		change func(*request)
		status int
		code   string
	}{
		"no bytes":              {func(r *request) { r.body = "" }, 422, "validation-failed"},
		"too many bytes":        {func(r *request) { r.body = strings.Repeat("x", 16<<20+1) }, 413, "too-large"},
		"other bytes":           {func(r *request) { r.header.Set("Content-Digest", digestOf("others")) }, 400, "digest-mismatch"},
		"no digest":             {func(r *request) { r.header.Set("Content-Digest", "sha-256=bytes") }, 400, "malformed-request"},
		"JSON":                  {func(r *request) { r.header.Set("Content-Type", "application/json") }, 415, "unsupported-media-type"},
		"no kind":               {func(r *request) { r.path = "/v1/evidence" }, 422, "validation-failed"},
		"a kind of the service": {func(r *request) { r.path = "/v1/evidence?kind=message" }, 422, "validation-failed"},
		"no media type":         {func(r *request) { r.path += "&mediaType=pdf" }, 422, "validation-failed"},
		"another header":        {func(r *request) { r.path += "&mediaType=text/html%0d%0aSet-Cookie:%20a=b" }, 422, "validation-failed"},
		"from the future":       {func(r *request) { r.path += "&collectedAt=2999-01-01T00:00:00Z" }, 422, "validation-failed"},
		"no key":                {func(r *request) { r.header["Idempotency-Key"] = nil }, 400, "idempotency-key-required"},
		"a viewer":              {func(r *request) { r.token = o.tokens[authz.Viewer] }, 403, "forbidden"},
		"an administrator":      {func(r *request) { r.token = o.tokens["admin"] }, 403, "forbidden"},
	} {
		t.Run(what, func(t *testing.T) {
			r := good()
			c.change(&r)
			w.do(r).want(c.status, c.code)
		})
	}
	if after, err := w.log.Head(t.Context()); err != nil || after != before {
		t.Errorf("%d events were recorded (%v)", after-before, err)
	}
	r := good()
	r.body = strings.Repeat("x", 16<<20) // the most there may be
	w.do(r).want(201, "")
}
