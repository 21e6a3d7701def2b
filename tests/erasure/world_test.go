package erasure_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/embedded"
	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/system"
	documents "strata.dev/strata/tests/testdata/stratml"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }

// Who is erased: named twice in each of two published documents, as a
// stakeholder, and nowhere else in them.
const (
	name    = "Adam Schwartz"
	surname = "Schwartz"
)

// world is a running service with two imported documents, and a second
// compliance officer.
type world struct {
	*system.System
	t        *testing.T
	pg       *embedded.Postgres
	service  *system.Service
	messages *system.Consumer
	document []byte // the later one
	imports  []imported
	head     int64 // the latest position that anybody was told
}

type imported struct {
	StrategyID, ImportID string
	Position             int64 `json:",string"`
}

func start(t *testing.T) *world {
	pg := testenv.StartPostgres(t)
	s, service := system.Start(t, system.Options{Postgres: pg, Queues: []string{"tests.erasure"}})
	w := &world{System: s, t: t, pg: pg, service: service, messages: s.Consume(t, "tests.erasure")}
	for _, m := range []struct{ subject, role string }{{"cleo", "compliance_officer"}, {"rita", "risk_acceptor"}, {"dan", "data_steward"}} {
		w.Organization.Tokens[m.subject] = w.Token(oidc.Claims{Organization: w.Organization.ID, Subject: m.subject})
		var enrolled struct{ MemberID string }
		w.post("ada", "/v1/organization/commands/enrol-member", map[string]string{"issuer": oidc.DevIssuer, "subject": m.subject, "kind": "person"}, &enrolled)
		w.post("ada", "/v1/organization/commands/grant-role", map[string]string{"memberId": enrolled.MemberID, "role": m.role}, nil)
	}
	earlier, err := documents.File("SMLC2011.xml")
	if err != nil {
		t.Fatal(err)
	}
	w.document = earlier
	w.bringIn(earlier)
	// The later one may not be redistributed, so it does not lie in the repository.
	if later, err := os.ReadFile(filepath.Join(sharedDir(), "stratml", "Pulkit0729__stratml-project", "SMLC2023.xml")); err == nil {
		w.document = later
		w.bringIn(later)
	}
	return w
}

// sharedDir is where published documents are that are not in the repository.
func sharedDir() string {
	root, err := system.Root()
	if err != nil {
		return ""
	}
	return filepath.Join(filepath.Dir(root), "shared")
}

func (w *world) as(name string) *restclient.Client { return w.Client(w.service.Base, name) }

func (w *world) do(by string, r restclient.Request) (restclient.Answer, error) {
	answer, err := w.as(by).Do(w.t.Context(), r)
	w.head = max(w.head, answer.Position)
	return answer, err
}

func (w *world) post(by, path string, body, v any) {
	w.t.Helper()
	w.head = max(w.head, system.MustPost(w.t, w.as(by), path, body, v))
}

func (w *world) upload() restclient.Request {
	return restclient.Request{Method: http.MethodPost, Path: "/v1/strategies/stratml", Key: uuid.NewString(), IfMatch: "*", ContentType: "application/xml", Body: w.document}
}

func (w *world) bringIn(document []byte) {
	w.t.Helper()
	w.document = document
	answer, err := w.do("sam", w.upload())
	if err != nil {
		w.t.Fatal(err)
	}
	var got imported
	if err := answer.Decode(&got); err != nil {
		w.t.Fatal(err)
	}
	w.imports = append(w.imports, got)
}

// get reads what is as of the latest position that anybody was told.
func (w *world) get(by, path string) string {
	w.t.Helper()
	answer, err := system.Get(w.t.Context(), w.as(by), path, w.head)
	if err != nil {
		w.t.Fatalf("%s, GET %s: %v", by, path, err)
	}
	return string(answer.Body)
}

func (w *world) read(by, path string, v any) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(w.get(by, path)), v); err != nil {
		w.t.Fatalf("GET %s: %v", path, err)
	}
}

const erasePath = "/v1/organization/commands/erase-personal-data"

// together is a command of two: one countersigns what the other sends.
func (w *world) together(by, second, path, key string, body any) (restclient.Answer, error) {
	w.t.Helper()
	var signed struct{ Token string }
	w.post(second, "/v1/countersignatures", map[string]any{"method": "POST", "path": path, "meaning": "agreed", "body": body}, &signed)
	return w.do(by, restclient.Request{
		Method: http.MethodPost, Path: path, Key: key, IfMatch: "*", Body: body, Header: http.Header{"Strata-Countersignature": {signed.Token}},
	})
}

type person struct {
	SubjectID, Name string
	Sealed, Erased  bool
	Member          bool
	Places          int
}

// persons are all that are known.
func (w *world) persons(by string) (all []person) {
	w.t.Helper()
	for path := "/v1/persons?limit=50"; ; {
		var page struct {
			Items      []person
			NextCursor string
		}
		w.read(by, path, &page)
		if all = append(all, page.Items...); page.NextCursor == "" {
			return all
		}
		path = "/v1/persons?limit=50&cursor=" + url.QueryEscape(page.NextCursor)
	}
}

// refused says by which rule an answer refuses.
func refused(err error) (status int, rule string, body string) {
	if p, ok := errors.AsType[*restclient.Problem](err); ok {
		return p.Status, p.Rule, string(p.Body)
	}
	return 0, "", ""
}

// says looks for the person, in whatever case.
func says(text []byte) bool {
	return bytes.Contains(bytes.ToLower(text), bytes.ToLower([]byte(surname)))
}

// caughtUp waits until the read databases, the archive and the checkpoint have
// everything.
func (w *world) caughtUp() {
	w.t.Helper()
	testenv.Eventually(w.t, 30*time.Second, "the groups", func() error {
		ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
		defer cancel()
		_, err := system.Get(ctx, w.as("arlo"), "/v1/organization", w.Head(w.t))
		return err
	})
	w.messages.Await(w.t, w.Head(w.t), 30*time.Second)
}

func has(list []string, s string) bool {
	for _, one := range list {
		if strings.EqualFold(one, s) {
			return true
		}
	}
	return false
}
