package sealing_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/zstd"
	amqp "github.com/rabbitmq/amqp091-go"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testdata/stratml"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }

const (
	// name and address are what must be nowhere; none of them is part of another.
	name    = "Wilhelmina Kanari"
	address = "w.k@canary.example"
	file    = "dossier-of-the-canary.pdf"
	// public is in everything, so that a search that finds nothing is broken.
	public = "Publica"

	queue = "tests.sealing"
)

var secrets = []string{name, "Wilhelmina", "Kanari", address, file, "Kanari-in-chief"}

// kept is a place where something is kept, or was said.
type kept map[string][]byte // what it is called → all that is there

// search looks for the secrets in every form that something could have there,
// and for what must be there.
func (k kept) search(t *testing.T, place string, control bool) {
	t.Helper()
	all, found := 0, false
	has := func(body []byte, text string) bool {
		return bytes.Contains(body, []byte(text)) || bytes.Contains(body, []byte(hex.EncodeToString([]byte(text))))
	}
	for what, body := range k {
		all += len(body)
		found = found || has(body, public)
		for _, secret := range secrets {
			if has(body, secret) {
				t.Errorf("%s: %s says %q", place, what, secret)
			}
		}
	}
	if control && !found {
		t.Errorf("%s: nothing is found in %d bytes of %d things: the search is broken", place, all, len(k))
	}
}

// database is all rows of all tables.
func database(t *testing.T, url string) kept {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	rows, _ := conn.Query(t.Context(), `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`) // CollectRows returns its error
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	k := kept{}
	for _, table := range tables {
		rows, _ := conn.Query(t.Context(), `SELECT t::text FROM `+table+` t`) // likewise
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		k[table] = []byte(strings.Join(lines, "\n"))
	}
	return k
}

// directory is all files below, segments of the archive unpacked.
func directory(t *testing.T, dir string) kept {
	t.Helper()
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	k := kept{}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if strings.HasSuffix(path, ".zst") && err == nil {
			body, err = decoder.DecodeAll(body, nil)
		}
		k[path] = append([]byte(filepath.Base(path)+"\n"), body...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// messages takes what waits in the queue, headers included.
func messages(t *testing.T, url string, atLeast int) kept {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	channel, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	deliveries, err := channel.Consume(queue, "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	k := kept{}
	for len(k) < atLeast {
		select {
		case d := <-deliveries:
			k[fmt.Sprint("message ", len(k))] = fmt.Appendf(nil, "%s %s %v", d.Body, d.RoutingKey, d.Headers)
		case <-time.After(20 * time.Second):
			t.Fatalf("only %d messages came", len(k))
		}
	}
	return k
}

func upload(t *testing.T, c *restclient.Client, path, media string, body []byte) (answer restclient.Answer) {
	t.Helper()
	answer, err := c.Do(t.Context(), restclient.Request{
		Method: http.MethodPost, Path: path, Key: uuid.NewString(), ContentType: media, Body: body,
		Header: http.Header{"Content-Disposition": {`attachment; filename="` + file + `"`}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestAPersonIsNowhereInClear(t *testing.T) {
	s, service := system.Start(t, system.Options{Queues: []string{queue}})
	as := func(who string) *restclient.Client { return s.Client(service.Base, who) }
	place := filepath.Dir(s.Setting("STRATA_DEV_KEY_FILE"))

	// By a document: as stakeholders of two kinds, and as who submitted it.
	blank := []byte("<Stakeholder><Name/><Description/><Role><Name/><Description/></Role></Stakeholder>")
	person := []byte(`<Stakeholder StakeholderTypeType="Person"><Name>` + name + `</Name><Description>Kanari</Description><Role><Name>Kanari-in-chief</Name><Description/><RoleType>Performer</RoleType></Role></Stakeholder><Stakeholder><Name>Dr. ` + name + `</Name><Description/></Stakeholder>`)
	document := bytes.ReplaceAll(stratml.Plan(2, 3, 1, 2, 0), blank, person)
	document = bytes.Replace(document, []byte("<GivenName/><Surname/><PhoneNumber/><EmailAddress/>"),
		[]byte("<GivenName>Wilhelmina</GivenName><Surname>Kanari</Surname><PhoneNumber/><EmailAddress>"+address+"</EmailAddress>"), 1)
	document = bytes.Replace(document, []byte("Index of Examples"), []byte(public), 1)
	var imported struct{ StrategyID, ImportID string }
	if err := upload(t, as("sam"), "/v1/strategies/stratml", "application/xml", document).Decode(&imported); err != nil {
		t.Fatal(err)
	}
	// By commands.
	system.MustPost(t, as("sam"), "/v1/strategies/"+imported.StrategyID+"/commands/add-goal", map[string]any{
		"name": public, "stakeholders": []map[string]any{{"kind": "Person", "name": name, "description": "Kanari", "roles": []map[string]any{{"name": "Kanari-in-chief"}}}},
	}, nil)
	system.MustPost(t, as("sam"), "/v1/strategies", map[string]any{
		"frame": map[string]any{"name": public, "organizations": []map[string]any{{"stakeholders": []map[string]any{{"kind": "Person", "name": name}}}}},
	}, nil)
	system.MustPost(t, as("ada"), "/v1/organization/commands/enrol-member", map[string]string{
		"issuer": oidc.DevIssuer, "subject": "w", "kind": "person", "displayName": name, "email": address,
	}, nil)
	// By evidence: its bytes, and what its file is called.
	evidence := upload(t, as("arlo"), "/v1/evidence?kind=review&mediaType=text/plain", "application/octet-stream", []byte("About "+name))
	last := evidence.Position

	// And by what is refused, in as many ways.
	for what, r := range map[string]restclient.Request{
		"a name too long":        {Path: "/v1/organization/commands/enrol-member", Body: map[string]string{"issuer": oidc.DevIssuer, "subject": "x", "kind": "person", "displayName": strings.Repeat(name, 50)}},
		"a kind there is not":    {Path: "/v1/strategies", Body: map[string]any{"frame": map[string]any{"name": public, "organizations": []map[string]any{{"stakeholders": []map[string]any{{"kind": name, "name": name}}}}}}},
		"sealed by hand":         {Path: "/v1/strategies", Body: map[string]any{"frame": map[string]any{"name": public, "organizations": []map[string]any{{"stakeholders": []map[string]any{{"kind": "Person", "sealed": name}}}}}}},
		"somebody who may not":   {Path: "/v1/strategies/" + imported.StrategyID + "/commands/add-goal", Body: map[string]any{"name": public, "stakeholders": []map[string]any{{"kind": "Person", "name": name}}}},
		"a document of no kind":  {Path: "/v1/strategies/stratml", ContentType: "application/xml", Body: []byte("<" + "x>" + name)},
		"a document, once more":  {Path: "/v1/strategies/stratml", ContentType: "application/xml", Body: document},
		"a name that is no text": {Path: "/v1/evidence?kind=review", ContentType: "application/octet-stream", Body: []byte("x"), Header: http.Header{"Content-Disposition": {`attachment; filename="` + name}}},
	} {
		who := "ada"
		if strings.HasPrefix(what, "a document") || strings.HasPrefix(what, "a kind") || strings.HasPrefix(what, "sealed") {
			who = "sam"
		}
		if what == "a name that is no text" {
			who = "arlo"
		}
		r.Method, r.Key, r.IfMatch = http.MethodPost, uuid.NewString(), "*"
		if a, err := as(who).Do(t.Context(), r); err == nil {
			t.Errorf("%s was taken: %d %s", what, a.Status, a.Body)
		}
	}

	// Nothing is found before it is there: read models and archive have followed.
	system.MustGet(t, as("sam"), "/v1/strategies/"+imported.StrategyID, last, new(any))
	system.MustGet(t, as("arlo"), "/v1/strategies/"+imported.StrategyID+"/events", last, new(any))
	head := s.Head(t)
	testenv.Eventually(t, 30*time.Second, "everything is archived", func() error {
		if want := fmt.Sprintf("\nstrata_archive_position %d\n", head); !strings.Contains(service.Metrics(), want) {
			return fmt.Errorf("the metrics do not say %q", want)
		}
		return nil
	})
	database(t, s.LogAdmin).search(t, "the log's database", true)
	database(t, s.PlansAdmin).search(t, "the plans database", true)
	database(t, s.AuditAdmin).search(t, "the audit database", true)
	messages(t, s.AMQP, int(last)).search(t, "messages", true)
	directory(t, filepath.Join(place, "archive")).search(t, "the archive", true)
	directory(t, filepath.Join(place, "keys")).search(t, "the key store", false)
	kept{"the log": []byte(service.Output())}.search(t, "the service", false)
	if len(service.Output()) == 0 {
		t.Error("the service logs nothing")
	}

	// Who may has all of it back, byte for byte.
	original, err := system.Get(t.Context(), as("sam"), "/v1/imports/"+imported.ImportID+"/original", 0)
	if err != nil || !bytes.Equal(original.Body, document) {
		t.Errorf("the document: %d bytes of %d, %v", len(original.Body), len(document), err)
	}
	var registered struct{ EvidenceID string }
	if err := evidence.Decode(&registered); err != nil {
		t.Fatal(err)
	}
	if bytesOf, err := system.Get(t.Context(), as("arlo"), "/v1/evidence/"+registered.EvidenceID+"/content", 0); err != nil || string(bytesOf.Body) != "About "+name {
		t.Errorf("the evidence: %q, %v", bytesOf.Body, err)
	}
}
