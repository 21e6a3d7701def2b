package rest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/app/journal"
	"strata.dev/strata/domain/authz"
	facts "strata.dev/strata/domain/journal"
	"strata.dev/strata/ports/rest"
)

// measured is a message with one measurement of an indicator in a year.
func measured(indicatorPath string, year int, value string) string {
	return fmt.Sprintf(`{"indicatorRef":%q,"period":{"start":"%d-01-01","end":"%d-12-31"},"value":%q}`, strings.TrimPrefix(indicatorPath, "/v1/indicators/"), year, year, value)
}

// TestASourceFromBeginningToEnd: registered, heard, corrected by itself, refused,
// suspended and reinstated under another key, with what the reads say of it.
func TestASourceFromBeginningToEnd(t *testing.T) {
	w := newReadWorld(t)
	o := w.register("Examples", author, owner, authz.Auditor, authz.DataSteward)
	others := w.register("Others", authz.Auditor, authz.DataSteward)
	indicator, _ := w.indicator(o)
	key := newSourceKey(t)
	id := w.source(o, key, indicator)
	path := "/v1/sources/" + id
	bring := func(message, body string) answer {
		t.Helper()
		return w.bring(id, key.message(o, id, message, body), body)
	}

	first := bring("m-1", measured(indicator, 2024, "70.50")).want(200, "")
	if a := first.json(); a["recorded"] != 1.0 || a["messageId"] != "m-1" || first.header.Get("Strata-Position") != a["position"] {
		t.Errorf("%v %s", first.header, first.body)
	}
	if again := bring("m-1", measured(indicator, 2024, "70.50")).want(200, ""); again.header.Get("Idempotent-Replayed") != "true" || again.json()["replayed"] != true || again.str("position") != first.str("position") {
		t.Errorf("%v %s", again.header, again.body)
	}
	bring("m-1", measured(indicator, 2024, "71")).want(409, "message-conflict")
	batch := bring("m-2", `{"measurements":[`+measured(indicator, 2024, "71")+`,`+measured(indicator, 2023, "not a number")+`,`+measured(indicator, 2022, "9")+`]}`).want(200, "").json()
	if batch["corrected"] != 1.0 || batch["rejected"] != 1.0 || batch["recorded"] != 1.0 || batch["items"].([]any)[1].(map[string]any)["code"] != "not_a_number" {
		t.Errorf("%v", batch)
	}
	w.project()

	steward := o.tokens[authz.DataSteward]
	get := func(path, token string, header ...string) answer {
		t.Helper()
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return w.do(request{method: http.MethodGet, path: path, token: token, header: h})
	}
	before := get(path, steward).want(200, "")
	if s := before.json(); s["status"] != "active" || s["publicKey"] != key.public() || s["lastMessage"] == nil || s["rejectedLastHour"] == 0.0 {
		t.Errorf("%s", before.body)
	}
	get(path, steward, "If-None-Match", before.header.Get("Etag")).want(304, "")

	t.Run("external changes", func(t *testing.T) {
		for query, want := range map[string]int{"": 5, "?outcome=accepted": 2, "?outcome=corrected": 1, "?outcome=rejected": 2, "?sourceId=" + id: 5, "?sourceId=" + uuid.NewString(): 0, "?limit=1": 5} {
			if got := w.items(t, "/v1/external-changes"+query, steward); len(got) != want {
				t.Errorf("%s: %d, want %d: %v", query, len(got), want, got)
			}
		}
		corrected := w.items(t, "/v1/external-changes?outcome=corrected", steward)[0]
		if corrected["old"].(map[string]any)["originalText"] != "70.50" || corrected["new"].(map[string]any)["value"] != "71" || corrected["messageId"] != "m-2" {
			t.Errorf("%v", corrected)
		}
		rejected := w.items(t, "/v1/external-changes?outcome=rejected", steward)
		evidence, _ := rejected[len(rejected)-1]["evidenceId"].(string)
		content := get("/v1/evidence/"+evidence+"/content", steward).want(200, "")
		if !strings.Contains(string(content.body), "not a number") {
			t.Errorf("the bytes of what was refused: %s", content.body)
		}
		get("/v1/external-changes?outcome=lost", steward).want(422, "validation-failed")
	})
	t.Run("where a number comes from", func(t *testing.T) {
		measurement := w.items(t, "/v1/external-changes?outcome=corrected", steward)[0]["measurementId"].(string)
		a := get("/v1/measurements/"+measurement+"/provenance", o.tokens[owner]).want(200, "")
		steps := a.json()["steps"].([]any)
		if len(steps) < 2 || a.str("state") != "live" {
			t.Fatalf("%s", a.body)
		}
		source, _ := steps[len(steps)-1].(map[string]any)["source"].(map[string]any)
		if source["sourceId"] != id || source["messageId"] != "m-2" || source["payloadSha256"] == "" {
			t.Errorf("%v", source)
		}
		get("/v1/measurements/"+measurement+"/provenance", others.tokens[authz.Auditor]).want(404, "not-found")
		get("/v1/measurements/"+uuid.NewString()+"/provenance", o.tokens[owner]).want(404, "not-found")
	})
	t.Run("its terms change while it is suspended", func(t *testing.T) {
		do := func(command, body string) answer {
			t.Helper()
			return w.do(request{path: path + "/commands/" + command, token: steward, body: body})
		}
		do("reinstate", `{"reason":"No need"}`).want(409, "invariant-violated")
		do("suspend", `{"reason":"The key was lost"}`).want(200, "")
		bring("m-3", measured(indicator, 2021, "1")).want(403, "source-suspended")
		next := newSourceKey(t)
		reinstated := do("reinstate", `{"reason":"A new key","publicKey":"`+next.public()+`","maxRatePerMin":59}`).want(200, "")
		if reinstated.str("credentialFingerprint") == "" || reinstated.str("credentialFingerprint") == before.str("credentialFingerprint") {
			t.Errorf("%s", reinstated.body)
		}
		bring("m-4", measured(indicator, 2021, "1")).want(401, "unauthenticated")
		key = next
		bring("m-3", measured(indicator, 2021, "1")).want(200, "")
		w.project()
		after := get(path, steward, "If-None-Match", before.header.Get("Etag")).want(200, "").json()
		if after["publicKey"] != next.public() || after["maxRatePerMin"] != 59.0 || after["status"] != "active" || after["credentialFingerprint"] != reinstated.str("credentialFingerprint") {
			t.Errorf("%v", after)
		}
		for query, want := range map[string]int{"": 1, "?status=active": 1, "?status=suspended": 0, "?channel=http": 1, "?channel=amqp": 0} {
			if got := w.items(t, "/v1/sources"+query, steward); len(got) != want {
				t.Errorf("%s: %d, want %d", query, len(got), want)
			}
		}
	})
	t.Run("others see nothing of it", func(t *testing.T) {
		token := others.tokens[authz.DataSteward]
		get(path, token).want(404, "not-found")
		w.do(request{path: path + "/commands/suspend", token: token, body: `{"reason":"Ours"}`}).want(404, "not-found")
		for _, list := range []string{"/v1/sources", "/v1/external-changes"} {
			if got := w.items(t, list, token); len(got) != 0 {
				t.Errorf("%s: %v", list, got)
			}
		}
		body := measured(indicator, 2020, "1")
		header := key.message(o, id, "m-9", body)
		header.Set("Strata-Organization", others.id.String())
		w.bring(id, header, body).want(401, "unauthenticated")
	})
}

// TestMessagesThatAreNotBelieved: whoever cannot prove to be the source gets
// nothing in, and learns nothing.
func TestMessagesThatAreNotBelieved(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author, authz.DataSteward)
	indicator, _ := w.indicator(o)
	key := newSourceKey(t)
	id := w.source(o, key, indicator)
	body := measured(indicator, 2024, "1")
	before, err := w.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		change func(h http.Header)
		status int
		code   string
	}{
		"no signature":   {func(h http.Header) { h.Del("Strata-Signature") }, 401, "unauthenticated"},
		"two signatures": {func(h http.Header) { h.Add("Strata-Signature", h.Get("Strata-Signature")) }, 401, "unauthenticated"},
		"no base64":      {func(h http.Header) { h.Set("Strata-Signature", "signature") }, 401, "unauthenticated"},
		"another key": {func(h http.Header) {
			h.Set("Strata-Signature", newSourceKey(t).message(o, id, "m", body).Get("Strata-Signature"))
		}, 401, "unauthenticated"},
		"of another message": {func(h http.Header) { h.Set("Strata-Message-Id", "n") }, 401, "unauthenticated"},
		"of another body": {func(h http.Header) {
			h.Set("Strata-Signature", key.message(o, id, "m", body+" ").Get("Strata-Signature"))
		}, 401, "unauthenticated"},
		"of another source": {func(h http.Header) {
			h.Set("Strata-Signature", key.message(o, uuid.NewString(), "m", body).Get("Strata-Signature"))
		}, 401, "unauthenticated"},
		"of another organization": {func(h http.Header) { h.Set("Strata-Organization", uuid.NewString()) }, 401, "unauthenticated"},
		"a token instead": {func(h http.Header) {
			h.Del("Strata-Signature")
			h.Set("Authorization", "Bearer "+o.tokens[authz.DataSteward])
		}, 401, "unauthenticated"},
		"no organization":          {func(h http.Header) { h.Del("Strata-Organization") }, 400, "malformed-request"},
		"an organization of words": {func(h http.Header) { h.Set("Strata-Organization", "ours") }, 400, "malformed-request"},
		"no message id":            {func(h http.Header) { h.Del("Strata-Message-Id") }, 400, "malformed-request"},
		"a message id of spaces":   {func(h http.Header) { h.Set("Strata-Message-Id", "m 1") }, 400, "malformed-request"},
		"another digest":           {func(h http.Header) { h.Set("Content-Digest", digestOf("x")) }, 400, "digest-mismatch"},
		"a form":                   {func(h http.Header) { h.Set("Content-Type", "application/x-www-form-urlencoded") }, 415, "unsupported-media-type"},
		"compressed":               {func(h http.Header) { h.Set("Content-Encoding", "gzip") }, 415, "unsupported-media-type"},
	} {
		t.Run(what, func(t *testing.T) {
			h := key.message(o, id, "m", body)
			c.change(h)
			a := w.bring(id, h, body).want(c.status, c.code)
			if c.status == http.StatusUnauthorized && a.header.Get("Www-Authenticate") != `Strata-Signature realm="strata"` {
				t.Errorf("%v", a.header)
			}
			if c.status == http.StatusUnauthorized && (a.str("rule") != "" || strings.Contains(string(a.body), id)) {
				t.Errorf("it tells why: %s", a.body)
			}
		})
	}
	unknown := uuid.NewString()
	other := w.bring(unknown, key.message(o, unknown, "m", body), body).want(401, "unauthenticated")
	stranger := w.bring(id, newSourceKey(t).message(o, id, "m", body), body).want(401, "unauthenticated")
	if other.str("detail") != stranger.str("detail") || other.str("title") != stranger.str("title") {
		t.Errorf("a source that is not there is told from one that is: %s %s", other.body, stranger.body)
	}
	w.bring("x", key.message(o, "x", "m", body), body).want(404, "not-found")
	large := strings.Repeat(" ", 1<<20) + body
	w.bring(id, key.message(o, id, "m", large), large).want(413, "too-large")
	if after, err := w.log.Head(t.Context()); err != nil || after != before {
		t.Errorf("%d events were recorded (%v)", after-before, err)
	}
	// What is wrong with the body of a source that is believed is kept.
	w.bring(id, key.message(o, id, "broken", `{"a":1,"a":2}`), `{"a":1,"a":2}`).want(400, "malformed-request")
	if after, err := w.log.Head(t.Context()); err != nil || after == before {
		t.Errorf("nothing was recorded of a message that was refused (%v)", err)
	}
	w.bring(id, key.message(o, id, "m", body), body).want(200, "")
}

// TestSourcesThatAreNotAcceptable: what a registration must not say.
func TestSourcesThatAreNotAcceptable(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author, authz.DataSteward)
	indicator, _ := w.indicator(o)
	good := `{"name":"Agency","system":"Hub","channel":"http","stewardId":"` + w.holder(o, authz.DataSteward) + `","publicKey":"` + newSourceKey(t).public() + `",
		"allowedIndicators":[{"indicatorId":"` + strings.TrimPrefix(indicator, "/v1/indicators/") + `"}],"maxRatePerMin":60}`
	for what, c := range map[string]struct{ from, to, code string }{
		"a channel of ours":       {`"http"`, `"smoke"`, "validation-failed"},
		"a rate of zero":          {`60}`, `0}`, "validation-failed"},
		"a rate beyond all":       {`60}`, `60001}`, "validation-failed"},
		"a rate in halves":        {`60}`, `1.5}`, "validation-failed"},
		"a key of another length": {`"publicKey":"`, `"publicKey":"AAAA`, "validation-failed"},
		"a private key":           {`"name"`, `"privateKey":"x","name"`, "validation-failed"},
		"a steward who is none":   {w.holder(o, authz.DataSteward), w.holder(o, author), "invariant-violated"},
		"an unknown indicator":    {strings.TrimPrefix(indicator, "/v1/indicators/"), uuid.NewString(), "invariant-violated"},
	} {
		t.Run(what, func(t *testing.T) {
			bad := strings.Replace(good, c.from, c.to, 1)
			if a := w.do(request{path: "/v1/sources", token: o.tokens[authz.DataSteward], body: bad}); a.status/100 != 4 || a.str("code") != c.code || bad == good {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	w.do(request{path: "/v1/sources", token: o.tokens[authz.DataSteward], body: good}).want(201, "")
}

// TestAFloodOfOneIsNobodyElses: messages are counted by source and by the address
// they come from, so that nobody uses up what the source itself may send.
func TestAFloodOfOneIsNobodyElses(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author, authz.DataSteward)
	indicator, _ := w.indicator(o)
	key := newSourceKey(t)
	id := w.source(o, key, indicator)
	w.options.Rate = rest.Rate{Requests: 3}
	limited, err := rest.New(w.options)
	if err != nil {
		t.Fatal(err)
	}
	w.handler = limited
	body := measured(indicator, 2024, "1")
	flood := key.message(o, id, "m", body)
	flood.Set("Strata-Signature", "x")
	for range 3 {
		w.bring(id, flood.Clone(), body).want(401, "unauthenticated")
	}
	if a := w.bring(id, flood.Clone(), body).want(429, "rate-limited"); a.header.Get("Retry-After") == "" || a.header.Get("Ratelimit") == "" {
		t.Errorf("%v", a.header)
	}
	// The flood is that of one address: see httptest.NewRequest.
	a := w.bringFrom("198.51.100.7:1", id, key.message(o, id, "m", body), body).want(200, "")
	if a.json()["recorded"] != 1.0 {
		t.Errorf("%s", a.body)
	}
}

// TestFailedSignaturesAreOnRecord: what the answer does not tell, the journal does.
func TestFailedSignaturesAreOnRecord(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author, authz.DataSteward)
	indicator, _ := w.indicator(o)
	id := w.source(o, newSourceKey(t), indicator)
	recording(t, w)
	body := measured(indicator, 2024, "1")
	w.bring(id, newSourceKey(t).message(o, id, "m", body), body).want(401, "unauthenticated")
	unknown := uuid.NewString()
	w.bring(unknown, newSourceKey(t).message(o, unknown, "m", body), body).want(401, "unauthenticated")
	for organization, want := range map[uuid.UUID]string{o.id: "bad_signature", journal.Installation: "unknown_source"} {
		entries := w.entries(organization)
		if len(entries) != 1 {
			t.Fatalf("%s: %v", want, entries)
		}
		if e, ok := entries[0].(facts.SignInFailed); !ok || e.Reason != want {
			t.Errorf("got %+v, want %s", entries[0], want)
		}
	}
}
