package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"strata.dev/strata/adapters/auditdb"
	"strata.dev/strata/adapters/plansdb"
	"strata.dev/strata/ports/rest"
	"strata.dev/strata/tests/testenv"
)

// readWorld is a world whose read side is the real one, brought up to date when
// a test says so.
type readWorld struct {
	*world
	plans *plansdb.Projection
	audit *auditdb.Projection

	databases map[string]string // URLs of the role that answers queries
}

func newReadWorld(t *testing.T) *readWorld {
	t.Helper()
	plansURLs, auditURLs := testenv.Plans(t), testenv.Audit(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w := &readWorld{databases: map[string]string{"plans": plansURLs.Reader, "audit": auditURLs.Reader}}
	var err error
	w.plans, err = plansdb.OpenProjection(t.Context(), plansURLs.Projector, plansdb.Options{})
	must(err)
	t.Cleanup(w.plans.Close)
	plans, err := plansdb.OpenReader(t.Context(), plansURLs.Reader, w.plans)
	must(err)
	t.Cleanup(plans.Close)
	w.audit, err = auditdb.OpenProjection(t.Context(), auditURLs.Projector, auditdb.Options{})
	must(err)
	t.Cleanup(w.audit.Close)
	audit, err := auditdb.OpenReader(t.Context(), auditURLs.Reader, w.audit)
	must(err)
	t.Cleanup(audit.Close)
	plans.LookBackIn(audit)
	audit.EndsAt(func(ctx context.Context) (int64, error) { return w.log.Head(ctx) })
	w.world = newWorld(t, func(o *rest.Options) { o.App.Plans, o.App.Audit = plans, audit })
	return w
}

// project shows everything recorded to the read side and gives its position.
func (w *readWorld) project() int64 {
	w.t.Helper()
	ctx := w.t.(*testing.T).Context()
	from, err := w.plans.Checkpoint(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	events, err := w.log.Read(ctx, from, 100_000)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.plans.Apply(ctx, events); err != nil {
		w.t.Fatal(err)
	}
	if err := w.audit.Apply(ctx, events); err != nil {
		w.t.Fatal(err)
	}
	return events[len(events)-1].Position
}

func TestReadsOfTheRealReadSide(t *testing.T) {
	w := newReadWorld(t)
	o, others := w.register("Examples", author, owner), w.register("Others", author)
	indicator, plan := w.indicator(o)
	w.do(request{
		path: indicator + "/commands/set-target", token: o.tokens[author],
		body: `{"period":{"start":"2025-01-01","end":"2025-12-31"},"value":"80","reason":"agreed"}`,
	}).want(200, "")
	w.do(request{
		path: indicator + "/commands/record", token: o.tokens[owner],
		body: `{"period":{"start":"2025-01-01","end":"2025-12-31"},"value":"70.50"}`,
	}).want(200, "")
	w.draft(o)
	position := w.project()
	token := o.tokens[owner]
	get := func(path string, header ...string) answer {
		t.Helper()
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return w.do(request{method: "GET", path: path, token: token, header: h})
	}

	t.Run("each answers and is current", func(t *testing.T) {
		for _, path := range []string{
			"/v1/organization", "/v1/organization/members", "/v1/strategies", plan, plan + "/scorecard", plan + "/events",
			indicator, indicator + "/series", indicator + "/events", "/v1/events",
		} {
			a := get(path).want(200, "")
			if got := a.header.Get("Strata-Position"); got != fmt.Sprint(position) {
				t.Errorf("%s: position %s, want %d", path, got, position)
			}
			if cache := a.header.Get("Cache-Control"); cache != "private, no-cache" {
				t.Errorf("%s: Cache-Control %q", path, cache)
			}
		}
	})
	t.Run("content", func(t *testing.T) {
		i := get(indicator).want(200, "").json()
		if i["health"] != "on_track" || i["actual"].(map[string]any)["value"] != "70.5" || i["targets"] != 1.0 {
			t.Errorf("%v", i)
		}
		if s := get(indicator+"/series").want(200, ""); !strings.Contains(string(s.body), `"originalText":"70.50"`) {
			t.Errorf("%s", s.body)
		}
		if s := get(plan+"/scorecard").want(200, ""); !strings.Contains(string(s.body), `"onTrack":1`) {
			t.Errorf("%s", s.body)
		}
	})
	t.Run("conditional", func(t *testing.T) {
		tree := get(plan).want(200, "")
		w.do(request{path: "/v1/strategies", token: others.tokens[author], body: `{"frame":{"name":"Elsewhere"}}`}).want(201, "")
		moved := w.project()
		if a := get(plan, "If-None-Match", tree.header.Get("Etag")).want(304, ""); a.header.Get("Strata-Position") != fmt.Sprint(moved) {
			t.Errorf("the log moved to %d elsewhere, the answer is as of %s", moved, a.header.Get("Strata-Position"))
		}
		position = moved
		for _, path := range []string{"/v1/organization", plan, plan + "/scorecard", indicator, indicator + "/series"} {
			tag := get(path).want(200, "").header.Get("Etag")
			a := get(path, "If-None-Match", `"0", W/`+tag).want(304, "")
			if len(a.body) != 0 || a.header.Get("Etag") != tag {
				t.Errorf("%s: %v %s", path, a.header, a.body)
			}
			get(path, "If-None-Match", `"0"`).want(200, "")
		}
		// A strategy's tag is good for If-Match as it stands.
		w.do(request{path: plan + "/commands/add-goal", token: o.tokens[author], match: get(plan).header.Get("Etag"), body: `{"name":"More"}`}).want(200, "")
	})
	t.Run("read your writes or hear that you cannot", func(t *testing.T) {
		wrote := w.do(request{path: plan + "/commands/add-goal", token: o.tokens[author], body: `{"name":"Newest"}`}).want(200, "").str("position")
		a := get(plan, "Strata-Min-Position", wrote, "Prefer", "wait=1").want(503, "projection-behind")
		if a.str("wanted") != wrote || a.str("reached") != fmt.Sprint(position) {
			t.Errorf("%s", a.body)
		}
		w.project()
		if a := get(plan, "Strata-Min-Position", wrote).want(200, ""); !strings.Contains(string(a.body), "Newest") {
			t.Errorf("%s", a.body)
		}
	})
	t.Run("pages", func(t *testing.T) {
		first := get("/v1/strategies?limit=1").want(200, "")
		link := first.header.Get("Link")
		next, ok := strings.CutSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
		if !ok {
			t.Fatalf("Link %q", link)
		}
		second := get(next).want(200, "")
		if string(first.body) == string(second.body) || second.header.Get("Link") != "" || len(second.json()["items"].([]any)) != 1 {
			t.Errorf("%s\n%s", first.body, second.body)
		}
		get("/v1/strategies?cursor=abc").want(400, "invalid-cursor")
		get(strings.Replace(next, "/v1/strategies", plan+"/events", 1)).want(400, "invalid-cursor")
	})
	t.Run("the feed is complete and filtered", func(t *testing.T) {
		var all []string
		for next := "/v1/events?limit=2"; ; {
			a := get(next).want(200, "")
			ids := sequences(t, a)
			if len(ids) == 0 {
				break
			}
			all = append(all, ids...)
			next = strings.TrimSuffix(strings.TrimPrefix(a.header.Get("Link"), "<"), `>; rel="next"`)
		}
		ours := 0
		events, err := w.log.Read(t.Context(), 0, 100_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.OrganizationID == o.id {
				ours++
			}
		}
		if len(all) != ours {
			t.Errorf("%d events, want %d", len(all), ours)
		}
		if got := sequences(t, get("/v1/events?types=indicator.target-set,indicator.defined").want(200, "")); len(got) != 2 {
			t.Errorf("%d filtered events, want 2", len(got))
		}
	})
	t.Run("one event", func(t *testing.T) {
		id := get(plan+"/events").want(200, "").json()["items"].([]any)[0].(map[string]any)["id"].(string)
		if a := get("/v1/events/"+id).want(200, ""); a.str("type") != "strategy.drafted" {
			t.Errorf("%s", a.body)
		}
	})
	t.Run("others see nothing of it", func(t *testing.T) {
		token = others.tokens[author]
		for _, path := range []string{plan, plan + "/scorecard", plan + "/events", indicator, indicator + "/series", indicator + "/events"} {
			get(path).want(404, "not-found")
		}
		for _, path := range []string{"/v1/organization", "/v1/organization/members", "/v1/strategies", "/v1/events"} {
			if a := get(path).want(200, ""); strings.Contains(string(a.body), o.id.String()) || strings.Contains(string(a.body), "Emissions") {
				t.Errorf("%s: %s", path, a.body)
			}
		}
	})
}

func sequences(t *testing.T, a answer) []string {
	t.Helper()
	var out []string
	for part := range strings.SplitSeq(string(a.body), `"sequence":"`) {
		if len(part) >= 20 && strings.Trim(part[:20], "0123456789") == "" {
			out = append(out, part[:20])
		}
	}
	return out
}
