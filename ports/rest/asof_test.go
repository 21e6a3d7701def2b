package rest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"strata.dev/strata/api"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/tests/testenv"
)

// Every read can be asked as of a moment: what waits for a position answers as of
// one, but for differences, which name two.
func TestEveryReadTakesAMoment(t *testing.T) {
	text, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string
			Parameters  []struct {
				Ref string `json:"$ref"`
			}
		}
	}
	var loose struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &loose); err != nil {
		t.Fatal(err)
	}
	for path, methods := range loose.Paths {
		delete(methods, "parameters")
		only, err := json.Marshal(map[string]any{"paths": map[string]any{path: methods}})
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(only, &doc); err != nil {
			t.Fatal(err)
		}
	}
	reads := 0
	for path, methods := range doc.Paths {
		get, ok := methods["get"]
		if !ok {
			continue
		}
		has := func(name string) bool {
			return slices.ContainsFunc(get.Parameters, func(p struct {
				Ref string `json:"$ref"`
			},
			) bool {
				return strings.HasSuffix(p.Ref, "/"+name)
			})
		}
		wanted := has("MinPosition") && !has("MarkFrom")
		for _, name := range []string{"AsOf", "AsOfPosition", "AcceptDatetime"} {
			if has(name) != wanted && !strings.HasPrefix(path, "/v1/ledger") && !strings.HasPrefix(path, "/log") {
				t.Errorf("%s: %s is %v, want %v", path, name, has(name), wanted)
			}
		}
		if wanted {
			reads++
		}
	}
	if reads < 31 {
		t.Errorf("%d reads take a moment", reads)
	}
}

// pastWorld is a world with something of everything.
type pastWorld struct {
	*readWorld
	o, others       organization
	indicator, plan string
	paths           []string // of all reads
	position        int64    // that the read side has reached
}

func newPastWorld(t *testing.T) *pastWorld {
	t.Helper()
	w := &pastWorld{readWorld: newReadWorld(t)}
	w.o = w.register("Examples", author, owner, authz.Auditor, authz.DataSteward, authz.ComplianceOfficer)
	w.others = w.register("Others", author, authz.Auditor)
	w.indicator, w.plan = w.readWorld.indicator(w.o)
	w.change("70.50")
	finding := w.raise(w.o, w.indicator, "high")
	evidence := w.evidence(w.o, "the bytes")
	source := w.source(w.o, newSourceKey(t), w.indicator)
	imported := w.do(request{path: "/v1/strategies/stratml", token: w.o.tokens[author], body: documentText, header: xml()}).want(201, "").str("importId")
	w.position = w.project()
	measurement := w.get(w.indicator+"/series?kind=measurement", w.o.tokens[owner]).want(200, "").json()["items"].([]any)[0].(map[string]any)["measurementId"].(string)
	event := w.get(w.plan+"/events", w.o.tokens[owner]).want(200, "").json()["items"].([]any)[0].(map[string]any)["id"].(string)
	w.paths = []string{
		"/v1/organization", "/v1/organization/members", "/v1/organization/governance-policy", "/v1/organization/legal-holds", "/v1/strategies", w.plan,
		w.plan + "/scorecard", w.plan + "/events", w.indicator, w.indicator + "/series", w.indicator + "/events", "/v1/approvals", "/v1/activity",
		"/v1/imports", "/v1/imports/" + imported, "/v1/findings", finding, finding + "/history", "/v1/evidence",
		"/v1/evidence/" + evidence, "/v1/sources", "/v1/sources/" + source, "/v1/external-changes", "/v1/measurements/" + measurement + "/provenance",
		"/v1/journal", "/v1/segregation", "/v1/attestations", "/v1/persons/" + w.holder(w.o, owner), "/v1/events", "/v1/events/" + event,
	}
	return w
}

// change leaves something in every list.
func (w *pastWorld) change(value string) {
	w.t.Helper()
	w.do(request{
		path: w.indicator + "/commands/set-target", token: w.o.tokens[author],
		body: `{"period":{"start":"2025-01-01","end":"2025-12-31"},"value":"` + value + `","reason":"agreed"}`,
	}).want(200, "")
	w.do(request{
		path: w.indicator + "/commands/record", token: w.o.tokens[owner],
		body: `{"period":{"start":"201` + value[:1] + `-01-01","end":"201` + value[:1] + `-12-31"},"value":"` + value + `"}`,
	}).want(200, "")
	w.do(request{
		path: "/v1/organization/commands/place-legal-hold", token: w.o.tokens["officer"],
		body: `{"matter":"Case ` + value + `","basis":"court order","scope":{"organization":true}}`,
	}).want(200, "")
	w.draft(w.o)
	w.draft(w.others)
}

func (w *pastWorld) get(path, token string, header ...string) answer {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return w.do(request{method: "GET", path: path, token: token, header: h})
}

// What was answered at a position is what is answered as of it later, to the
// byte, whatever names the moment.
func TestAnswersAsOf(t *testing.T) {
	w := newPastWorld(t)
	token := w.o.tokens[authz.Auditor]
	then := w.position
	live := map[string]answer{}
	for _, path := range w.paths {
		if live[path] = w.get(path, token); live[path].status != 200 {
			t.Fatalf("%s: %d %s", path, live[path].status, live[path].body)
		}
	}
	events, err := w.log.Read(t.Context(), then-1, 1)
	if err != nil {
		t.Fatal(err)
	}
	instant := events[0].RecordedAt
	// What comes now is of a later second: dates have no more than seconds.
	date := instant.Truncate(time.Second).Add(time.Second)
	testenv.Eventually(t, 20*time.Second, "the next second", func() error {
		if !time.Now().After(date) {
			return errors.New("not yet")
		}
		return nil
	})
	w.change("81.25")
	w.raise(w.o, w.indicator, "low")
	w.evidence(w.o, "other bytes")
	w.source(w.o, newSourceKey(t), w.indicator)
	w.do(request{path: "/v1/strategies/stratml", token: w.o.tokens[author], body: "<no/>", header: xml()}).want(422, "stratml-refused")
	w.enrol(w.o, authz.Viewer)
	now := w.project()
	changed := 0
	for _, path := range w.paths {
		want := timeless(t, path, live[path].body)
		if string(want) != string(timeless(t, path, w.get(path, token).want(200, "").body)) {
			changed++
		}
		for how, ask := range map[string]func() answer{
			"position": func() answer { return w.get(path+"?asOfPosition="+fmt.Sprint(then), token) },
			"instant": func() answer {
				return w.get(path+"?asOf="+url.QueryEscape(instant.Format(time.RFC3339Nano)), token)
			},
			"date": func() answer {
				return w.get(path, token, "Accept-Datetime", date.UTC().Format(http.TimeFormat))
			},
		} {
			got := ask().want(200, "")
			if g := timeless(t, path, got.body); string(g) != string(want) {
				t.Errorf("%s by %s:\nthen %s\nnow  %s", path, how, want, g)
			}
			cache := "private, no-cache"
			if how == "position" {
				cache = "private, max-age=31536000, immutable"
			}
			if got.header.Get("Cache-Control") != cache || got.header.Get("Vary") != "Accept-Datetime" {
				t.Errorf("%s by %s: %v", path, how, got.header)
			}
			moment := instant
			if how == "date" {
				moment = date
			}
			if memento := got.header.Get("Memento-Datetime"); memento != moment.UTC().Format(http.TimeFormat) {
				t.Errorf("%s by %s: Memento-Datetime %q, want that of %s", path, how, memento, moment)
			}
			if !slices.Contains(got.header["Link"], "<"+path+`>; rel="original timegate"`) {
				t.Errorf("%s by %s: Link %q", path, how, got.header["Link"])
			}
		}
	}
	if changed < 20 {
		t.Errorf("%d of %d answers have changed since: not much is tested", changed, len(w.paths))
	}
	t.Run("pages keep their moment", func(t *testing.T) {
		for _, path := range []string{"/v1/strategies", "/v1/organization/members", "/v1/activity", "/v1/organization/legal-holds", w.indicator + "/series"} {
			all := w.items(t, path+"?limit=1&asOf="+url.QueryEscape(instant.Format(time.RFC3339Nano)), token)
			want := live[path].json()["items"].([]any)
			if len(want) > 50 || fmt.Sprint(len(all)) != fmt.Sprint(len(want)) {
				t.Errorf("%s: %d items on pages of one, %d then", path, len(all), len(want))
			}
			first := w.get(path+"?limit=1&asOfPosition="+fmt.Sprint(then), token).want(200, "")
			if first.str("nextCursor") == "" {
				continue
			}
			cursor := url.QueryEscape(first.str("nextCursor"))
			// The cursor says of what moment the pages are.
			alone := w.get(path+"?limit=1&cursor="+cursor, token).want(200, "")
			if alone.header.Get("Strata-Position") != fmt.Sprint(then) || alone.header.Get("Memento-Datetime") == "" {
				t.Errorf("%s: the second page is as of %s", path, alone.header.Get("Strata-Position"))
			}
			w.get(path+"?limit=1&cursor="+cursor+"&asOfPosition="+fmt.Sprint(then+1), token).want(400, "invalid-cursor")
			present := url.QueryEscape(w.get(path+"?limit=1", token).want(200, "").str("nextCursor"))
			w.get(path+"?limit=1&cursor="+present+"&asOfPosition="+fmt.Sprint(then), token).want(400, "invalid-cursor")
		}
	})
	t.Run("not modified", func(t *testing.T) {
		for _, path := range []string{w.plan, w.indicator, "/v1/organization"} {
			ask := path + "?asOfPosition=" + fmt.Sprint(then)
			a := w.get(ask, token, "If-None-Match", w.get(ask, token).want(200, "").header.Get("Etag")).want(304, "")
			if a.header.Get("Memento-Datetime") == "" || a.header.Get("Strata-Position") != fmt.Sprint(then) {
				t.Errorf("%s: %v", path, a.header)
			}
		}
	})
	t.Run("refusals", func(t *testing.T) {
		path := w.paths[0] // one middleware resolves the moment for all of them
		w.get(path+"?asOfPosition=1&asOf=2025-01-01T00:00:00Z", token).want(422, "validation-failed")
		w.get(path+"?asOfPosition=0", token).want(422, "validation-failed")
		w.get(path+"?asOf=2999-01-01T00:00:00Z", token).want(422, "validation-failed")
		w.get(path, token, "Accept-Datetime", "yesterday").want(400, "malformed-request")
		if refused := w.get(path+"?asOfPosition="+fmt.Sprint(now+1_000), token, "Prefer", "wait=0"); refused.status != 503 || refused.header.Get("Memento-Datetime") != "" {
			t.Errorf("%s: %d %v for a position that is not there yet", path, refused.status, refused.header)
		}
		w.get(w.plan+"?asOfPosition=1", token).want(404, "not-found")
		w.get(w.plan+"/events?asOfPosition=1", token).want(404, "not-found")
		w.get("/v1/journal?asOfPosition="+fmt.Sprint(then), w.o.tokens[owner]).want(403, "forbidden")
	})
	t.Run("others see nothing of it", func(t *testing.T) {
		theirs := w.others.tokens[authz.Auditor]
		secrets := []string{w.o.id.String(), strings.TrimPrefix(w.indicator, "/v1/indicators/"), strings.TrimPrefix(w.plan, "/v1/strategies/"), "Emissions", "70.5"}
		for _, path := range w.paths {
			for _, moment := range []string{"?asOfPosition=" + fmt.Sprint(then), "?asOf=" + url.QueryEscape(instant.Format(time.RFC3339Nano))} {
				a := w.get(path+moment, theirs)
				for _, secret := range secrets {
					if a.status == 200 && strings.Contains(string(a.body), secret) {
						t.Errorf("%s%s shows %s to another organization: %s", path, moment, secret, a.body)
					}
				}
			}
		}
	})
}

// timeless is an answer without what depends on when it is asked for.
func timeless(t *testing.T, path string, body []byte) []byte {
	t.Helper()
	if path == "/v1/events" || strings.HasPrefix(path, "/v1/journal") {
		return body
	}
	var v map[string]any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if path == "/v1/segregation" {
		delete(v, "at")
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
