package command_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/memory"
	documents "strata.dev/strata/adapters/stratml"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/erasure"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/app/redaction"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/sealed"
	"strata.dev/strata/domain/strategy"
	generated "strata.dev/strata/tests/testdata/stratml"
)

// sealedStore gives no original whose key is destroyed, as the store of the service does.
type sealedStore struct {
	command.ImportStore
	persons *personal.Sealer
}

func (s sealedStore) Original(ctx context.Context, organizationID uuid.UUID, sha256 string) ([]byte, error) {
	gone, err := s.persons.Destroyed(ctx, organizationID, sealed.Document(sha256))
	if err != nil {
		return nil, err
	}
	if gone {
		return nil, personal.ErrErased
	}
	return s.ImportStore.Original(ctx, organizationID, sha256)
}

// newErasable is a world with three officers and an imported document that names
// a person; it gives the subject of that person.
func newErasable(t testing.TB, log eventlog.Log) (w *world, subject string) {
	t.Helper()
	w = newSealedWorld(t, log)
	w.store = sealedStore{w.store, w.persons()}
	w.commands = w.erasing(nil)
	w.enrol("officer2", authz.ComplianceOfficer)
	w.enrol("officer3", authz.ComplianceOfficer)
	w.imports(w.as("author"), peopled(generated.Plan(1, 2, 2, 1, 0)))
	id, err := w.persons().SubjectOf(t.Context(), w.org, canary)
	if err != nil {
		t.Fatal(err)
	}
	return w, id.String()
}

// erasing gives the commands of another process that can erase; index may
// replace the world's.
func (w *world) erasing(index command.PersonIndex) *command.Commands {
	if index == nil {
		index = memory.PersonIndex{Log: w.log}
	}
	return command.New(command.Options{
		Log: w.log, Basis: basis{w.log}, Findings: w.findings(), Persons: index, Documents: documents.Parser{}, Writer: documents.Writer{},
		Imports: w.store, Personal: w.persons(),
	})
}

func (w *world) erase(c command.Call, subject string) (command.Erased, error) {
	return w.commands.Erasure.Erase(w.t.Context(), c, command.ErasureRequest{SubjectID: subject, Basis: "Art. 17 GDPR"})
}

// erasures are the events that say that a subject was erased.
func (w *world) erasures(subject string) (all []organization.PersonalDataErased) {
	w.t.Helper()
	for _, e := range mustRead(w.t, w.log) {
		if e.Type == "organization.personal-data-erased" {
			body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
			if err != nil {
				w.t.Fatal(err)
			}
			if body := body.(organization.PersonalDataErased); body.SubjectID == subject {
				all = append(all, body)
			}
		}
	}
	return all
}

// gone makes sure that nobody can read the person any more, and that everything
// else of the document is there.
func (w *world) gone(subject string) {
	w.t.Helper()
	done := w.erasures(subject)
	if len(done) != 1 {
		w.t.Fatalf("%d erasures, want 1", len(done))
	}
	for _, id := range done[0].KeyIDs {
		if destroyed, err := w.persons().Destroyed(w.t.Context(), w.org, id); err != nil || !destroyed {
			w.t.Errorf("key %s is still there: %v", id, err)
		}
	}
	if len(done[0].KeyIDs) != 2 || len(done[0].RedactedEvidenceIDs) != 1 {
		w.t.Fatalf("erased %+v", done[0])
	}
	id := uuid.MustParse(done[0].RedactedEvidenceIDs[0])
	content, media, err := w.commands.Evidence.Content(w.t.Context(), w.as("officer").Principal, id)
	if err != nil || media != "application/xml" {
		w.t.Fatalf("the copy: %s, %v", media, err)
	}
	if strings.Contains(string(content), "Wilhelmina") || !strings.Contains(string(content), redaction.Mark) || !strings.Contains(string(content), "Untyped Kanari") {
		w.t.Errorf("the copy is not the document without the person: %.400s", content)
	}
	links := fold[evidence.State, evidence.Event](w.t, w.log, w.org, "evidence-"+id.String(), evidence.State.Apply).Links
	if len(links) != 1 || links[0].Relation != evidence.Redacts {
		w.t.Errorf("the copy is linked %+v", links)
		return
	}
	if _, _, err := w.commands.Evidence.Content(w.t.Context(), w.as("officer").Principal, uuid.MustParse(links[0].Target.ID)); !errors.Is(err, personal.ErrErased) {
		w.t.Errorf("the original: %v", err)
	}
}

func TestAnErasureLeavesACopyAndNoKey(t *testing.T) {
	t.Parallel()
	w, subject := newErasable(t, &memory.Log{})
	c := w.countersigned("officer", "officer2")
	got, err := w.erase(c, subject)
	if err != nil {
		t.Fatal(err)
	}
	w.gone(subject)
	if done := w.erasures(subject)[0]; got.RequestID != done.RequestID || done.RequestedBy != w.members["officer2"] || done.AuthorizedBy != w.members["officer"] {
		t.Errorf("answered %+v of %+v", got, done)
	}
	head := len(mustRead(t, w.log))
	// The same again is the first answer again; another one has nothing to do.
	if again, err := w.erase(c, subject); err != nil || !again.Replayed || again.RequestID != got.RequestID {
		t.Errorf("repeated: %+v, %v", again, err)
	}
	if again, err := w.erase(w.countersigned("officer3", "officer2"), subject); err != nil || again.Position != 0 || again.RequestID != "" {
		t.Errorf("once more: %+v, %v", again, err)
	}
	c.Hash = w.as("officer").Hash
	if _, err := w.erase(c, subject); !errors.Is(err, eventlog.ErrCommandReused) {
		t.Errorf("another request under the same key: %v", err)
	}
	if n := len(mustRead(t, w.log)); n != head {
		t.Errorf("%d events more for nothing", n-head)
	}
	w.silent("Wilhelmina")
}

func TestWhoMayNotEraseLeavesNothing(t *testing.T) {
	t.Parallel()
	w, subject := newErasable(t, &memory.Log{})
	w.enrol("auditor", authz.Auditor)
	hold := uuid.NewString()
	head := func() int { return len(mustRead(t, w.log)) }
	before := head()
	refuses := func(what string, c command.Call, subject string, want error) {
		t.Helper()
		if _, err := w.erase(c, subject); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		if n := head(); n != before {
			t.Errorf("%s: %d events", what, n-before)
		}
	}
	refuses("alone", w.as("officer"), subject, organization.ErrDualControl)
	refuses("with an auditor", w.countersigned("officer", "auditor"), subject, organization.ErrDualControl)
	refuses("an auditor", w.countersigned("auditor", "officer"), subject, authz.ErrRole)
	refuses("a stranger", w.as("stranger"), subject, command.ErrNotMember)
	refuses("nobody known", w.countersigned("officer", "officer2"), uuid.NewString(), organization.ErrNoSubject)
	refuses("a name", w.countersigned("officer", "officer2"), canary, refusal.Invalid)
	if _, err := w.commands.Organizations.Execute(t.Context(), w.countersigned("officer", "officer2"), w.org,
		organization.ErasePersonalData{RequestID: uuid.NewString(), SubjectID: subject, Basis: "b", Found: organization.PersonalData{Streams: []string{"strategy-" + uuid.NewString()}}}); !errors.Is(err, refusal.Invalid) {
		t.Errorf("past the documents: %v", err)
	}
	place := organization.PlaceLegalHold{HoldID: hold, Matter: "Case 7", Basis: "order", Scope: organization.HoldScope{Subjects: []string{subject}}}
	w.must(w.govern(w.as("officer"), place))
	before = head()
	refuses("under a hold", w.countersigned("officer", "officer2"), subject, organization.ErrHeld)
	w.must(w.govern(w.countersigned("officer", "officer2"), organization.ReleaseLegalHold{HoldID: hold, Reason: "over"}))
	if _, err := w.erase(w.countersigned("officer", "officer2"), subject); err != nil {
		t.Fatal(err)
	}
	w.gone(subject)
}

// A crash at any append, or a key store that goes away, is gone on from by the
// same request, to the same end as without.
func TestAnErasureSurvivesEveryCrash(t *testing.T) {
	t.Parallel()
	crash := errors.New("crash")
	for _, committed := range []bool{false, true} {
		for n := int64(1); ; n++ {
			s := &spy{Log: &memory.Log{}}
			w, subject := newErasable(t, s)
			s.appends.Store(0)
			s.onAppend = func(at int64, do func() (eventlog.Receipt, error)) (eventlog.Receipt, error) {
				if at < n {
					return do()
				}
				if at == n && committed {
					_, _ = do() // recorded, and nobody learns of it
				}
				return eventlog.Receipt{}, crash
			}
			c := w.countersigned("officer", "officer2")
			_, err := w.erase(c, subject)
			s.onAppend = nil
			if err == nil {
				if n < 4 {
					t.Fatalf("an erasure of %d appends: the test crashes nothing", n-1)
				}
				w.gone(subject)
				break
			}
			w.commands = w.erasing(nil) // another process
			if _, err := w.erase(c, subject); err != nil {
				t.Fatalf("after a crash at append %d (committed %v): %v", n, committed, err)
			}
			w.gone(subject)
		}
	}
}

func TestTheGroupDestroysWhatWasOnlyRecorded(t *testing.T) {
	t.Parallel()
	w, subject := newErasable(t, &memory.Log{})
	keys := w.keys.(*memory.Keys)
	away := errors.New("away")
	c := w.countersigned("officer", "officer2")
	w.store = failing{w.store, func() { keys.Fail(away) }}
	w.commands = w.erasing(nil)
	if _, err := w.erase(c, subject); !errors.Is(err, personal.ErrUnavailable) {
		t.Fatalf("with the key store away: %v", err)
	}
	if len(w.erasures(subject)) != 1 {
		t.Fatal("the erasure is not recorded")
	}
	events := mustRead(t, w.log)
	handle := erasure.Handler(w.persons())
	if err := handle(t.Context(), events); !errors.Is(err, away) {
		t.Fatalf("the group passes over a key store that is away: %v", err)
	}
	keys.Fail(nil)
	for range 2 {
		if err := handle(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		if n, err := erasure.Replay(t.Context(), w.log, w.persons()); err != nil || n != 2 {
			t.Fatalf("replayed %d keys, %v; want 2", n, err)
		}
	}
	w.gone(subject)
}

// failing calls when before the copy is kept for the last time: what comes after is the erasure itself.
type failing struct {
	command.ImportStore
	when func()
}

func (f failing) Keep(ctx context.Context, organizationID uuid.UUID, sha256 string, document []byte) error {
	defer f.when()
	return f.ImportStore.Keep(ctx, organizationID, sha256, document)
}

// Of requests that meet one is recorded; all of them end well.
func TestErasuresMeet(t *testing.T) {
	t.Parallel()
	w, subject := newErasable(t, &memory.Log{})
	pairs := [][2]string{{"officer", "officer2"}, {"officer2", "officer3"}, {"officer3", "officer"}, {"officer", "officer3"}}
	errs := make([]error, len(pairs))
	var all sync.WaitGroup
	for i, p := range pairs {
		c, process := w.countersigned(p[0], p[1]), w.erasing(nil)
		all.Go(func() {
			_, errs[i] = process.Erasure.Erase(t.Context(), c, command.ErasureRequest{SubjectID: subject, Basis: fmt.Sprint("request ", i)})
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	w.gone(subject)
}

// meddling lets something happen when the index is asked.
type meddling struct {
	command.PersonIndex
	once *sync.Once
	do   func()
}

func (m meddling) PersonalData(ctx context.Context, organizationID uuid.UUID, subjectID string, memberIDs []string, minPosition int64) (command.PersonPlaces, error) {
	places, err := m.PersonIndex.PersonalData(ctx, organizationID, subjectID, memberIDs, minPosition)
	m.once.Do(m.do)
	return places, err
}

// A document that comes while its person is being erased is erased, too.
func TestADocumentComesMeanwhile(t *testing.T) {
	t.Parallel()
	w, subject := newErasable(t, &memory.Log{})
	other := w.erasing(nil)
	w.commands = w.erasing(meddling{memory.PersonIndex{Log: w.log}, new(sync.Once), func() {
		if _, err := other.Imports.Import(t.Context(), w.as("author"), upload(peopled(generated.Plan(1, 1, 1, 1, 0))), nil); err != nil {
			t.Error(err)
		}
	}})
	got, err := w.erase(w.countersigned("officer", "officer2"), subject)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.KeyIDs) != 3 || len(got.RedactedEvidenceIDs) != 2 {
		t.Errorf("erased %+v, want the document that came meanwhile, too", got)
	}
}

// Names that signatures need are kept as long as the signatures are (R12).
func TestWhoSignedIsKept(t *testing.T) {
	t.Parallel()
	w, _ := newErasable(t, &memory.Log{})
	enrol := func(name string, roles ...string) (subject string) {
		subject = uuid.NewString()
		w.members[name] = uuid.NewString()
		commands := []organization.Command{organization.EnrolMember{
			MemberID: w.members[name], SubjectID: subject, Issuer: issuer, Kind: organization.Person, DisplayName: "Signe Dahl",
			ExternalIDHash: organization.IdentityHash(w.org.String(), issuer, name),
		}}
		for _, r := range roles {
			commands = append(commands, organization.GrantRole{GrantID: uuid.NewString(), MemberID: w.members[name], Role: r, Scope: organization.Scope{All: true}})
		}
		w.must(w.commands.Organizations.Execute(t.Context(), w.as("admin"), w.org, commands...))
		return subject
	}
	signer, quiet := enrol("signer", authz.Approver), enrol("quiet", authz.Approver)
	id, _, _ := w.draft()
	w.must(w.plan("author", id, strategy.SubmitStrategy{Summary: "s"}))
	hash := w.strategy(id).Working.ContentHash
	w.must(w.plan("signer", id, strategy.ApproveStrategy{ContentHash: hash, Meaning: strategy.Business}))

	for name, subject := range map[string]string{"signer": signer, "quiet": quiet} {
		_, err := w.erase(w.countersigned("officer", "officer2"), subject)
		refusedAs(t, name+" is a member", err, organization.ErrStillEnrolled)
		w.must(w.govern(w.as("admin"), organization.OffboardMember{MemberID: w.members[name], Reason: "left"}))
	}
	_, err := w.erase(w.countersigned("officer", "officer2"), signer)
	if f := faultOf(t, err, organization.ErrRetained); f.Extra["until"] == nil {
		t.Errorf("kept until nobody knows: %v", f)
	}
	got, err := w.erase(w.countersigned("officer", "officer2"), quiet)
	if err != nil || len(got.KeptUnder) != 1 || got.KeptUnder[0].Law != organization.RecordRetention {
		t.Errorf("who signed nothing: %+v, %v", got, err)
	}
}

// Bytes that are no StratML cannot be copied: they go only if somebody says so.
func TestWhatCannotBeCopied(t *testing.T) {
	t.Parallel()
	w, subject := newErasable(t, &memory.Log{})
	scan := []byte("%PDF of " + canary)
	id := uuid.New()
	w.must(w.commands.Evidence.Register(t.Context(), w.as("author"), id, scan, evidence.RegisterEvidence{
		Kind: evidence.Document, MediaType: "application/pdf", SubjectsInside: []string{subject},
	}))
	sum := sha256.Sum256(scan)
	digest := hex.EncodeToString(sum[:])
	_, err := w.erase(w.countersigned("officer", "officer2"), subject)
	if listed, _ := faultOf(t, err, organization.ErrNoCopy).Extra["documents"].([]string); !slices.Equal(listed, []string{digest}) {
		t.Errorf("listed %v, want %s", listed, digest)
	}
	if n := len(w.erasures(subject)); n != 0 {
		t.Fatalf("%d erasures of what was refused", n)
	}
	got, err := w.commands.Erasure.Erase(t.Context(), w.countersigned("officer", "officer2"), command.ErasureRequest{SubjectID: subject, Basis: "b", WithoutCopy: true})
	if err != nil || !slices.Contains(got.KeyIDs, sealed.Document(digest)) || len(got.RedactedEvidenceIDs) != 1 {
		t.Errorf("erased %+v, %v", got, err)
	}
}
