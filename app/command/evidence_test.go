package command_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/severity"
)

func findingFor(ownerID string) finding.AssignFinding { return finding.AssignFinding{OwnerID: ownerID} }

// forged is a store whose bytes are not those that were kept.
type forged struct{ command.ImportStore }

func (f forged) Original(ctx context.Context, organizationID uuid.UUID, sha256 string) ([]byte, error) {
	b, err := f.ImportStore.Original(ctx, organizationID, sha256)
	return append(bytes.Clone(b), '!'), err
}

// full is a store that keeps nothing.
type full struct{ command.ImportStore }

var errFull = errors.New("the disk is full")

func (full) Keep(context.Context, uuid.UUID, string, []byte) error { return errFull }

func TestEvidenceIsKeptAndKnownByItsHash(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enrol("viewer", authz.Viewer)
	content := []byte("minutes of the meeting")
	register := evidence.RegisterEvidence{Kind: evidence.Document, MediaType: "text/plain", SHA256: "x", Size: 7, StorageRef: "elsewhere", EvidenceID: "x"}
	put := func(name string, content []byte) (command.Result, error) {
		return w.commands.Evidence.Register(t.Context(), w.as(name), uuid.New(), content, register)
	}
	_, err := put("owner", nil)
	refusedAs(t, "no bytes", err, refusal.Invalid)
	_, err = put("owner", make([]byte, command.MaxEvidenceBytes+1))
	refusedAs(t, "too many bytes", err, command.ErrEvidenceTooLarge)
	_, err = put("viewer", content)
	refusedAs(t, "by a viewer", err, authz.ErrRole)
	_, err = w.commands.Evidence.Execute(t.Context(), w.as("owner"), uuid.New(), register)
	refusedAs(t, "without its bytes", err, refusal.Invalid)
	nonsense := register
	nonsense.MediaType = "nonsense"
	_, err = w.commands.Evidence.Register(t.Context(), w.as("owner"), uuid.New(), content, nonsense)
	refusedAs(t, "of no type", err, refusal.Invalid)
	const hash = "af1175d2808cae7c0f51656c9735cc779d62e4e6cc4a58b24a0ef576bb60af50"
	if _, err := w.store.Original(t.Context(), w.org, hash); !errors.Is(err, command.ErrNoOriginal) {
		t.Fatalf("something was kept: %v", err)
	}

	c := w.as("owner")
	id := uuid.New()
	first, err := w.commands.Evidence.Register(t.Context(), c, id, content, register)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.commands.Evidence.Register(t.Context(), c, uuid.New(), content, register)
	if err != nil || !again.Replayed || again.ID != id || again.Position != first.Position {
		t.Errorf("repeated: %+v, %v", again, err)
	}
	s := fold[evidence.State, evidence.Event](t, w.log, w.org, "evidence-"+id.String(), evidence.State.Apply)
	if s.ID != id.String() || s.Size != int64(len(content)) || s.StorageRef != "originals/"+s.SHA256 || s.MediaType != "text/plain" {
		t.Errorf("registered %+v", s)
	}
	read := func(name string, from *command.Commands) ([]byte, string, error) {
		return from.Evidence.Content(t.Context(), w.as(name).Principal, id)
	}
	for _, commands := range []*command.Commands{w.commands, w.process()} {
		if got, mediaType, err := read("author", commands); err != nil || !bytes.Equal(got, content) || mediaType != "text/plain" {
			t.Errorf("read %q of %s, %v", got, mediaType, err)
		}
	}
	_, _, err = read("viewer", w.commands)
	refusedAs(t, "read by a viewer", err, authz.ErrRole)
	_, _, err = read("stranger", w.commands)
	refusedAs(t, "read by a stranger", err, command.ErrNotMember)
	other := newWorldOn(t, w.log)
	_, _, err = other.commands.Evidence.Content(t.Context(), other.as("author").Principal, id)
	refusedAs(t, "read by another organization", err, evidence.ErrNotRegistered)
	if got, _, err := w.commands.Evidence.Content(t.Context(), w.breachProcess().Principal, id); err != nil || !bytes.Equal(got, content) {
		t.Errorf("a process reads %q, %v", got, err)
	}

	// Bytes that are not those registered are given to nobody.
	store := w.store
	w.store = forged{store}
	got, _, err := read("author", w.process())
	if _, known := errors.AsType[*fault.Fault](err); err == nil || known || got != nil {
		t.Errorf("forged bytes: %q, %v", got, err)
	}
	// What cannot be kept is not recorded.
	w.store = full{store}
	lost := uuid.New()
	if _, err := w.process().Evidence.Register(t.Context(), w.as("owner"), lost, content, register); !errors.Is(err, errFull) {
		t.Errorf("without room: %v", err)
	}
	if events := w.stream("evidence-" + lost.String()); len(events) > 0 {
		t.Errorf("recorded without its bytes: %v", types(events))
	}
}

func TestEvidenceIsLinkedToWhatIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here, _, _ := w.draft()
	there, _, _ := w.draft()
	w.enrol("local")
	w.grant("local", authz.IndicatorOwner, here)
	id := uuid.MustParse(w.proof("local"))
	foreign := uuid.New()
	if err := w.find(w.as("officer"), foreign, raise(severity.Low, about("strategy", there))); err != nil {
		t.Fatal(err)
	}
	link := func(kind, target string, change func(*evidence.Target)) error {
		c := evidence.LinkEvidence{Relation: evidence.Supports, Target: evidence.Target{Type: kind, ID: target}}
		if change != nil {
			change(&c.Target)
		}
		_, err := w.commands.Evidence.Execute(t.Context(), w.as("local"), id, c)
		return err
	}
	stream := w.stream("strategy-" + here.String())
	event := func(id string) func(*evidence.Target) { return func(t *evidence.Target) { t.EventID = id } }
	for what, err := range map[string]error{
		"to what is not there":            link("strategy", uuid.NewString(), nil),
		"to what is of another kind":      link("indicator", here.String(), nil),
		"to an event that is not there":   link("strategy", here.String(), event(uuid.NewString())),
		"to an event of something else":   link("strategy", here.String(), event(w.stream("strategy-" + there.String())[0].ID.String())),
		"to a revision that is not there": link("strategy", here.String(), func(t *evidence.Target) { t.Revision = 2 }),
		"to another organization's":       link("organization", uuid.NewString(), nil),
	} {
		refusedAs(t, what, err, evidence.ErrTarget)
	}
	refusedAs(t, "to another strategy", link("strategy", there.String(), nil), authz.ErrRole)
	refusedAs(t, "to a finding about another strategy", link("finding", foreign.String(), nil), authz.ErrRole)
	for what, err := range map[string]error{
		"to a revision":     link("strategy", here.String(), func(t *evidence.Target) { t.Revision = 1 }),
		"to an event":       link("strategy", here.String(), event(stream[len(stream)-1].ID.String())),
		"to the whole":      link("organization", w.org.String(), nil),
		"to other evidence": link("evidence", w.proof("owner"), nil),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	s := fold[evidence.State, evidence.Event](t, w.log, w.org, "evidence-"+id.String(), evidence.State.Apply)
	if len(s.Links) != 4 {
		t.Errorf("%d links, want 4", len(s.Links))
	}
}

// TestWhoMayReadTheJournal is decided by the roles of now.
func TestWhoMayReadTheJournal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enrol("auditor", authz.Auditor)
	for name, may := range map[string]bool{"auditor": true, "officer": true, "admin": false, "author": false, "owner": false} {
		err := w.commands.Organizations.MayReadJournal(t.Context(), w.as(name).Principal)
		if may != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			refused(t, err, authz.ErrRole)
		}
	}
	refused(t, w.commands.Organizations.MayReadJournal(t.Context(), w.as("stranger").Principal), command.ErrNotMember)
}
