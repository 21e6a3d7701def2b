package command_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/sealed"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
	generated "strata.dev/strata/tests/testdata/stratml"
)

const canary = "Wilhelmina Kanari"

// peopled puts persons into a generated plan: one in many places, another one in
// each third, one of no type, and who submitted it.
func peopled(document []byte) []byte {
	blank := []byte("<Stakeholder><Name/><Description/><Role><Name/><Description/></Role></Stakeholder>")
	forms := [][]byte{
		fmt.Appendf(nil, `<Stakeholder StakeholderTypeType="Person"><Name>%s</Name><Description>Chair</Description><Role><Name>Chair</Name><Description/><RoleType>Performer</RoleType></Role></Stakeholder>`, canary),
		[]byte(`<Stakeholder><Name>Untyped Kanari</Name><Description/></Stakeholder>`),
		[]byte(`<Stakeholder StakeholderTypeType="Person"><Name>Zoe&#x308; Kanari</Name><Description/></Stakeholder><Stakeholder StakeholderTypeType="Organization"><Name>Examples Ltd</Name><Description/></Stakeholder>`),
	}
	for n := 0; bytes.Contains(document, blank); n++ {
		document = bytes.Replace(document, blank, forms[n%len(forms)], 1)
	}
	return bytes.Replace(document, []byte("<GivenName/><Surname/><PhoneNumber/><EmailAddress/>"),
		[]byte("<GivenName>Wilhelmina</GivenName><Surname>Kanari</Surname><PhoneNumber/><EmailAddress>w@kanari.example</EmailAddress>"), 1)
}

var sealedPattern = regexp.MustCompile(`v1\.[0-9a-z-]+\.[A-Za-z0-9_-]+`)

// opened is the data of an event with everything in it opened.
func (w *world) opened(data []byte) string {
	w.t.Helper()
	if w.keys == nil {
		return string(data)
	}
	return sealedPattern.ReplaceAllStringFunc(string(data), func(text string) string {
		plain, ok, err := w.persons().Open(w.t.Context(), w.org, text)
		if err != nil || !ok {
			w.t.Fatalf("%s: %t, %v", text, ok, err)
		}
		return plain
	})
}

// silent makes sure that nothing recorded holds what only sealed may be there.
func (w *world) silent(names ...string) {
	w.t.Helper()
	for _, e := range mustRead(w.t, w.log) {
		for _, name := range names {
			if bytes.Contains(e.Data, []byte(name)) || bytes.Contains(e.Metadata, []byte(name)) {
				w.t.Errorf("%s at %d says %q", e.Type, e.Position, name)
			}
		}
	}
}

// persons are the stakeholders that are sealed in a plan.
func persons(plan strategy.Plan) (all []strategy.Stakeholder) {
	lists := [][]strategy.Stakeholder{}
	for _, o := range plan.Frame.Organizations {
		lists = append(lists, o.Stakeholders)
	}
	for _, g := range plan.Goals() {
		lists = append(lists, g.Stakeholders)
	}
	for _, o := range plan.Objectives("") {
		lists = append(lists, o.Stakeholders)
	}
	for _, s := range slices.Concat(lists...) {
		if s.Sealed != "" {
			all = append(all, s)
		}
	}
	return all
}

func (w *world) accepted(importID uuid.UUID) source.ImportAccepted {
	w.t.Helper()
	i, err := w.commands.Imports.Get(w.t.Context(), w.org, importID)
	if err != nil {
		w.t.Fatal(err)
	}
	return i.ImportAccepted
}

// T3, with a key store: 63 stakeholders of the committee's report are persons,
// with 52 names; all are sealed, each name for one subject, and each opens.
func TestPersonsOfThePublishedReportAreSealed(t *testing.T) {
	t.Parallel()
	document := published(t, "Pulkit0729__stratml-project/SMLC2023.xml")
	w := newSealedWorld(t, &memory.Log{})
	first := w.imports(w.as("author"), here(t, "SMLC2011.xml"))
	w.activate(first.StrategyID)
	got := w.revise(first.StrategyID, document)

	wanted := map[string]int{}
	var texts []string
	untyped := 0
	for _, s := range stakeholdersIn(parsed(t, document)) {
		switch {
		case s.Type == "Person":
			wanted[stratml.Collapse(s.Name)]++
			texts = append(texts, s.Name, s.Description)
		case s.Type == "" && personal.Names(strategy.Stakeholder{Name: s.Name, Description: s.Description}):
			untyped++
		}
	}
	counted, subjects := 0, map[string]string{}
	opened := map[string]int{}
	for _, s := range persons(w.strategy(first.StrategyID).Working.Plan) {
		open, ok, err := w.persons().OpenStakeholder(t.Context(), w.org, s)
		if err != nil || !ok || s.Name+s.Description != "" {
			t.Fatalf("%+v: %t, %v", s, ok, err)
		}
		if s.Kind != strategy.PersonStakeholder {
			untyped--
			continue
		}
		counted++
		opened[open.Name]++
		if before, ok := subjects[open.Name]; ok && before != sealed.Subject(s.Sealed) {
			t.Errorf("%s is two subjects", open.Name)
		}
		subjects[open.Name] = sealed.Subject(s.Sealed)
	}
	if counted != 63 || len(opened) != 52 || got.Document.Persons != 63 || untyped != 0 {
		t.Errorf("%d persons with %d names are sealed, of %d in the document; %d of no type are not", counted, len(opened), got.Document.Persons, untyped)
	}
	if diff := cmp.Diff(wanted, opened); diff != "" {
		t.Errorf("names (-document +opened):\n%s", diff)
	}
	for _, o := range got.Omitted {
		if o.Code == stratml.PersonWithheld || o.Code == stratml.UntypedWithheld {
			t.Errorf("withheld: %+v", o)
		}
	}
	texts = slices.DeleteFunc(texts, func(s string) bool { return len(s) < 8 })
	// Seven of them are named in the notes of results, too: what prose says stays prose.
	for _, e := range mustRead(t, w.log) {
		if strings.HasPrefix(e.StreamID, "indicator-") {
			continue
		}
		for _, name := range texts {
			if bytes.Contains(e.Data, []byte(name)) || bytes.Contains(e.Metadata, []byte(name)) {
				t.Errorf("%s at %d says %q", e.Type, e.Position, name)
			}
		}
	}

	// The register knows whom the document names, and the same again is the same.
	a := w.accepted(got.ImportID)
	for _, id := range subjects {
		if !slices.Contains(a.Subjects, id) {
			t.Errorf("the acceptance does not name %s", id)
		}
	}
	_, err := w.commands.Imports.Import(t.Context(), w.as("author"), upload(document), nil)
	refused(t, err, source.ErrIdentical)
}

// stakeholdersIn are all of a document.
func stakeholdersIn(doc *stratml.Document) (all []stratml.Stakeholder) {
	for _, o := range doc.Organizations {
		all = append(all, o.Stakeholders...)
	}
	for _, g := range doc.Goals {
		all = append(all, g.Stakeholders...)
		for _, o := range g.Objectives {
			all = append(all, o.Stakeholders...)
		}
	}
	return all
}

func TestImportSealsWhoeverItNames(t *testing.T) {
	t.Parallel()
	w := newSealedWorld(t, &memory.Log{})
	document := peopled(generated.Plan(2, 4, 1, 1, 0))
	c := w.as("author")
	r := upload(document)
	r.FileName = "Kanari, plan.xml"
	got, err := w.commands.Imports.Import(t.Context(), c, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.silent("Kanari", "Wilhelmina", "Chair")
	a := w.accepted(got.ImportID)
	if len(a.Subjects) != 3 || sealed.Subject(a.Submitter) == "" || !slices.Contains(a.Subjects, sealed.Subject(a.Submitter)) {
		t.Errorf("subjects %v, the submitter is %q", a.Subjects, sealed.Subject(a.Submitter))
	}
	want := `{"emailAddress":"w@kanari.example","givenName":"Wilhelmina","identifier":"s1","surname":"Kanari"}`
	if plain := w.opened([]byte(a.Submitter)); plain != want {
		t.Errorf("the submitter is %s, want %s", plain, want)
	}
	if sealed.Subject(a.FileName) != sealed.Document(a.DocumentSHA256) || w.opened([]byte(a.FileName)) != r.FileName {
		t.Errorf("the file is %q of %q", w.opened([]byte(a.FileName)), sealed.Subject(a.FileName))
	}
	// Who has a name is one subject, wherever and in whichever document.
	ada, err := w.persons().SubjectOf(t.Context(), w.org, canary)
	if err != nil || sealed.Subject(a.Submitter) != ada.String() {
		t.Errorf("she is %s, and submitted as %s: %v", ada, sealed.Subject(a.Submitter), err)
	}
	second := w.imports(w.as("author"), peopled(generated.Plan(3, 4, 1, 1, 0)))
	if diff := cmp.Diff(a.Subjects, w.accepted(second.ImportID).Subjects); diff != "" {
		t.Error(diff)
	}
	// Without the names it is not the same any more.
	if nameless := w.imports(w.as("author"), generated.Plan(2, 4, 1, 1, 0)); nameless.ContentHash == got.ContentHash {
		t.Error("names are no content")
	}
	// Nobody outside can find the content's hash by guessing names.
	elsewhere := newSealedWorld(t, &memory.Log{})
	if other := elsewhere.imports(elsewhere.as("author"), document); other.ContentHash == got.ContentHash {
		t.Error("the content's hash follows from the names")
	}
}

func TestTheErasedAreNotTakenInAgain(t *testing.T) {
	t.Parallel()
	w := newSealedWorld(t, &memory.Log{})
	ada, err := w.persons().SubjectOf(t.Context(), w.org, canary)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.persons().Destroy(t.Context(), w.org, ada.String(), "request"); err != nil {
		t.Fatal(err)
	}
	got := w.imports(w.as("author"), peopled(generated.Plan(2, 4, 1, 1, 0)))
	a := w.accepted(got.ImportID)
	// The document names her all the same, and is found by that.
	if !slices.Contains(a.Subjects, ada.String()) || a.Submitter != "" || len(a.Subjects) != 3 {
		t.Errorf("subjects %v, submitter %q", a.Subjects, a.Submitter)
	}
	erased := 0
	for _, o := range got.Omitted {
		if o.Code == stratml.PersonErased {
			erased++
		}
	}
	plan := w.strategy(got.StrategyID).Working.Plan
	bare := 0
	for _, g := range append(slices.Collect(objectivesAsHolders(plan)), plan.Frame.Organizations[0].Stakeholders) {
		for _, s := range g {
			if s.Kind == strategy.PersonStakeholder && s.Sealed == "" {
				bare++
			}
		}
	}
	// The canary is in every third form, and submitted it.
	if erased != bare+1 || bare == 0 {
		t.Errorf("%d are left out as erased, %d are bare", erased, bare)
	}
	w.silent("Kanari")

	_, err = w.commands.Strategies.Execute(t.Context(), w.as("author"), got.StrategyID, strategy.AddGoal{
		GoalID: uuid.NewString(), Name: "Another", Stakeholders: []strategy.Stakeholder{{Kind: strategy.PersonStakeholder, Name: canary}},
	})
	if f := faultOf(t, err, personal.ErrPersonErased); strings.Contains(f.Error(), "Kanari") || strings.Contains(f.Detail, ada.String()) {
		t.Errorf("the refusal says %s", f)
	}
}

func objectivesAsHolders(plan strategy.Plan) func(func([]strategy.Stakeholder) bool) {
	return func(yield func([]strategy.Stakeholder) bool) {
		for _, g := range plan.Goals() {
			if !yield(g.Stakeholders) {
				return
			}
		}
		for _, o := range plan.Objectives("") {
			if !yield(o.Stakeholders) {
				return
			}
		}
	}
}

// Persons come in clear in every command that takes them, and are recorded sealed.
func TestCommandsSealPersons(t *testing.T) {
	t.Parallel()
	w := newSealedWorld(t, &memory.Log{})
	ada := strategy.Stakeholder{Kind: strategy.PersonStakeholder, Name: canary, Description: "Kanari of the coast", Roles: []strategy.Role{{Name: "Kanari-in-chief", Types: []strategy.RoleType{strategy.Performer}}}}
	list := []strategy.Stakeholder{ada, {Kind: strategy.OrganizationStakeholder, Name: "Examples Ltd"}}
	organizations := []strategy.Organization{{Name: "Us", Stakeholders: list}}
	id, goal, objective := uuid.New(), uuid.NewString(), uuid.NewString()
	for _, c := range []strategy.Command{
		strategy.DraftStrategy{Frame: strategy.Frame{Name: "Plan", Organizations: organizations}},
		strategy.AddGoal{GoalID: goal, Name: "Goal", Stakeholders: list},
		strategy.AddObjective{ObjectiveID: objective, GoalID: goal, Name: "Objective", Stakeholders: list},
		strategy.AmendFrame{Edits: []strategy.Edit{{Field: "organizations", New: strategy.Content{Organizations: append(organizations, organizations...)}}}, Reason: "r"},
		strategy.AmendGoal{GoalID: goal, Edits: []strategy.Edit{{Field: "stakeholders", New: strategy.Content{Stakeholders: append(list, list...)}}}, Reason: "r"},
		strategy.AmendObjective{ObjectiveID: objective, Edits: []strategy.Edit{{Field: "stakeholders", New: strategy.Content{Stakeholders: append(list, list...)}}}, Reason: "r"},
	} {
		call := w.as("author")
		first := w.must(w.commands.Strategies.Execute(t.Context(), call, id, c))
		// Again it is the same, also for another process; under another body it is not.
		again := w.must(w.process().Strategies.Execute(t.Context(), call, id, c))
		if !again.Replayed || again.Position != first.Position || first.Replayed {
			t.Errorf("%T: first %+v, again %+v", c, first, again)
		}
		other := call
		other.Hash = slices.Concat(call.Hash[1:], call.Hash[:1])
		_, err := w.commands.Strategies.Execute(t.Context(), other, id, c)
		refusedAs(t, fmt.Sprintf("%T", c), err, eventlog.ErrCommandReused)
		// What is kept of the call is not the hash of what was said.
		e := mustRead(t, w.log)[first.Position-1]
		if bytes.Equal(e.CommandHash, call.Hash) || len(e.CommandHash) != 32 {
			t.Errorf("%T: the log keeps the hash of the names", c)
		}
	}
	if list[0].Name != canary || list[0].Sealed != "" {
		t.Error("the caller's own command was changed")
	}
	w.silent("Kanari")
	s := w.strategy(id)
	all := persons(s.Working.Plan)
	if len(all) != 6 {
		t.Errorf("%d persons are there", len(all))
	}
	for _, p := range all {
		if got, ok, err := w.persons().OpenStakeholder(t.Context(), w.org, p); err != nil || !ok || !cmp.Equal(got, ada) {
			t.Errorf("opened: %+v, %t, %v", got, ok, err)
		}
	}
}

// Who may not give a command makes no keys by trying, and learns nothing.
func TestOnlyThoseWhoMayMakeKeys(t *testing.T) {
	t.Parallel()
	w := newSealedWorld(t, &memory.Log{})
	id, _, _ := w.draft()
	c := addGoal()
	c.Stakeholders = []strategy.Stakeholder{{Kind: strategy.PersonStakeholder, Name: canary}}
	ada, err := w.persons().SubjectOf(t.Context(), w.org, canary)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"approver", "admin"} {
		_, err := w.commands.Strategies.Execute(t.Context(), w.as(name), id, c)
		refusedAs(t, name, err, authz.ErrRole)
	}
	if _, err := w.keys.Key(t.Context(), w.org, ada.String()); !errors.Is(err, personal.ErrNoKey) {
		t.Errorf("there is a key: %v", err)
	}
	_, err = w.commands.Organizations.Execute(t.Context(), w.as("author"), w.org, named(w, "x"))
	refused(t, err, authz.ErrRole)
}

// Without a key store names are refused, and nothing of them is recorded.
func TestWithoutAKeyStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _, _ := w.draft()
	head, _ := w.log.Head(t.Context())
	c := addGoal()
	c.Stakeholders = []strategy.Stakeholder{{Kind: strategy.PersonStakeholder, Name: canary}}
	_, err := w.commands.Strategies.Execute(t.Context(), w.as("author"), id, c)
	refused(t, err, refusal.Invalid)
	_, err = w.commands.Organizations.Execute(t.Context(), w.as("admin"), w.org, named(w, "x"))
	refused(t, err, refusal.Invalid.WithRule("key-store"))
	if now, _ := w.log.Head(t.Context()); now != head {
		t.Errorf("%d events", now-head)
	}
	got, err := w.commands.Imports.Import(t.Context(), w.as("author"), command.ImportRequest{
		Document: peopled(generated.Plan(1, 1, 1, 1, 0)), FileName: "Kanari.xml",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := w.accepted(got.ImportID); a.FileName+a.Submitter != "" || a.Subjects != nil {
		t.Errorf("accepted %+v", a)
	}
	r := w.must(w.commands.Evidence.Register(t.Context(), w.as("officer"), uuid.New(), []byte("paper"), evidence.RegisterEvidence{
		Kind: evidence.Document, MediaType: "text/plain", FileName: "Kanari.txt",
	}))
	if e := mustRead(t, w.log)[r.Position-1]; bytes.Contains(e.Data, []byte("fileName")) {
		t.Errorf("recorded: %s", e.Data)
	}
	w.silent("Kanari")
}

// With the key store away nothing is written, and the same works later.
func TestTheKeyStoreIsAway(t *testing.T) {
	t.Parallel()
	w := newSealedWorld(t, &memory.Log{})
	id, _, _ := w.draft()
	head, _ := w.log.Head(t.Context())
	keys := w.keys.(*memory.Keys)
	keys.Fail(personal.ErrUnavailable)
	c := addGoal()
	c.Stakeholders = []strategy.Stakeholder{{Kind: strategy.PersonStakeholder, Name: canary}}
	goal, enrol, doc := w.as("author"), w.as("admin"), w.as("author")
	member := named(w, "late")
	commands := map[string]func() error{
		"a goal": func() error { _, err := w.commands.Strategies.Execute(t.Context(), goal, id, c); return err },
		"a member": func() error {
			_, err := w.commands.Organizations.Execute(t.Context(), enrol, w.org, member)
			return err
		},
		"an import": func() error {
			_, err := w.commands.Imports.Import(t.Context(), doc, upload(peopled(generated.Plan(1, 1, 1, 1, 0))), nil)
			return err
		},
		"evidence": func() error {
			_, err := w.commands.Evidence.Register(t.Context(), w.keyed("officer", "paper"), uuid.New(), []byte("paper"),
				evidence.RegisterEvidence{Kind: evidence.Document, MediaType: "text/plain", FileName: "Kanari.txt"})
			return err
		},
	}
	for what, do := range commands {
		err := do()
		refusedAs(t, what, err, personal.ErrUnavailable)
		if strings.Contains(err.Error(), "Kanari") {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Who names nobody does not need it.
	w.must(w.commands.Strategies.Execute(t.Context(), w.as("author"), id, addGoal()))
	if now, _ := w.log.Head(t.Context()); now != head+1 {
		t.Errorf("%d events", now-head)
	}
	keys.Fail(nil)
	for what, do := range commands {
		if err := do(); err != nil {
			t.Errorf("%s, later: %v", what, err)
		}
	}
	w.silent("Kanari")
}

func named(w *world, name string) organization.EnrolMember {
	return organization.EnrolMember{
		MemberID: uuid.NewString(), SubjectID: uuid.NewString(), Issuer: issuer, Kind: organization.Person,
		ExternalIDHash: organization.IdentityHash(w.org.String(), issuer, name),
		DisplayName:    "Dr. " + name + " Kanari", Email: name + "@kanari.example",
	}
}

// R16: a signature is printed with the name of who signed, as it was then.
func TestSignaturesPrintNames(t *testing.T) {
	t.Parallel()
	w := newSealedWorld(t, &memory.Log{})
	for name, role := range map[string]string{"signer": authz.Approver, "activator": authz.ComplianceOfficer} {
		c := named(w, name)
		w.members[name] = c.MemberID
		w.must(w.commands.Organizations.Execute(t.Context(), w.as("admin"), w.org, c, organization.GrantRole{
			GrantID: uuid.NewString(), MemberID: c.MemberID, Role: role, Scope: organization.Scope{All: true}, TicketRef: "T-1",
		}))
	}
	e := w.stream("organization-" + w.org.String())
	enrolled := map[string]organization.MemberEnrolled{}
	for _, e := range e {
		body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := body.(organization.MemberEnrolled); ok {
			enrolled[m.MemberID] = m
		}
	}
	signer := enrolled[w.members["signer"]]
	if sealed.Subject(signer.DisplayName) != signer.SubjectID || w.opened([]byte(signer.DisplayName)) != "Dr. signer Kanari" || w.opened([]byte(signer.Email)) != "signer@kanari.example" {
		t.Errorf("enrolled: %+v", signer)
	}

	id, _, _ := w.draft()
	w.must(w.commands.Strategies.Execute(t.Context(), w.as("author"), id, strategy.SubmitStrategy{}))
	hash := w.strategy(id).Working.ContentHash
	w.must(w.commands.Strategies.Execute(t.Context(), w.as("signer"), id, strategy.ApproveStrategy{ContentHash: hash, Meaning: strategy.Business}))
	w.must(w.commands.Strategies.Execute(t.Context(), w.as("officer"), id, strategy.ApproveStrategy{ContentHash: hash, Meaning: strategy.Compliance}))
	w.must(w.commands.Strategies.Execute(t.Context(), w.as("activator"), id, strategy.ActivateStrategy{ContentHash: hash, Meaning: strategy.Activation}))
	printed := map[string]string{}
	for _, e := range w.stream("strategy-" + id.String()) {
		if s := metadataOf(t, e).Signature; s != nil {
			printed[e.Type+" by "+s.SignerID] = s.PrintedName
		}
	}
	want := map[string]string{
		"strategy.approval-given by " + w.members["signer"]:  signer.DisplayName,
		"strategy.approval-given by " + w.members["officer"]: "", // whose name nobody knows
		"strategy.activated by " + w.members["activator"]:    enrolled[w.members["activator"]].DisplayName,
	}
	if diff := cmp.Diff(want, printed); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
	w.silent("Kanari", "kanari")
}

func TestNamesOfFilesAreSealed(t *testing.T) {
	t.Parallel()
	w := newSealedWorld(t, &memory.Log{})
	content := []byte("a paper about somebody")
	register := func(name string) (command.Result, error) {
		return w.commands.Evidence.Register(t.Context(), w.keyed("officer", "k"), uuid.New(), content, evidence.RegisterEvidence{
			Kind: evidence.Document, MediaType: "text/plain", FileName: name,
		})
	}
	first := w.must(register("Kanari.txt"))
	if again := w.must(register("Kanari.txt")); !again.Replayed || again.ID != first.ID {
		t.Errorf("again: %+v", again)
	}
	var body evidence.Registered
	if err := json.Unmarshal(mustRead(t, w.log)[first.Position-1].Data, &body); err != nil {
		t.Fatal(err)
	}
	if sealed.Subject(body.FileName) != sealed.Document(body.SHA256) || w.opened([]byte(body.FileName)) != "Kanari.txt" {
		t.Errorf("recorded: %+v", body)
	}
	w.silent("Kanari")

	// A document that was erased is not taken in again, whatever it is called.
	if err := w.persons().Destroy(t.Context(), w.org, sealed.Document(body.SHA256), "request"); err != nil {
		t.Fatal(err)
	}
	_, err := w.commands.Evidence.Register(t.Context(), w.as("officer"), uuid.New(), content, evidence.RegisterEvidence{
		Kind: evidence.Document, MediaType: "text/plain", FileName: "other.txt",
	})
	refused(t, err, personal.ErrErased)
}

// What a hash in the log could be guessed from, it is not of.
func TestNoHashInTheLogIsOfAName(t *testing.T) {
	t.Parallel()
	w := newSealedWorld(t, &memory.Log{})
	c := addGoal()
	c.Stakeholders = []strategy.Stakeholder{{Kind: strategy.PersonStakeholder, Name: canary}}
	id, _, _ := w.draft()
	call := w.as("author")
	var err error
	if call.Hash, err = command.Fingerprint("POST", "/v1/strategies/x/commands/add-goal", []byte(`{"name":"Another goal","stakeholders":[{"kind":"Person","name":"`+canary+`"}]}`)); err != nil {
		t.Fatal(err)
	}
	w.must(w.commands.Strategies.Execute(t.Context(), call, id, c))
	for _, e := range mustRead(t, w.log) {
		if bytes.Equal(e.CommandHash, call.Hash) || bytes.Contains(e.Metadata, []byte(hex.EncodeToString(call.Hash))) {
			t.Errorf("%s keeps the hash of a body that names her", e.Type)
		}
	}
}
