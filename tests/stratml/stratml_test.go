package stratml_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/system"
	documents "strata.dev/strata/tests/testdata/stratml"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }

// world is a running service with an organization.
type world struct {
	*system.System
	service *system.Service
}

func (w world) as(name string) *restclient.Client { return w.Client(w.service.Base, name) }

// counts are those of a document, as the answer to an import gives them.
type counts struct{ Goals, Objectives, Indicators, Targets, Actuals, EmptyUnits, Stakeholders, Persons int }

type imported struct {
	StrategyID      string
	ImportID        string
	Revision        int
	Position        int64 `json:",string"`
	SHA256          string
	Document        counts
	Recorded        struct{ Goals, Objectives, Indicators, Targets, Measurements int }
	DeviationCounts map[string]int
	Deviations      []struct {
		Code, Path   string
		Line, Column int
	}
	Omitted []struct{ Code string }
}

func upload(path string, document []byte, query url.Values) restclient.Request {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return restclient.Request{Method: http.MethodPost, Path: path, Key: uuid.NewString(), IfMatch: "*", ContentType: "application/xml", Body: document}
}

func (w world) imports(t *testing.T, document []byte, query url.Values) imported {
	t.Helper()
	answer, err := w.as("sam").Do(t.Context(), upload("/v1/strategies/stratml", document, query))
	if err != nil {
		t.Fatal(err)
	}
	var got imported
	if err := answer.Decode(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

// refuses makes sure that an import is refused with a status and a rule or
// reason, and that it left exactly one event, which says so.
func (w world) refuses(t *testing.T, document []byte, query url.Values, status int, why string) {
	t.Helper()
	head := w.Head(t)
	_, err := w.as("sam").Do(t.Context(), upload("/v1/strategies/stratml", document, query))
	p, ok := errors.AsType[*restclient.Problem](err)
	if !ok || p.Status != status || !strings.Contains(string(p.Body), `"`+why+`"`) {
		t.Fatalf("got %v, want %d %s", err, status, why)
	}
	if now := w.Head(t); now != head+1 {
		t.Fatalf("%d events of a refused document, want 1", now-head)
	}
	answer, err := w.as("arlo").Do(t.Context(), restclient.Request{Method: http.MethodGet, Path: "/v1/imports?status=refused&limit=200", MinPosition: head + 1})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(answer.Body, []byte(sum(document))) || !bytes.Contains(answer.Body, []byte(`"`+why+`"`)) {
		t.Errorf("the refused document is not in the list: %s", answer.Body)
	}
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func (w world) get(t *testing.T, who, path string) restclient.Answer {
	t.Helper()
	answer, err := w.as(who).Do(t.Context(), restclient.Request{Method: http.MethodGet, Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// export waits for the read database to know all indicators, as the answer to
// an export that came too early asks.
func (w world) export(t *testing.T, path string) (answer restclient.Answer) {
	t.Helper()
	testenv.Eventually(t, 30*time.Second, "the export", func() (err error) {
		answer, err = w.as("vera").Do(t.Context(), restclient.Request{Method: http.MethodGet, Path: path})
		if p, ok := errors.AsType[*restclient.Problem](err); err != nil && (!ok || p.Code != "projection-behind") {
			t.Fatal(err)
		}
		return err
	})
	return answer
}

func here(t *testing.T, name string) []byte {
	t.Helper()
	b, err := documents.File(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// shared reads what may not be redistributed and lies beside the repository.
func shared(t *testing.T, path string) []byte {
	t.Helper()
	root, err := system.Root()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(root, "..", "shared", path))
	if errors.Is(err, os.ErrNotExist) {
		testenv.SkipLoud(t, "published documents are not beside the repository: "+path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// valid holds a document against the official schema of its part.
func valid(t *testing.T, document []byte, part int) {
	t.Helper()
	lint, err := exec.LookPath("xmllint")
	if err != nil {
		testenv.SkipLoud(t, "xmllint (apt: libxml2-utils) is not installed: exports are not held against the official schemas")
	}
	schema := map[int]string{1: "StrategicPlanISOVersion20140401.xsd", 2: "PerformancePlanOrReport20160216.xsd"}[part]
	file := filepath.Join(t.TempDir(), schema)
	if err := os.WriteFile(file, shared(t, "stratml/schema/"+schema), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), lint, "--nonet", "--noout", "--schema", file, "-")
	cmd.Stdin = bytes.NewReader(document)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("not valid by %s: %v\n%.2000s", schema, err, out)
	}
}

func TestStratMLOverHTTP(t *testing.T) {
	s, service := system.Start(t, system.Options{Queues: []string{"tests.stratml"}})
	w := world{s, service}
	t.Run("round trip", w.roundTrip)
	t.Run("identical", w.identical)
	t.Run("refused", w.refused)
	t.Run("damaged", w.damaged)
	t.Run("next revision", w.nextRevision)
	t.Run("2030 Agenda", w.agenda)
	t.Run("in the background", w.background)
	if code := service.Stop(); code != 0 {
		t.Errorf("the service ended with code %d", code)
	}
}

// T1, T2: in, out valid by the official schema, in again, out the same; the
// original comes back byte for byte.
func (w world) roundTrip(t *testing.T) {
	for _, c := range []struct {
		path       string
		here       bool
		counts     counts
		deviations map[string]int
	}{
		{
			path: "PMOAI.xml", here: true, deviations: map[string]int{},
			counts: counts{Goals: 1, Objectives: 5, Stakeholders: 24, Persons: 14},
		},
		{
			path: "stratml/Pulkit0729__stratml-project/Albania.xml", deviations: map[string]int{"placeholder": 2_392},
			counts: counts{Goals: 2, Objectives: 12, Indicators: 104, Targets: 2_392, Actuals: 2_392, EmptyUnits: 114, Stakeholders: 15},
		},
		{
			path: "stratml/Pulkit0729__stratml-project/HHIOP20200304.xml", deviations: map[string]int{"submitter-place": 1},
			counts: counts{Goals: 41, Objectives: 386, Stakeholders: 522},
		},
		{
			path: "stratml/OwenAmbur__StratML/temp-stratml/temp.xml", deviations: map[string]int{"submitter-place": 1},
			counts: counts{Goals: 1, Objectives: 2, Stakeholders: 8, Persons: 5},
		},
	} {
		t.Run(filepath.Base(c.path), func(t *testing.T) {
			read := shared
			if c.here {
				read = here
			}
			document := read(t, c.path)
			got := w.imports(t, document, nil)
			if got.Document != c.counts {
				t.Errorf("counts %+v, want %+v", got.Document, c.counts)
			}
			if diff := cmp.Diff(c.deviations, got.DeviationCounts); diff != "" {
				t.Errorf("deviations (-want +got):\n%s", diff)
			}
			for _, d := range got.Deviations {
				if d.Code == "" || d.Line < 1 || d.Column < 1 || !strings.HasPrefix(d.Path, "/") {
					t.Errorf("deviation %+v", d)
				}
			}
			exported := w.export(t, "/v1/strategies/"+got.StrategyID+"/stratml")
			valid(t, exported.Body, 2)
			part1 := w.export(t, "/v1/strategies/"+got.StrategyID+"/stratml?part=1")
			valid(t, part1.Body, 1)
			again := w.imports(t, exported.Body, url.Values{"again": {"true"}, "reason": {"round trip"}})
			if again.Recorded != got.Recorded || again.StrategyID == got.StrategyID {
				t.Errorf("recorded %+v, first %+v", again.Recorded, got.Recorded)
			}
			out := w.export(t, "/v1/strategies/"+again.StrategyID+"/stratml")
			if !bytes.Equal(out.Body, exported.Body) {
				t.Errorf("exported differently:\n%s", cmp.Diff(string(exported.Body), string(out.Body)))
			}
			if got.SHA256 != sum(document) {
				t.Errorf("the answer is about %s", got.SHA256)
			}
			if original := w.get(t, "arlo", "/v1/imports/"+got.ImportID+"/original"); !bytes.Equal(original.Body, document) {
				t.Errorf("the original came back as %d bytes of %d", len(original.Body), len(document))
			}
			_, err := w.as("vera").Do(t.Context(), restclient.Request{Method: http.MethodGet, Path: "/v1/imports/" + got.ImportID + "/original"})
			if p, ok := errors.AsType[*restclient.Problem](err); !ok || p.Status != http.StatusForbidden || p.Rule != "role" {
				t.Errorf("a viewer reads the original: %v", err)
			}
		})
	}
}

// T4: another file of the same content is refused unless there is a reason.
func (w world) identical(t *testing.T) {
	first := w.imports(t, here(t, "SMLC2011.xml"), nil)
	other := here(t, "StratTest.xml")
	w.refuses(t, other, nil, http.StatusConflict, "identical")
	got := w.imports(t, other, url.Values{"again": {"true"}, "reason": {"to compare"}})
	if got.StrategyID == first.StrategyID || got.Recorded != first.Recorded {
		t.Errorf("again %+v, first %+v", got, first)
	}
}

// T6: one event each, and nothing else.
func (w world) refused(t *testing.T) {
	for path, reason := range map[string]string{
		"nonconforming/rumela4__stratml-xsl-demo./demo_stratml.xml":           "unknown-namespace",
		"nonconforming/AndreaGutierrez17__SMLC2023-viewer/sample_stratml.xml": "unknown-namespace",
		"nonconforming/cmarcum__federal-award-pids/strategic-plan.xml":        "unknown-namespace",
		"part3.5/jlind0__StratML.NET/Steffek-Lind-Transformation.xml":         "part-3-unsupported",
		"part3.5/jlind0__StratML.NET/TrasnformationDotRun.xml":                "part-3-unsupported",
	} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			w.refuses(t, shared(t, "stratml/"+path), nil, http.StatusUnprocessableEntity, reason)
		})
	}
	w.refuses(t, here(t, "WGlascoeCCIP.xml"), nil, http.StatusUnprocessableEntity, "part-3-unsupported")
	w.refuses(t, []byte("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"), nil, http.StatusUnprocessableEntity, "dtd-forbidden")
}

// T5: two copies of one report, one of them without its type.
func (w world) damaged(t *testing.T) {
	damaged := shared(t, "stratml/AndreaGutierrez17__SMLC2023-viewer/SMLC2023.xml")
	w.refuses(t, damaged, nil, http.StatusUnprocessableEntity, "type-missing")
	got := w.imports(t, damaged, url.Values{"documentType": {"Performance_Report"}})
	if got.DeviationCounts["missing-type"] != 1 || got.DeviationCounts["stray-text"] != 1 {
		t.Errorf("deviations %v", got.DeviationCounts)
	}
	if want := (counts{Goals: 3, Objectives: 13, Indicators: 21, Targets: 27, Actuals: 77, EmptyUnits: 71, Stakeholders: 118, Persons: 63}); got.Document != want {
		t.Errorf("counts %+v, want %+v", got.Document, want)
	}
	w.refuses(t, shared(t, "stratml/Pulkit0729__stratml-project/SMLC2023.xml"), nil, http.StatusConflict, "identical")
	valid(t, w.export(t, "/v1/strategies/"+got.StrategyID+"/stratml").Body, 2)
}

// T3: the committee's report of 2011 in force, that of 2023 as its next revision.
func (w world) nextRevision(t *testing.T) {
	after := shared(t, "stratml/Pulkit0729__stratml-project/SMLC2023.xml")
	first := w.imports(t, here(t, "SMLC2011.xml"), url.Values{"again": {"true"}, "reason": {"to be revised"}})
	w.activate(t, first.StrategyID)
	why := url.Values{"again": {"true"}, "reason": {"twelve years later"}}
	path := "/v1/strategies/" + first.StrategyID + "/stratml"
	_, err := w.as("sam").Do(t.Context(), upload(path, after, why))
	if p, ok := errors.AsType[*restclient.Problem](err); !ok || p.Rule != "S15" {
		t.Fatalf("without a second person: %v", err)
	}
	var signed struct{ Token string }
	system.MustPost(t, w.as("priya"), "/v1/countersignatures", map[string]any{
		"method": "POST", "path": path, "meaning": "The targets are those the committee agreed to.",
		"document": map[string]any{"sha256": sum(after), "again": true, "reason": "twelve years later"},
	}, &signed)
	request := upload(path, after, why)
	request.Header = http.Header{"Strata-Countersignature": {signed.Token}}
	answer, err := w.as("sam").Do(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	var got imported
	if err := answer.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Revision != 2 || got.StrategyID != first.StrategyID || got.Recorded.Objectives != 3 || got.Recorded.Goals != 0 {
		t.Errorf("revision %+v", got)
	}
	revision := w.export(t, path+"?revision=working")
	valid(t, revision.Body, 2)
	before := w.export(t, path+"?revision=in-force")
	valid(t, before.Body, 2)
	if !bytes.Contains(revision.Body, []byte("2022")) || bytes.Equal(revision.Body, before.Body) {
		t.Error("the revision reads as what is in force")
	}
	detail, err := w.as("arlo").Do(t.Context(), restclient.Request{Method: http.MethodGet, Path: "/v1/imports/" + got.ImportID, MinPosition: got.Position})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(detail.Body, []byte(`"again":true`)) && !bytes.Contains(detail.Body, []byte("twelve years later")) {
		t.Errorf("the reason is not on record: %s", detail.Body)
	}
}

// activate brings a draft into force, over HTTP.
func (w world) activate(t *testing.T, id string) {
	t.Helper()
	ada := w.as("ada")
	var enrolled struct{ MemberID string }
	system.MustPost(t, ada, "/v1/organization/commands/enrol-member", map[string]string{"issuer": oidc.DevIssuer, "subject": "cleo", "kind": "person"}, &enrolled)
	system.MustPost(t, ada, "/v1/organization/commands/grant-role", map[string]string{"memberId": enrolled.MemberID, "role": "compliance_officer"}, nil)
	cleo := &restclient.Client{Base: w.service.Base, Token: w.Token(oidc.Claims{Organization: w.Organization.ID, Subject: "cleo"})}
	path := "/v1/strategies/" + id
	system.MustPost(t, w.as("sam"), path+"/commands/submit", map[string]string{"summary": "as published"}, nil)
	var strategy struct{ Working struct{ ContentHash string } }
	testenv.Eventually(t, 20*time.Second, "the submitted revision", func() error {
		if err := w.get(t, "vera", path).Decode(&strategy); err != nil || strategy.Working.ContentHash != "" {
			return err
		}
		return errors.New("has no content hash yet")
	})
	hash := strategy.Working.ContentHash
	system.MustPost(t, w.as("priya"), path+"/commands/approve", map[string]string{"contentHash": hash, "meaning": "business"}, nil)
	system.MustPost(t, w.as("casey"), path+"/commands/approve", map[string]string{"contentHash": hash, "meaning": "compliance"}, nil)
	system.MustPost(t, cleo, path+"/commands/activate", map[string]string{"contentHash": hash, "meaning": "activation"}, nil)
}

// What nobody waits for goes on by itself.
func (w world) background(t *testing.T) {
	request := upload("/v1/strategies/stratml", documents.AlbaniaShaped(), nil)
	request.Header = http.Header{"Prefer": {"respond-async"}}
	answer, err := w.as("sam").Do(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Status != http.StatusAccepted {
		t.Fatalf("status %d", answer.Status)
	}
	var operation struct {
		Status   string
		Progress struct{ Done, Total int }
	}
	testenv.Eventually(t, 60*time.Second, "the import", func() error {
		if err := w.get(t, "sam", answer.Header.Get("Location")).Decode(&operation); err != nil || operation.Status == "succeeded" {
			return err
		}
		return fmt.Errorf("%s, %+v", operation.Status, operation.Progress)
	})
	if operation.Progress.Done != operation.Progress.Total || operation.Progress.Total != 209 {
		t.Errorf("progress %+v", operation.Progress)
	}
}
