package erasure_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

func run(t *testing.T, program string, in []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(program), err, errs.String())
	}
	return out.Bytes()
}

// certificate is what is answered about who was erased.
type certificate struct {
	Erased   bool
	Name     string
	Acts     []struct{ As, Type, ID string }
	Holds    []struct{ ID, Covers string }
	Erasures []struct {
		EventID, RequestID, Basis, RequestedBy, AuthorizedBy string
		KeyIDs, RedactedEvidenceIDs                          []string
	}
}

// T10: one person of real documents is erased, and is nowhere any more.
func TestAPersonIsErased(t *testing.T) {
	w := start(t)
	tree := "/v1/strategies/" + w.imports[len(w.imports)-1].StrategyID
	w.caughtUp()
	before := w.head

	t.Log("who may read names sees them, others that there are some")
	for by, sees := range map[string]bool{"arlo": true, "casey": true, "sam": true, "priya": true, "ines": true, "rita": true, "dan": true, "vera": false, "ada": false} {
		body := w.get(by, tree)
		if says([]byte(body)) != sees || strings.Contains(body, `"sealed":true`) == sees {
			t.Errorf("%s is shown names: %v, want %v", by, says([]byte(body)), sees)
		}
	}
	if !says([]byte(w.get("sam", tree+"/stratml"))) || says([]byte(w.get("vera", tree+"/stratml"))) {
		t.Error("the export names persons to who may not know, or not to who may")
	}
	known := w.persons("casey")
	i := slices.IndexFunc(known, func(p person) bool { return p.Name == name })
	if i < 0 {
		t.Fatalf("%d persons are known, and %s is not one of them", len(known), name)
	}
	subject := known[i].SubjectID
	ids := w.everyID()
	few := []string{"arlo", "sam"}
	shown, asked := w.answersNaming(ids, "", few)
	if len(shown) < 10 {
		t.Fatalf("before, %d of %d answers name the person: the sweep finds nothing", len(shown), asked)
	}
	for _, database := range []string{"strata_log", "strata_plans", "strata_audit"} {
		if found, rows := w.columnsNaming(database); len(found) > 0 || rows == 0 {
			t.Errorf("in clear in %s, before anybody was erased: %v (of %d rows)", database, found, rows)
		}
	}
	backups := w.backup()
	if original, err := w.do("sam", restclient.Request{Method: http.MethodGet, Path: "/v1/imports/" + w.imports[0].ImportID + "/original"}); err != nil || !says(original.Body) {
		t.Error("the original does not name the person")
	}

	t.Log("what refuses it")
	ask := map[string]any{"subjectId": subject, "basis": "request under Art. 17 GDPR"}
	w.refuses("S8", func() error { _, err := w.do("cleo", request(ask)); return err })
	w.refuses("S8", func() error { _, err := w.together("cleo", "arlo", erasePath, uuid.NewString(), ask); return err })
	w.refuses("S8", func() error { _, err := w.together("cleo", "cleo", erasePath, uuid.NewString(), ask); return err })
	w.refuses("role", func() error { _, err := w.together("ada", "casey", erasePath, uuid.NewString(), ask); return err })
	var placed struct{ HoldID string }
	w.post("casey", "/v1/organization/commands/place-legal-hold", map[string]any{
		"matter": "Case 7", "basis": "order", "scope": map[string]any{"organization": false, "streams": []string{"strategy-" + w.imports[0].StrategyID}},
	}, &placed)
	w.refuses("legal-hold", func() error { _, err := w.together("cleo", "casey", erasePath, uuid.NewString(), ask); return err })
	testenv.Eventually(t, 30*time.Second, "the journal to know that a hold has refused it", func() error {
		answer, err := system.Get(t.Context(), w.as("arlo"), "/v1/journal?kind=command-denied&limit=200", w.Head(t))
		if err == nil && !bytes.Contains(answer.Body, []byte(`"legal-hold"`)) {
			err = fmt.Errorf("it says %s", answer.Body)
		}
		return err
	})
	var c certificate
	w.read("casey", "/v1/persons/"+subject, &c)
	if c.Erased || len(c.Holds) != 1 || c.Holds[0].Covers != "stream" || len(c.Acts) < 3 {
		t.Errorf("under a hold: %+v", c)
	}
	if _, err := w.together("cleo", "casey", "/v1/organization/commands/release-legal-hold", uuid.NewString(), map[string]any{"holdId": placed.HoldID, "reason": "settled"}); err != nil {
		t.Fatal(err)
	}

	t.Log("erased, once")
	key := uuid.NewString()
	answer, err := w.together("cleo", "casey", erasePath, key, ask)
	if err != nil {
		t.Fatal(err)
	}
	var erased struct {
		RequestID                   string
		KeyIDs, RedactedEvidenceIDs []string
	}
	if err := answer.Decode(&erased); err != nil {
		t.Fatal(err)
	}
	if len(erased.KeyIDs) != 1+len(w.imports) || len(erased.RedactedEvidenceIDs) != len(w.imports) || !has(erased.KeyIDs, subject) {
		t.Errorf("erased %+v", erased)
	}
	for _, again := range []string{key, uuid.NewString()} {
		if repeated, err := w.together("cleo", "casey", erasePath, again, ask); err != nil || repeated.Replayed != (again == key) {
			t.Errorf("erased again: %v, replayed %v", err, repeated.Replayed)
		}
	}
	w.caughtUp()

	t.Log("no answer names them: of now, of before, or by ids of what has come since")
	if found, _ := w.answersNaming(w.everyID(), "", nil); len(found) > 0 {
		t.Errorf("%d answers name the person, such as %v", len(found), found[:min(len(found), 5)])
	}
	if found, n := w.answersNaming(ids, "", few); len(found) > 0 || n < asked/2 {
		t.Errorf("about ids of before, %d of %d answers name the person, such as %v", len(found), n, found[:min(len(found), 5)])
	}
	moment := fmt.Sprintf("asOfPosition=%d", before)
	if found, n := w.answersNaming(map[string][]string{"strategies": ids["strategies"], "persons": {subject}, "imports": ids["imports"]}, moment, few); len(found) > 0 || n < 10 {
		t.Errorf("as of before, %d of %d answers name the person, such as %v", len(found), n, found[:min(len(found), 5)])
	}
	then, err := w.do("sam", restclient.Request{Method: http.MethodGet, Path: tree + "?" + moment})
	if err != nil || !bytes.Contains(then.Body, []byte(`"erased":true`)) || !bytes.Contains(then.Body, []byte("Danny Dohrmann")) {
		t.Errorf("as of before, the person is not shown as erased, or others are gone, too: %v", err)
	}

	t.Log("no database, file, message or line of a log has the name")
	for _, database := range []string{"strata_log", "strata_plans", "strata_audit"} {
		if found, rows := w.columnsNaming(database); len(found) > 0 || rows == 0 {
			t.Errorf("in %s: %v (of %d rows)", database, found, rows)
		}
	}
	places, err := filepath.Glob(filepath.Join(filepath.Dir(w.Setting("STRATA_DEV_KEY_FILE")), "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range places {
		if found, _, err := filesNaming(place); err != nil || len(found) > 0 {
			t.Errorf("in %s: %v, %v", place, found, err)
		}
	}
	digests := map[string]bool{}
	for _, r := range w.Log(t) {
		digests[fmt.Sprintf("%x", r.Digest)] = true
	}
	for _, d := range w.messages.Deliveries(t) {
		if !digests[fmt.Sprintf("%x", d.Digest)] {
			t.Errorf("message %s says something else than the log, which was looked through", d.ID)
		}
	}
	if says([]byte(w.service.Log())) {
		t.Error("the service's log names the person")
	}

	t.Log("a copy without the name stands in the document's place")
	for _, i := range w.imports {
		if _, err := w.do("sam", restclient.Request{Method: http.MethodGet, Path: "/v1/imports/" + i.ImportID + "/original"}); err == nil {
			t.Errorf("the original of import %s is still given", i.ImportID)
		} else if status, _, body := refused(err); status != http.StatusGone || !strings.Contains(body, `"erased"`) {
			t.Errorf("the original of import %s: %v", i.ImportID, err)
		}
	}
	for _, id := range erased.RedactedEvidenceIDs {
		answer, err := w.do("arlo", restclient.Request{Method: http.MethodGet, Path: "/v1/evidence/" + id + "/content"})
		if err != nil {
			t.Fatal(err)
		}
		content := string(answer.Body)
		if says(answer.Body) || strings.Count(content, "[erased]") < 2 || !strings.Contains(content, "Danny Dohrmann") {
			t.Errorf("copy %s is not the document without the person", id)
		}
		var copied struct {
			Kind     string
			LinkList []struct {
				Relation string
				Target   struct{ Type, ID string }
			}
		}
		w.read("arlo", "/v1/evidence/"+id, &copied)
		if copied.Kind != "import_original" || len(copied.LinkList) != 1 || copied.LinkList[0].Relation != "redacts" {
			t.Errorf("copy %s: %+v", id, copied)
			continue
		}
		if redacted := w.get("arlo", "/v1/evidence/"+copied.LinkList[0].Target.ID); !strings.Contains(redacted, id) {
			t.Errorf("what copy %s redacts does not say so", id)
		}
	}

	t.Log("importing it again does not bring the name back")
	_, err = w.do("sam", w.upload())
	if status, _, _ := refused(err); status < 400 {
		t.Errorf("imported again: %v", err)
	}
	w.caughtUp()
	if says([]byte(w.get("sam", tree))) || says([]byte(w.get("casey", "/v1/persons/"+subject))) {
		t.Error("the name is back")
	}

	t.Log("the certificate, and what it proves")
	c = certificate{}
	w.read("casey", "/v1/persons/"+subject, &c)
	if !c.Erased || c.Name != "" || len(c.Erasures) != 1 {
		t.Fatalf("after it: %+v", c)
	}
	e := c.Erasures[0]
	if e.RequestID != erased.RequestID || e.RequestedBy == e.AuthorizedBy || e.Basis != ask["basis"] || !slices.Equal(e.KeyIDs, erased.KeyIDs) {
		t.Errorf("certificate %+v of %+v", e, erased)
	}
	testenv.Eventually(t, 30*time.Second, "the proof of the certificate", func() error {
		proof, err := w.do("arlo", restclient.Request{Method: http.MethodGet, Path: "/v1/events/" + e.EventID + "/proof"})
		if err == nil && !bytes.Contains(proof.Body, []byte("checkpoint")) {
			err = fmt.Errorf("no proof: %s", proof.Body)
		}
		return err
	})
	if r := system.CLI(t, w.Environ(nil), "verify"); r.Code != 0 {
		t.Errorf("strata verify: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}

	t.Log("a backup from before does not have the name either")
	old := w.restored(backups)
	for _, by := range []string{"arlo", "casey", "sam"} {
		for _, path := range []string{tree, tree + "/stratml", "/v1/persons?limit=200", "/v1/persons/" + subject, "/v1/imports/" + w.imports[0].ImportID + "/original"} {
			answer, err := w.Client(old.Base, by).Do(t.Context(), restclient.Request{Method: http.MethodGet, Path: path})
			_, _, body := refused(err)
			if says(answer.Body) || says([]byte(body)) {
				t.Errorf("%s, GET %s of a backup from before names the person", by, path)
			}
			if path == tree && (err != nil || !bytes.Contains(answer.Body, []byte("Danny Dohrmann"))) {
				t.Errorf("the backup does not answer: %v", err)
			}
		}
	}
}

func request(body any) restclient.Request {
	return restclient.Request{Method: http.MethodPost, Path: erasePath, Key: uuid.NewString(), IfMatch: "*", Body: body}
}

func (w *world) refuses(rule string, do func() error) {
	w.t.Helper()
	err := do()
	if status, by, _ := refused(err); status != http.StatusForbidden || by != rule {
		w.t.Errorf("got %v, want to be refused by %s", err, rule)
	}
}
