package command

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/refusal"
)

// Erasure makes what says who a person is unreadable for ever (P9). Safe for
// concurrent use.
//
// First copies are made of the documents that name the person, without the name,
// and registered as evidence; then the erasure is recorded; then the keys are
// destroyed. All ids follow from the command's, and what is done is found done:
// whoever repeats it, after a crash anywhere, ends the same. A key whose
// destruction is recorded and did not happen is destroyed by the consumer group
// erasure.
type Erasure struct {
	organizations *Organizations
	imports       *Imports
	evidence      *Evidence
	options       Options
}

// ErasureRequest asks for an erasure.
type ErasureRequest struct {
	SubjectID string
	Basis     string // the law or request it rests on
	// WithoutCopy destroys also documents of which no copy without the name can be made.
	WithoutCopy bool
}

// Erased is the answer to an erasure. Of one that had nothing left to erase,
// Result.Position is 0 and the lists are empty.
type Erased struct {
	Result
	RequestID           string
	KeyIDs              []string
	RedactedEvidenceIDs []string
	KeptUnder           []organization.Kept
}

var (
	// errNoKeys: there is no key store, and so nothing that could be destroyed.
	errNoKeys = refusal.Violated.WithRule("key-store").Detailf("No key store is set up here: no personal data is kept, and there is nothing to erase.")

	// errImportRunning: a document that names the person is still being applied.
	errImportRunning = refusal.Violated.WithRule("import-running")

	// errMoved: something about the person was recorded while it was being erased.
	errMoved = errors.New("more about the person was recorded meanwhile")
)

// maxErasureRounds bounds how often an erasure looks again because more about
// the person was recorded meanwhile.
const maxErasureRounds = 5

// Erase erases a person's data. The second person is who countersigned the call
// (S8). When it returns nil, nobody can read the data any more: in this process
// at once, in others once the keys they remember are forgotten (30 seconds).
// An error after the erasure was recorded says that a key store could not be
// reached; the same call again goes on.
func (e *Erasure) Erase(ctx context.Context, call Call, r ErasureRequest) (Erased, error) {
	if call.CommandID == uuid.Nil || len(call.Hash) == 0 {
		return Erased{}, ErrIncomplete
	}
	result, answered, err := e.answered(ctx, call)
	for range maxErasureRounds {
		if answered || err != nil {
			break
		}
		result, err = e.once(ctx, call, r)
		if errors.Is(err, errMoved) {
			err = nil
			continue
		}
		answered = true
	}
	if err != nil {
		return Erased{}, err
	}
	if !answered {
		return Erased{}, ErrContended
	}
	return e.complete(ctx, call, r.SubjectID, result)
}

// answered gives what the call's command id was answered with before.
func (e *Erasure) answered(ctx context.Context, call Call) (Result, bool, error) {
	x, id := e.organizations.executor, call.Principal.OrganizationID
	receipt, hash, found, err := e.options.Log.FindCommand(ctx, call.CommandID)
	switch {
	case err != nil:
		return Result{}, false, fmt.Errorf("look for command %s: %w", call.CommandID, err)
	case !found:
		return Result{}, false, nil
	case !bytes.Equal(hash, call.Hash) || receipt.StreamID != x.stream(id):
		return Result{}, true, eventlog.ErrCommandReused
	}
	receipt.Replayed = true
	return x.result(id, organization.State{}, receipt), true, nil
}

// once finds what there is, makes the copies and records the erasure.
func (e *Erasure) once(ctx context.Context, call Call, r ErasureRequest) (Result, error) {
	organizationID := call.Principal.OrganizationID
	m, err := e.organizations.member(ctx, call.Principal, time.Now())
	if err != nil {
		return Result{}, err
	}
	command := organization.ErasePersonalData{
		RequestID: step(call.CommandID, "erasure").String(), SubjectID: r.SubjectID, Basis: r.Basis, WithoutCopy: r.WithoutCopy,
	}
	// Who may not erase is not told who is known, and nothing is opened for them.
	if err := mayErase(m, call, command); err != nil {
		return Result{}, err
	}
	if e.options.Personal == nil || e.options.Persons == nil || e.options.Imports == nil {
		return Result{}, errNoKeys
	}
	found, err := e.find(ctx, organizationID, r.SubjectID, m.in)
	if err != nil {
		return Result{}, err
	}
	command.Found = found.data
	// What would be refused leaves nothing behind.
	if events, err := rehearsal(m, call, command); err != nil {
		return Result{}, err
	} else if len(events) > 0 {
		if err := e.copyAll(ctx, call, found); err != nil {
			return Result{}, err
		}
	}
	return e.record(ctx, call, command, found)
}

// mayErase refuses who has no right to ask, before anything is looked for.
func mayErase(m member, call Call, c organization.ErasePersonalData) error {
	c.Found = organization.PersonalData{}
	_, err := rehearsal(m, call, c)
	if errors.Is(err, organization.ErrNoSubject) {
		return nil
	}
	return err
}

// rehearsal decides the command and writes nothing.
func rehearsal(m member, call Call, c organization.ErasePersonalData) ([]organization.Event, error) {
	second, err := m.second(call, "")
	if err != nil {
		return nil, err
	}
	c.Second = second
	by := m.actor("")
	by.At = m.now
	return organization.Decide(m.in, by, c)
}

// record appends the erasure, if nothing more about the person was recorded
// since it was looked for.
func (e *Erasure) record(ctx context.Context, call Call, c organization.ErasePersonalData, f *found) (Result, error) {
	organizationID := call.Principal.OrganizationID
	return e.organizations.executor.execute(ctx, request[organization.State, organization.Command]{
		call: call, owner: organizationID, id: organizationID, commands: []organization.Command{c},
		prepare: func(ctx context.Context, s organization.State, _ organization.Command, since time.Time) (asking, organization.Command, error) {
			m, err := memberOf(s, call.Principal, e.options.Clock())
			if err != nil {
				return asking{}, nil, err
			}
			if !since.IsZero() {
				if err := e.unmoved(ctx, organizationID, c.SubjectID, s, f); err != nil {
					return asking{}, nil, err
				}
			}
			prepared := c
			if prepared.Second, err = m.second(call, ""); err != nil {
				return asking{}, nil, err
			}
			by := m.asking("")
			by.quiet = &eventlog.Quiet{After: f.head, Types: []string{importAccepted}}
			return by, prepared, nil
		},
	})
}

// complete destroys the keys of an erasure that is recorded, and answers.
func (e *Erasure) complete(ctx context.Context, call Call, subjectID string, result Result) (Erased, error) {
	organizationID := call.Principal.OrganizationID
	answer := Erased{Result: result}
	if e.options.Personal == nil {
		return Erased{}, errNoKeys
	}
	var keys []string
	if result.Position == 0 { // it was erased before; its keys were to be destroyed then
		f, err := e.organizations.executor.load(ctx, organizationID, result.StreamID, true)
		if err != nil {
			return Erased{}, err
		}
		keys, _ = f.state.Erased(subjectID)
	} else {
		event, err := e.event(ctx, organizationID, result)
		if err != nil {
			return Erased{}, err
		}
		answer.RequestID, answer.KeyIDs = event.RequestID, event.KeyIDs
		answer.RedactedEvidenceIDs, answer.KeptUnder = event.RedactedEvidenceIDs, event.KeptUnder
		keys = event.KeyIDs
	}
	for _, id := range keys {
		if err := e.options.Personal.Destroy(ctx, organizationID, id, cmp.Or(answer.RequestID, call.CommandID.String())); err != nil {
			return Erased{}, personal.ErrUnavailable.
				Detailf("The erasure is recorded, and a key is still there: it goes as soon as the key store can be reached.").Because(err)
		}
	}
	return answer, nil
}

// event reads the erasure that a result is about.
func (e *Erasure) event(ctx context.Context, organizationID uuid.UUID, r Result) (organization.PersonalDataErased, error) {
	events, err := e.options.Log.ReadStream(ctx, organizationID, r.StreamID, r.Version-1, 1)
	if err != nil {
		return organization.PersonalDataErased{}, fmt.Errorf("read %s: %w", r.StreamID, err)
	}
	if len(events) != 1 || !slices.Contains(r.EventIDs, events[0].ID) {
		return organization.PersonalDataErased{}, fmt.Errorf("read %s: version %d is not the erasure", r.StreamID, r.Version)
	}
	body, err := eventcodec.Decode(events[0].Type, events[0].SchemaVersion, events[0].Data)
	if err != nil {
		return organization.PersonalDataErased{}, fmt.Errorf("read %s: version %d: %w", r.StreamID, r.Version, err)
	}
	erased, ok := body.(organization.PersonalDataErased)
	if !ok { // the same key was used for another request on the same stream
		return organization.PersonalDataErased{}, eventlog.ErrCommandReused
	}
	return erased, nil
}
