package rest_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// items follows rel="next" from a path to the last page.
func (w *world) items(t *testing.T, path, token string) (all []map[string]any) {
	t.Helper()
	for path != "" {
		a := w.do(request{method: "GET", path: path, token: token}).want(200, "")
		for _, item := range a.json()["items"].([]any) {
			all = append(all, item.(map[string]any))
		}
		next, ok := strings.CutSuffix(strings.TrimPrefix(a.header.Get("Link"), "<"), `>; rel="next"`)
		if cursor := a.str("nextCursor"); (cursor != "") != ok {
			t.Fatalf("nextCursor %q, Link %q", cursor, a.header.Get("Link"))
		}
		path = ""
		if ok {
			path = next
		}
	}
	return all
}

func TestRegisters(t *testing.T) {
	w := newReadWorld(t)
	o, others := w.register("Examples", author, owner), w.register("Others", author)
	indicator, plan := w.indicator(o)
	record := func(value string) string {
		return w.do(request{
			path: indicator + "/commands/record", token: o.tokens[owner],
			body: `{"period":{"start":"2025-01-01","end":"2025-12-31"},"value":"` + value + `"}`,
		}).want(200, "").str("position")
	}
	first := record("70.50")
	w.do(request{
		path: indicator + "/commands/correct", token: o.tokens[owner],
		body: `{"period":{"start":"2025-01-01","end":"2025-12-31"},"value":"71","reason":"counted again"}`,
	}).want(200, "")
	hold := w.do(request{
		path: "/v1/organization/commands/place-legal-hold", token: o.tokens["officer"],
		body: `{"matter":"Case 7","basis":"court order","scope":{"streams":["` + strings.Replace(plan[len("/v1/"):], "strategies/", "strategy-", 1) + `"]}}`,
	}).want(200, "").str("holdId")
	imported := w.do(request{path: "/v1/strategies/stratml", token: o.tokens[author], body: documentText, header: xml()}).want(201, "")
	w.do(request{path: "/v1/strategies/stratml", token: o.tokens[author], body: "<no/>", header: xml()}).want(422, "stratml-refused")
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

	t.Run("the policy and the holds", func(t *testing.T) {
		policy := get("/v1/organization/governance-policy").want(200, "")
		if policy.json()["version"] != 1.0 || policy.json()["rules"].(map[string]any)["retentionYears"] != 10.0 {
			t.Errorf("%s", policy.body)
		}
		get("/v1/organization/governance-policy", "If-None-Match", policy.header.Get("Etag")).want(304, "")
		holds := w.items(t, "/v1/organization/legal-holds?state=placed", token)
		if len(holds) != 1 || holds[0]["id"] != hold || holds[0]["matter"] != "Case 7" {
			t.Errorf("%v", holds)
		}
		if released := w.items(t, "/v1/organization/legal-holds?state=released", token); len(released) != 0 {
			t.Errorf("%v", released)
		}
	})
	t.Run("who did what", func(t *testing.T) {
		whole := w.items(t, "/v1/activity?limit=200", token)
		paged := w.items(t, "/v1/activity?limit=3", token)
		ids := func(list []map[string]any) (out []string) {
			for _, e := range list {
				out = append(out, e["id"].(string))
			}
			return out
		}
		if len(whole) < 10 || !slices.Equal(ids(whole), ids(paged)) {
			t.Errorf("%d in one page, %d in pages of three", len(whole), len(paged))
		}
		counted := get("/v1/activity?limit=1&count=exact").want(200, "")
		if counted.json()["total"] != float64(len(whole)) {
			t.Errorf("total %v, want %d", counted.json()["total"], len(whole))
		}
		for _, e := range w.items(t, "/v1/activity?role=indicator_owner", token) {
			if roles := fmt.Sprint(e["actorRoles"]); !strings.Contains(roles, "indicator_owner") {
				t.Errorf("%v", e)
			}
		}
		corrections := w.items(t, indicator+"/events?types=indicator.measurement-corrected", token)
		if len(corrections) != 1 || corrections[0]["reason"] != "counted again" || len(corrections[0]["changes"].([]any)) == 0 {
			t.Errorf("%v", corrections)
		}
		if none := w.items(t, indicator+"/events?from=2999-01-01T00:00:00Z", token); len(none) != 0 {
			t.Errorf("%v", none)
		}
		get("/v1/activity?from=yesterday").want(422, "validation-failed")
		get("/v1/activity?colour=red").want(422, "validation-failed")
	})
	t.Run("a series as known at an instant", func(t *testing.T) {
		then := get(indicator+"/series?asOfPosition="+first).want(200, "")
		if !strings.Contains(string(then.body), `"value":"70.5"`) || then.header.Get("Strata-Position") != first {
			t.Errorf("%v %s", then.header, then.body)
		}
		now := get(indicator+`/series?dims=`+"%7B%7D"+`&kind=measurement&voided=true`).want(200, "")
		if !strings.Contains(string(now.body), `"value":"71"`) || !strings.Contains(string(now.body), `"former":[`) {
			t.Errorf("%s", now.body)
		}
		get(indicator+"/series?asOfPosition=1&asOf=2025-01-01T00:00:00Z").want(422, "validation-failed")
		for _, bad := range []string{"[]", "{", `{"a":1}`, `{"a":"b","a":"c"}`, "null"} {
			get(indicator+"/series?dims="+strings.NewReplacer("{", "%7B", "}", "%7D", `"`, "%22", "[", "%5B", "]", "%5D").Replace(bad)).want(422, "validation-failed")
		}
	})
	t.Run("what differs", func(t *testing.T) {
		all := w.items(t, plan+"/diff?limit=1", token)
		if len(all) < 3 || all[0]["change"] != "added" {
			t.Errorf("%v", all)
		}
		of := get(indicator+"/diff?from="+first+"&to="+fmt.Sprint(position)).want(200, "")
		if !strings.Contains(string(of.body), `"element":"measurement"`) || !strings.Contains(string(of.body), `"change":"amended"`) {
			t.Errorf("%s", of.body)
		}
		get(plan+"/diff?from=2025-01-01T00:00:00Z&to=2999-01-01T00:00:00Z").want(200, "")
		get(plan+"/diff?from=1&to=revision-1").want(422, "validation-failed") // of another kind than from
		get(plan+"/diff?from=revision-1&to=revision-1").want(200, "")
		for _, bad := range []string{"from=revision-0", "from=x", "to=2025-13-01T00:00:00Z", "from=99999999999999999999"} {
			get(plan+"/diff?"+bad).want(422, "validation-failed")
		}
	})
	t.Run("imports and approvals", func(t *testing.T) {
		list := w.items(t, "/v1/imports?limit=1", token)
		if len(list) != 2 || list[0]["status"] != "accepted" || list[1]["status"] != "refused" {
			t.Fatalf("%v", list)
		}
		one := get("/v1/imports/"+imported.str("importId")).want(200, "")
		if one.str("strategyId") != imported.str("strategyId") || one.str("documentSha256") != imported.str("sha256") {
			t.Errorf("%s", one.body)
		}
		get("/v1/imports/"+imported.str("importId"), "If-None-Match", one.header.Get("Etag")).want(304, "")
		if approvals := w.items(t, "/v1/approvals?revision=1&strategyId="+strings.TrimPrefix(plan, "/v1/strategies/"), token); len(approvals) != 0 {
			t.Errorf("%v", approvals)
		}
	})
	t.Run("others see nothing of it", func(t *testing.T) {
		token = others.tokens[author]
		for _, path := range []string{plan + "/diff", indicator + "/diff", "/v1/imports/" + imported.str("importId"), "/v1/imports/" + imported.str("importId") + "/original", plan + "/stratml"} {
			get(path).want(404, "not-found")
		}
		for _, path := range []string{"/v1/activity", "/v1/imports", "/v1/approvals", "/v1/organization/legal-holds"} {
			if a := get(path).want(200, ""); strings.Contains(string(a.body), o.id.String()) || strings.Contains(string(a.body), "Case 7") {
				t.Errorf("%s: %s", path, a.body)
			}
		}
	})
}
