package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"strata.dev/strata/app/ingest"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/ports/rest/resttest"
)

// envFuzz is how long to go on with seeds that nobody has tried yet: "10m".
const envFuzz = "STRATA_TEST_FUZZ"

// strange is one request that a generator made of the contract.
type strange struct {
	op     resttest.Operation
	class  string // what was done to it
	path   string
	header http.Header
	value  any    // the body, if the schema accepts it
	body   string // as sent
	role   string // who asks
}

// The ways to be strange.
const (
	fitting = "fits the contract" // values that the schemas accept
	edging  = "at its edges"      // the longest, the shortest, the least
	mutated = "mutated"           // one value that they probably do not
	wrecked = "no JSON"           // nothing that a careful reader takes
)

// draw makes a request for op, addressed to things that are there.
func (m *matrix) draw(t *rapid.T, op resttest.Operation) strange {
	s := strange{op: op, header: http.Header{}, role: m.capable(op)}
	s.class = rapid.SampledFrom([]string{fitting, fitting, edging, mutated, wrecked}).Draw(t, "class")
	if op.Body == nil && s.class == wrecked {
		s.class = mutated
	}
	s.path = strings.SplitN(m.target(op), "?", 2)[0]
	if strings.Contains(op.Path, "{id}") && s.class == mutated && rapid.Bool().Draw(t, "strange path") {
		id := rapid.SampledFrom([]string{uuid.NewString(), "0198C0DE-0000-7000-8000-00000000000A", "%00", "..%2f..", "x%0d%0aX-Injected:%20yes", "%ff", "'", strings.Repeat("9", 500)}).Draw(t, "id")
		s.path = strings.Replace(op.Path, "{id}", id, 1)
	}
	s.path += m.drawQuery(t, op, s.class)
	for _, p := range op.Parameters {
		if p.In == "header" {
			m.drawHeader(t, p, s)
		}
	}
	if op.Signed {
		defer func() {
			source := m.values["sourceId"][0]
			if _, strange := s.header["Strata-Signature"]; !strange && rapid.IntRange(0, 9).Draw(t, "unsigned") > 0 {
				s.header.Set("Strata-Signature", ingest.Sign(m.keys[source].private, source, s.header.Get("Strata-Message-Id"), []byte(s.body)))
			}
		}()
	}
	switch {
	case op.Media == "application/octet-stream":
		s.body = rapid.SampledFrom([]string{"", "x", "\x00\xff", "<script>alert(1)</script>", strings.Repeat("0123456789", 50_000), "PK\x03\x04", "\xef\xbb\xbf{}"}).Draw(t, "bytes")
	case op.Media == "application/xml":
		s.body = rapid.SampledFrom([]string{
			document("Plan"), document("<&>"), document("]]>"), "<x", "", "{}", "\xff\xfe<\x00", strings.Repeat("<a>", 2000),
			`<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>`, document(strings.Repeat("x", 100_000)), document("a") + document("b"),
		}).Draw(t, "document")
	case op.Body != nil:
		s.value = m.values.Draw(t, op.Body, "", s.class == edging)
		switch s.class {
		case mutated:
			s.value = resttest.Mutate(t, s.value)
		case wrecked:
			how := ""
			s.body, how = resttest.Wreck(t, s.value)
			s.class += ": " + how
			return s
		}
		b, err := json.Marshal(s.value)
		if err != nil {
			t.Fatal(err)
		}
		s.body = string(b)
	}
	return s
}

func (m *matrix) drawQuery(t *rapid.T, op resttest.Operation, class string) string {
	query := url.Values{}
	for _, p := range op.Parameters {
		if p.In != "query" || !p.Required && rapid.IntRange(0, 2).Draw(t, p.Name+" absent") > 0 {
			continue
		}
		value := m.values.Draw(t, p.Schema, p.Name, class == edging)
		if class == mutated && rapid.Bool().Draw(t, "strange "+p.Name) {
			value = rapid.SampledFrom([]string{"", "x", "-1", "1e3", "99999999999999999999", "\x00", "\xff", "a,b", "' OR 1=1", "true", "2025-02-30", strings.Repeat("x", 3000)}).Draw(t, p.Name)
		}
		if list, ok := value.([]any); ok {
			items := make([]string, len(list))
			for i := range list {
				items[i] = fmt.Sprint(list[i])
			}
			value = strings.Join(items, ",")
		}
		query.Add(p.Name, fmt.Sprint(value))
		if class == mutated && rapid.IntRange(0, 9).Draw(t, "twice") == 0 {
			query.Add(p.Name, fmt.Sprint(value))
		}
	}
	switch {
	case class == mutated && rapid.IntRange(0, 9).Draw(t, "broken query") == 0:
		return "?" + query.Encode() + rapid.SampledFrom([]string{"&%zz", "&;", "&=", "&unknown=1", "&" + strings.Repeat("a=b&", 200)}).Draw(t, "query")
	case len(query) > 0:
		return "?" + query.Encode()
	}
	return ""
}

func (m *matrix) drawHeader(t *rapid.T, p resttest.Parameter, s strange) {
	name := http.CanonicalHeaderKey(p.Name)
	switch {
	case s.class != fitting && rapid.IntRange(0, 5).Draw(t, "strange "+name) == 0:
		s.header[name] = []string{rapid.SampledFrom(resttest.HeaderValues).Draw(t, name)}
	case name == "Idempotency-Key":
		s.header[name] = []string{uuid.NewString()}
	case name == "If-Match":
		s.header[name] = []string{"*"}
	case name == "Strata-Organization":
		s.header[name] = []string{m.mine.id.String()}
	case name == "Strata-Message-Id":
		s.header[name] = []string{uuid.NewString()}
	}
}

// capable is a role that gets furthest with an operation.
func (m *matrix) capable(op resttest.Operation) string {
	if op.ID == "registerOrganization" {
		return authz.Operator
	}
	for _, role := range []string{authz.Author, authz.IndicatorOwner, authz.ComplianceOfficer, authz.Approver, authz.Auditor, authz.RiskAcceptor, authz.DataSteward} {
		if yes, _ := allowed(op.ID, role); yes {
			return role
		}
	}
	return authz.Administrator
}

// send gives what the real handler answers. It goes past net/http, which would
// refuse the strangest headers itself.
func (m *matrix) send(s strange) *httptest.ResponseRecorder {
	r := httptest.NewRequest(s.op.Method, "/", strings.NewReader(s.body))
	r.URL, r.RequestURI = parsed(s.path), s.path
	if s.op.Media != "" {
		r.Header.Set("Content-Type", s.op.Media)
	}
	maps.Copy(r.Header, s.header)
	r.Header.Set("Authorization", "Bearer "+m.mine.tokens[s.role])
	if s.op.ID == "streamEvents" {
		r.Method = http.MethodHead // the answer to GET does not end
	}
	w := httptest.NewRecorder()
	m.handler.ServeHTTP(w, r)
	return w
}

// parsed is the URL as a server would have it, or the nearest thing.
func parsed(target string) *url.URL {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		path, query, _ := strings.Cut(target, "?")
		return &url.URL{Path: path, RawQuery: query}
	}
	return u
}

// judge says what is wrong with an answer; "" = nothing.
func (s strange) judge(w *httptest.ResponseRecorder) string {
	if w.Code >= http.StatusInternalServerError {
		var p struct{ Code string }
		// Waiting for a position in vain is an answer; a failure is not.
		if json.Unmarshal(w.Body.Bytes(), &p) != nil || p.Code != "projection-behind" {
			return "our failure"
		}
	}
	if strings.HasPrefix(s.class, wrecked) && w.Code < http.StatusBadRequest {
		return "accepted"
	}
	for name, values := range w.Header() {
		if name == "X-Injected" || strings.ContainsAny(strings.Join(values, ""), "\r\n\x00") {
			return "a header that the request made: " + name
		}
	}
	return ""
}

// TestNoRequestIsTooStrange: whatever is made of the contract is answered as the
// contract says (the handler of the world checks that), never with our failure,
// and what is accepted is recorded as it was sent.
func TestNoRequestIsTooStrange(t *testing.T) {
	m := newMatrix(t)
	operations := slices.DeleteFunc(resttest.Operations(t), func(o resttest.Operation) bool { return o.Public })
	counts := map[int]int{}
	// Roles come and go for one member only: the others are needed.
	all := m.values["memberId"]
	newcomer := all[len(all)-2]
	pass := func(t testing.TB, seed int) {
		// Each pass has a plan and an indicator of its own: the one before may have retired them.
		m.values = m.things(m.mine)
		m.values["memberId"] = []string{newcomer}
		delete(m.values, "grantId")
		for _, op := range operations {
			s := rapid.Custom(func(t *rapid.T) strange { return m.draw(t, op) }).Example(seed)
			before := m.head()
			w := m.send(s)
			counts[w.Code/100]++
			if wrong := s.judge(w); wrong != "" {
				t.Errorf("seed %d: %s %s (%s): %s\n%.600q\n%v\n%d %.600s", seed, op.Method, s.path, s.class, wrong, s.body, s.header, w.Code, w.Body)
			}
			if w.Code < 300 && op.Method == http.MethodPost && op.Body != nil {
				s.value = taken(t, s, w)
				m.sameAsSent(t, seed, s, before)
			}
		}
	}
	for _, seed := range seeds(t) {
		pass(t, seed)
	}
	add, before := operation(t, "addGoal"), m.head()
	for _, none := range resttest.NoValues {
		s := strange{op: add, class: wrecked, path: m.target(add), role: authz.Author, body: `{"name":` + none + `}`}
		s.header = http.Header{"Idempotency-Key": {uuid.NewString()}, "If-Match": {"*"}}
		if w := m.send(s); s.judge(w) != "" {
			t.Errorf("%q: %s: %d %s", s.body, s.judge(w), w.Code, w.Body)
		}
	}
	if after := m.head(); after != before {
		t.Errorf("%d events were recorded of what is no JSON", after-before)
	}
	t.Logf("answers by status: %v", counts)
	if counts[2] < 60 || counts[4] < 100 {
		t.Errorf("answers by status %v: too few of them for a proof", counts)
	}
	long, err := time.ParseDuration(os.Getenv(envFuzz))
	if err != nil {
		return // not asked for
	}
	for end, seed := time.Now().Add(long), int(time.Now().Unix()); time.Now().Before(end) && !t.Failed(); seed++ {
		pass(t, seed)
	}
}

func seeds(t *testing.T) (all []int) {
	t.Helper()
	text, err := os.ReadFile("testdata/fuzz/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " ")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		seed, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, seed)
	}
	return all
}

func (m *matrix) head() int64 {
	m.t.Helper()
	head, err := m.log.Head(context.Background())
	if err != nil {
		m.t.Fatal(err)
	}
	return head
}

// unrecorded are members of requests that are not in the event as they are: they
// say which state was meant, or become something else on purpose.
var unrecorded = []string{
	"issuer", "subject", // of a person: the log has a hash
	"contentHash", "method", "path", "body", "indicatorId",
	"indicatorRef", "unit", // by which a source's measurement is found and held against the indicator
	"field", // of several edits, those that change nothing are left out
}

// taken is what of a request was accepted: of a batch, the items that were not
// refused.
func taken(t testing.TB, s strange, w *httptest.ResponseRecorder) any {
	t.Helper()
	if s.op.ID != "recordMeasurements" && !s.op.Signed {
		return s.value
	}
	var results struct {
		Items []struct {
			Index   int
			Status  any // of a source's message: what became of it
			Problem map[string]any
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &results); err != nil {
		t.Fatal(err)
	}
	sent, _ := s.value.(map[string]any)["items"].([]any)
	if s.op.Signed {
		message, _ := s.value.(map[string]any)
		if sent, _ = message["measurements"].([]any); sent == nil {
			sent = []any{s.value}
		}
	}
	var items []any
	for _, r := range results.Items {
		if r.Problem == nil && r.Status != "rejected" && r.Status != "unchanged" {
			items = append(items, sent[r.Index])
		}
	}
	return items
}

// sameAsSent looks for every text of an accepted request in the events that it
// led to.
func (m *matrix) sameAsSent(t testing.TB, seed int, s strange, before int64) {
	t.Helper()
	events, err := m.log.Read(t.Context(), before, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string]bool{}
	for _, e := range events {
		for _, part := range [][]byte{e.Data, e.Metadata} {
			var v any
			d := json.NewDecoder(bytes.NewReader(part))
			d.UseNumber()
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			leaves(v, "", func(_, text string) { recorded[text] = true })
		}
	}
	if len(events) == 0 {
		return // there was nothing to change
	}
	leaves(s.value, "", func(name, sent string) {
		if !recorded[sent] && sent != "" && !slices.Contains(unrecorded, name) {
			t.Errorf("seed %d: %s: %s %.200q was accepted and is not recorded so: %.300s → %s %.600s", seed, s.op.ID, name, sent, s.body, events[0].Type, events[0].Data)
		}
	})
}

// leaves calls f with every text and number of a value, and the member it is in.
func leaves(v any, name string, f func(name, text string)) {
	switch v := v.(type) {
	case map[string]any:
		_, named := v["measurementId"] // then period and dims say nothing
		for member, value := range v {
			if !named || member != "dims" && member != "period" {
				leaves(value, member, f)
			}
		}
	case []any:
		for _, item := range v {
			leaves(item, name, f)
		}
	case string:
		f(name, v)
	case json.Number, int64, int, float64:
		f(name, fmt.Sprint(v))
	}
}
