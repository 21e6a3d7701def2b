package rest_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/ports/rest"
	"strata.dev/strata/ports/rest/resttest"
)

// canary stands in every text field of one organization. Nobody else may ever
// receive it, nor the organization's id.
const canary = "canary-3f9b61c2"

// sing is a world in which mine has the canary wherever text goes, and the other
// organization has none.
func sing(t *testing.T) *matrix {
	t.Helper()
	m := newMatrix(t)
	values := maps.Clone(m.values)
	values[""] = []string{canary, canary + " \"é\" <b>"}
	values["value"] = []string{"12.5", "80"}
	recorded := 0
	for round := range 4 {
		for _, op := range resttest.Operations(t) {
			command := commandsOf[op.ID]
			if op.Body == nil || command == "" || slices.Contains([]string{authz.RegisterOrganization, authz.RevokeRole, authz.OffboardMember}, command) ||
				strings.HasPrefix(op.ID, "retire") || op.ID == "closeStrategy" || op.ID == "submitStrategy" {
				continue
			}
			role := slices.IndexFunc(authz.Grantable(), func(r string) bool { return authz.Allowed(r, command) })
			body := text(t, rapid.Custom(func(t *rapid.T) any { return values.Draw(t, op.Body, "", false) }).Example(round))
			a := m.do(request{method: op.Method, path: m.target(op), token: m.mine.tokens[authz.Grantable()[role]], body: body})
			if a.status >= 500 {
				t.Fatalf("%s %s: %d %s", op.ID, body, a.status, a.body)
			}
			if a.status < 300 && strings.Contains(body, canary) {
				recorded++
			}
		}
	}
	for _, r := range []request{
		{path: "/v1/strategies", token: m.mine.tokens[author], body: `{"frame":{"name":"` + canary + `","vision":"` + canary + `"}}`},
		{path: m.target(operation(t, "addGoal")), token: m.mine.tokens[author], body: `{"name":"` + canary + `","description":"` + canary + `"}`},
		{path: m.target(operation(t, "recordMeasurement")), token: m.mine.tokens[owner], body: `{"period":{"start":"2026-01-01","end":"2026-12-31"},"value":"1","note":"` + canary + `"}`},
		{path: m.target(operation(t, "setTarget")), token: m.mine.tokens[author], body: `{"period":{"start":"2026-01-01","end":"2026-12-31"},"value":"2","reason":"` + canary + `"}`},
		{path: m.target(operation(t, "redefineIndicator")), token: m.mine.tokens[author], body: `{"changes":[{"field":"name","new":{"text":"` + canary + `"}}],"reason":"` + canary + `"}`},
		{path: "/v1/organization/commands/place-legal-hold", token: m.mine.tokens["officer"], body: `{"matter":"` + canary + `","basis":"` + canary + `","scope":{"organization":true}}`},
		{path: "/v1/strategies/stratml", token: m.mine.tokens[author], body: document(canary), header: http.Header{"Content-Type": {"application/xml"}}},
		upload("/v1/evidence?kind=review&mediaType=text/html", m.mine.tokens[authz.Auditor], "<b>"+canary),
		{path: "/v1/findings", token: m.mine.tokens[authz.Auditor], body: `{"kind":"exception","severity":"low","title":"` + canary + `","condition":"` + canary + `","criteria":"` + canary + `",
			"cause":"` + canary + `","origin":"audit","subjects":[{"type":"strategy","id":"` + m.values["strategyId"][0] + `"}]}`},
		{path: m.target(operation(t, "linkEvidence")), token: m.mine.tokens[authz.Auditor], body: `{"relation":"supports","note":"` + canary + `","target":{"type":"finding","id":"` + m.values["findingId"][0] + `"}}`},
		{path: m.target(operation(t, "suspendSource")), token: m.mine.tokens[authz.DataSteward], body: `{"reason":"` + canary + `"}`},
		{path: m.target(operation(t, "reinstateSource")), token: m.mine.tokens[authz.DataSteward], body: `{"reason":"` + canary + `","publicKey":"` + m.keys[m.values["sourceId"][0]].public() + `"}`},
	} {
		a := m.do(r)
		if a.status >= 300 && a.rule() != "source-active" { // it may be suspended by now
			t.Fatalf("%s: %d %s", r.path, a.status, a.body)
		}
		for name, made := range map[string]string{"/v1/evidence?": "evidenceId", "/v1/findings": "findingId"} {
			if strings.HasPrefix(r.path, name) && !strings.Contains(r.path, "/commands/") {
				m.values[made] = append(m.values[made], a.str(made))
			}
		}
		recorded++
	}
	// A value, and something that is refused and kept.
	source := m.values["sourceId"][0]
	for i, ref := range []string{m.values["indicatorId"][0], canary} {
		body := `{"indicatorRef":"` + ref + `","period":{"start":"2024-01-01","end":"2024-12-31"},"value":"7","note":"` + canary + `"}`
		a := m.bring(source, m.keys[source].message(m.mine, source, fmt.Sprint("canary-", i), body), body)
		a.want(http.StatusOK, "")
		if want := []float64{0, 1}[i]; a.json()["rejected"] != want {
			t.Fatalf("%s", a.body)
		}
	}
	if recorded < 12 {
		t.Fatalf("only %d commands with the canary were recorded", recorded)
	}
	m.project()
	return m
}

func operation(t testing.TB, id string) resttest.Operation {
	t.Helper()
	all := resttest.Operations(t)
	i := slices.IndexFunc(all, func(o resttest.Operation) bool { return o.ID == id })
	if i < 0 {
		t.Fatalf("the contract has no operation %s", id)
	}
	return all[i]
}

// silent fails if an answer to somebody else holds the canary.
func (m *matrix) silent(what string, a answer) {
	m.t.Helper()
	for _, secret := range []string{canary, m.mine.id.String()} {
		if strings.Contains(string(a.body), secret) {
			m.t.Errorf("%s: %d, it sings %s: %.400s", what, a.status, secret, a.body)
		}
		for name, values := range a.header {
			if strings.Contains(strings.Join(values, " "), secret) {
				m.t.Errorf("%s: header %s sings %q", what, name, values)
			}
		}
	}
	if a.status >= http.StatusInternalServerError {
		m.t.Errorf("%s: %d %s", what, a.status, a.body)
	}
}

// questions are all ways to ask an operation about the things of mine: by its
// path, by each parameter that takes an id, with a cursor and an ETag of mine.
func (m *matrix) questions(op resttest.Operation) (all []request) {
	var paths []string
	switch {
	case strings.Contains(op.Path, "{id}"):
		for _, name := range []string{"strategyId", "indicatorId", "importId", "eventId", "memberId", "goalId", "measurementId", "findingId", "evidenceId", "sourceId"} {
			ids := m.values[name]
			paths = append(paths, strings.Replace(op.Path, "{id}", ids[0], 1))
			if last := ids[len(ids)-1]; ids[0] == m.id(op) && last != ids[0] {
				paths = append(paths, strings.Replace(op.Path, "{id}", last, 1))
			}
		}
	default:
		paths = []string{strings.SplitN(m.target(op), "?", 2)[0]}
	}
	for _, path := range paths {
		queries := []string{""}
		if strings.HasSuffix(path, "/diff") {
			queries = []string{"?from=0&to=5", "?from=revision-1&to=5"}
		}
		for _, p := range op.Parameters {
			if p.In != "query" || path != paths[0] {
				continue // once is enough for the parameters
			}
			for _, name := range []string{"strategyId", "indicatorId", "memberId", "goalId", "findingId", "evidenceId", "sourceId"} {
				for _, id := range m.values[name][:1] {
					queries = append(queries, queries[0]+"&"+p.Name+"="+id)
				}
			}
			switch p.Name {
			case "streamId":
				queries = append(queries, "?streamId=strategy-"+m.values["strategyId"][0], "?streamId=indicator-"+m.values["indicatorId"][0], "?streamId=organization-"+m.mine.id.String())
			case "after":
				queries = append(queries, "?after=0", "?after=0&limit=200")
			case "count", "voided":
				queries = append(queries, "?"+p.Name+"=exact", "?"+p.Name+"=true")
			case "targetId":
				queries = append(queries, "?targetType=finding&targetId="+m.values["findingId"][0], "?targetType=indicator&targetId="+m.values["indicatorId"][0])
			case "cursor":
				if cursor := m.cursor(path); cursor != "" {
					queries = append(queries, "?limit=1&cursor="+cursor)
				}
			}
		}
		for _, q := range queries {
			q = "?" + strings.TrimLeft(q, "?&")
			all = append(all, request{method: http.MethodGet, path: strings.TrimSuffix(path+q, "?")})
		}
	}
	return all
}

// cursor is the second page's of mine.
func (m *matrix) cursor(path string) string {
	a := m.do(request{method: http.MethodGet, path: path + "?limit=1", token: m.mine.tokens[authz.Auditor]})
	if a.status != http.StatusOK {
		return ""
	}
	return a.str("nextCursor")
}

func TestTheCanaryIsHeardByItsOwnOnly(t *testing.T) {
	m := sing(t)
	own, asked := map[string]bool{}, 0
	for _, op := range resttest.Operations(t) {
		if op.Method != http.MethodGet || op.Public || op.ID == "streamEvents" {
			continue
		}
		for _, r := range m.questions(op) {
			r.token = m.mine.tokens[authz.Auditor]
			mine := m.do(r)
			if mine.status < 300 && strings.Contains(string(mine.body), canary) {
				own[op.ID] = true
			}
			for i, role := range []string{authz.Auditor, authz.Author, authz.Administrator} {
				if i > 0 && strings.Contains(r.path, "?") {
					break // roles read alike: see the matrix
				}
				asked++
				r.token = m.other.tokens[role]
				m.silent(op.ID+" "+r.path+" as "+role, m.do(r))
			}
			if tag := mine.header.Get("Etag"); tag != "" && strings.Contains(op.Path, "{id}") {
				r.header, r.token = http.Header{"If-None-Match": {tag}}, m.other.tokens[authz.Auditor] // who may ask everything there
				if a := m.do(r); a.status != http.StatusNotFound {
					t.Errorf("%s %s: an ETag of mine is answered with %d to others", op.ID, r.path, a.status)
				}
			}
		}
	}
	// Else the silence would prove nothing.
	for _, id := range []string{"getStrategy", "listActivity", "listFindings", "getFinding", "getFindingHistory", "getEvidence", "getEvidenceContent", "getSource", "listExternalChanges", "getPerson"} {
		if !own[id] {
			t.Errorf("its own organization does not hear the canary from %s", id)
		}
	}
	if len(own) < 18 {
		t.Errorf("its own organization hears the canary from %d operations only", len(own))
	}
	t.Logf("%d questions of the other organization; its own hears the canary from %d operations", asked, len(own))

	// Commands about things of mine are refused without a word about them.
	for _, op := range resttest.Operations(t) {
		if op.Method != http.MethodPost || op.ID == "registerOrganization" {
			continue
		}
		for role, token := range m.other.tokens {
			if yes, _ := allowed(op.ID, role); yes {
				m.silent(op.ID+" as "+role, m.ask(op, token))
				break
			}
		}
	}
	t.Run("live", m.live)
	t.Run("rows", m.rows)
	t.Run("messages", m.messages)
}

// live: a stream from the beginning of the log, and while mine goes on.
func (m *matrix) live(t *testing.T) {
	handler, err := rest.New(m.options) // by itself: a recorder would hold a stream back
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	read := func(token string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/v1/events/stream?after=0", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		// An event of the other organization, recorded after one of mine, is the
		// last there is: when it has come, whatever was before it has, too.
		m.do(request{path: m.target(operation(t, "addGoal")), token: m.mine.tokens[author], body: `{"name":"` + canary + ` live"}`})
		end := m.draft(m.other)
		m.project()
		var heard strings.Builder
		buffer := make([]byte, 32<<10)
		for !strings.Contains(heard.String(), strings.TrimPrefix(end, "/v1/strategies/")) && !strings.Contains(heard.String(), canary+" live") {
			n, err := response.Body.Read(buffer)
			heard.Write(buffer[:n])
			if err != nil {
				t.Errorf("the stream ended: %v", err)
				break
			}
		}
		return heard.String()
	}
	if heard := read(m.other.tokens[author]); strings.Contains(heard, canary) || strings.Contains(heard, m.mine.id.String()) || !strings.Contains(heard, m.other.id.String()) {
		t.Errorf("the stream of the other organization: %.2000s", heard)
	}
	if heard := read(m.mine.tokens[author]); !strings.Contains(heard, canary) {
		t.Error("its own stream does not have the canary")
	}
}

// rows: the read databases themselves keep organizations apart for the role that
// answers queries, whatever it is asked.
func (m *matrix) rows(t *testing.T) {
	for name, database := range m.databases {
		conn, err := pgx.Connect(t.Context(), database)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.WithoutCancel(t.Context()))
		rows, _ := conn.Query(t.Context(), `SELECT format('%I.%I', n.nspname, c.relname) FROM pg_attribute a
			JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE a.attname = 'organization_id' AND c.relkind IN ('r', 'p', 'v', 'm')
			AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')`) // CollectRows returns its error
		tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(tables) == 0 {
			t.Fatalf("%s: %v, %v", name, tables, err)
		}
		seen := map[string]int{}
		for _, org := range []string{"", uuid.NewString(), m.other.id.String(), m.mine.id.String()} {
			for _, table := range tables {
				var all, mine int
				err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
					if _, err := tx.Exec(t.Context(), `SELECT set_config('strata.organization_id', $1, true)`, org); err != nil {
						return err
					}
					return tx.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE organization_id = $1 OR x::text LIKE '%`+canary+`%') FROM `+table+` x`,
						m.mine.id).Scan(&all, &mine)
				})
				if err != nil {
					t.Errorf("%s %s: %v", name, table, err)
				}
				if org != m.mine.id.String() && mine > 0 || org == "" && all > 0 {
					t.Errorf("%s %s shows %d rows of mine, %d in all, to %q", name, table, mine, all, org)
				}
				seen[org] += all
			}
		}
		if seen[m.mine.id.String()] == 0 || seen[m.other.id.String()] == 0 {
			t.Errorf("%s: their own see nothing either: %v", name, seen)
		}
	}
}
