package command

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/finding"
)

// FindingIndex finds findings by what they are about. Its answers are a place
// to look: how a finding stands now is read from its stream. Safe for
// concurrent use.
//
// Answers are as of minPosition or later: the implementation waits for it, and
// answers with a fault of kind Unavailable if that takes too long.
type FindingIndex interface {
	// FindingsAbout gives the ids of findings with a subject; those that are over
	// may be among them. subjectType is that of finding.Subject.
	FindingsAbout(ctx context.Context, organizationID uuid.UUID, subjectType, subjectID string, minPosition int64) ([]uuid.UUID, error)
	// FindingsByKey gives the ids of findings with a dedupe key likewise.
	FindingsByKey(ctx context.Context, organizationID uuid.UUID, dedupeKey string, minPosition int64) ([]uuid.UUID, error)
}

// errNoIndex: the commands were wired without a FindingIndex, and this one needs it.
var errNoIndex = fault.New(fault.Unavailable, "unavailable", "Findings cannot be looked for now.")

// Findings runs the commands of findings. Safe for concurrent use.
type Findings struct {
	executor      *executor[finding.State, finding.Command, finding.Event]
	organizations *Organizations
	directory     *directory
	index         FindingIndex
	keys          *queues // raisings with one dedupe key go one after another
}

func newFindings(o Options, organizations *Organizations) *Findings {
	x := newExecutor("finding", o, finding.Decide, finding.State.Apply)
	x.sign = signatureOfFinding
	x.second = secondAcceptor
	return &Findings{executor: x, organizations: organizations, index: o.Findings, keys: newQueues()}
}

// Execute runs commands on the finding id as one append.
//
// The service sets RaiseFinding.FindingID, UnknownSubjects and SameOpen,
// AssignFinding.OwnerRoles, SubmitRemediation.UnknownEvidence, MaxDays, Second
// and SamePerson of AcceptRisk, and SamePerson of ReturnFinding and
// CloseFinding. The roles that count are those held for each of the strategies
// among the finding's subjects, or for the whole organization if there is none.
//
// That no two findings with one dedupe key are open is exact within a process;
// of two processes that raise one at the same moment, both may win.
func (f *Findings) Execute(ctx context.Context, call Call, id uuid.UUID, commands ...finding.Command) (Result, error) {
	for _, c := range commands {
		if raise, ok := c.(finding.RaiseFinding); ok && raise.DedupeKey != "" {
			leave, err := f.keys.enter(ctx, call.Principal.OrganizationID.String()+raise.DedupeKey)
			if err != nil {
				return Result{}, eventlog.ErrUnavailable.Because(err)
			}
			defer leave()
			break
		}
	}
	return f.executor.execute(ctx, request[finding.State, finding.Command]{
		call: call, owner: call.Principal.OrganizationID, id: id, commands: commands,
		prepare: func(ctx context.Context, s finding.State, c finding.Command, since time.Time) (asking, finding.Command, error) {
			m, err := f.organizations.member(ctx, call.Principal, since)
			if err != nil {
				return asking{}, nil, err
			}
			scope := scopeOfFinding(s.Subjects)
			if raise, ok := c.(finding.RaiseFinding); ok {
				scope = scopeOfFinding(raise.Subjects)
			}
			c, err = f.complete(ctx, call, id, m, c, scope)
			return m.asking(scope...), c, err
		},
	})
}

// complete adds what only the service knows.
func (f *Findings) complete(ctx context.Context, call Call, id uuid.UUID, m member, c finding.Command, scope []string) (finding.Command, error) {
	organizationID := call.Principal.OrganizationID
	var err error
	switch c := c.(type) {
	case finding.RaiseFinding:
		// What is there is not told to those who may not ask.
		if err = authz.Check(m.actor(scope...), authz.RaiseFinding); err != nil {
			return nil, err
		}
		c.FindingID = id.String()
		if c.UnknownSubjects, err = f.unknownSubjects(ctx, organizationID, c.Subjects); err == nil {
			c.SameOpen, err = f.sameOpen(ctx, organizationID, c.DedupeKey)
		}
		return c, err
	case finding.AssignFinding:
		c.OwnerRoles = m.rolesOf(c.OwnerID, scope...)
		return c, nil
	case finding.SubmitRemediation:
		if err = authz.Check(m.actor(scope...), authz.SubmitRemediation); err != nil {
			return nil, err
		}
		c.UnknownEvidence, err = f.unknownEvidence(ctx, organizationID, c.EvidenceIDs)
		return c, err
	case finding.AcceptRisk:
		c.MaxDays, c.SamePerson = m.in.Policy().AcceptanceMaxDays, m.in.SamePerson(m.ID)
		c.Second, err = m.second(call, scope...)
		return c, err
	case finding.ReturnFinding:
		c.SamePerson = m.in.SamePerson(m.ID)
		return c, nil
	case finding.CloseFinding:
		c.SamePerson = m.in.SamePerson(m.ID)
		return c, nil
	}
	return c, nil
}

func (f *Findings) unknownSubjects(ctx context.Context, organizationID uuid.UUID, subjects []finding.Subject) (ids []string, err error) {
	for _, s := range subjects[:min(len(subjects), finding.MaxSubjects)] {
		there, err := f.directory.hasRevision(ctx, organizationID, s.Type, s.ID, s.Revision)
		if err != nil {
			return nil, err
		}
		if !there {
			ids = append(ids, s.ID)
		}
	}
	return ids, nil
}

func (f *Findings) unknownEvidence(ctx context.Context, organizationID uuid.UUID, evidenceIDs []string) (ids []string, err error) {
	for _, id := range evidenceIDs[:min(len(evidenceIDs), finding.MaxEvidence)] {
		there, err := f.directory.has(ctx, organizationID, "evidence", id)
		if err != nil {
			return nil, err
		}
		if !there {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// sameOpen is a finding with a dedupe key that is not closed, "" if there is
// none. One whose risk is accepted counts: it comes back when the acceptance ends.
func (f *Findings) sameOpen(ctx context.Context, organizationID uuid.UUID, dedupeKey string) (string, error) {
	if dedupeKey == "" {
		return "", nil
	}
	all, err := f.found(ctx, organizationID, func(minPosition int64) ([]uuid.UUID, error) {
		return f.index.FindingsByKey(ctx, organizationID, dedupeKey, minPosition)
	})
	for _, s := range all {
		if s.DedupeKey == dedupeKey && s.Stage != finding.Ended {
			return s.ID, nil
		}
	}
	return "", err
}

// about gives the findings about a subject that are not closed, as the log has
// them now.
func (f *Findings) about(ctx context.Context, organizationID uuid.UUID, subjectType, subjectID string) ([]finding.State, error) {
	all, err := f.found(ctx, organizationID, func(minPosition int64) ([]uuid.UUID, error) {
		return f.index.FindingsAbout(ctx, organizationID, subjectType, subjectID, minPosition)
	})
	var open []finding.State
	for _, s := range all {
		if s.Stage != finding.Ended {
			open = append(open, s)
		}
	}
	return open, err
}

// found reads the findings that the index names as of everything appended
// before it is asked.
func (f *Findings) found(ctx context.Context, organizationID uuid.UUID, ask func(minPosition int64) ([]uuid.UUID, error)) ([]finding.State, error) {
	if f.index == nil {
		return nil, errNoIndex
	}
	head, err := f.executor.options.Log.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("head of the log: %w", err)
	}
	ids, err := ask(head)
	if err != nil {
		return nil, fmt.Errorf("look for findings: %w", err)
	}
	var all []finding.State
	for _, id := range ids {
		s, err := f.state(ctx, organizationID, id)
		if err != nil {
			return nil, err
		}
		if s.Exists() {
			all = append(all, s)
		}
	}
	return all, nil
}

// state gives a finding as the log has it now.
func (f *Findings) state(ctx context.Context, organizationID, id uuid.UUID) (finding.State, error) {
	found, err := f.executor.load(ctx, organizationID, f.executor.stream(id), true)
	return found.state, err
}

// signatureOfFinding is what a signing event of a finding carries in its
// metadata (R16). What is signed is the decision: the hash is that of the
// event's own canonical body.
func signatureOfFinding(e finding.Event, by fact.Actor) *eventlog.Signature {
	var meaning string
	switch e.(type) {
	case finding.RiskAccepted:
		meaning = finding.MeansAcceptance
	case finding.Closed:
		meaning = finding.MeansClosure
	default:
		return nil
	}
	_, _, body, err := eventcodec.Encode(e)
	if err != nil {
		return nil // encoding the event itself says so
	}
	sum := sha256.Sum256(body)
	return &eventlog.Signature{
		SignerID: by.ID, Meaning: meaning, SignedAt: by.At.UTC().Truncate(time.Microsecond), ContentHash: hex.EncodeToString(sum[:]),
	}
}

// secondAcceptor is the second person behind the acceptance of a critical risk (S7).
func secondAcceptor(e finding.Event) string {
	if a, ok := e.(finding.RiskAccepted); ok && len(a.Acceptors) > 1 {
		return a.Acceptors[1]
	}
	return ""
}
