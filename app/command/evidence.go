package command

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/refusal"
)

// MaxEvidenceBytes is how large the bytes of one piece of evidence can be.
const MaxEvidenceBytes = 16 << 20

// ErrEvidenceTooLarge: more than MaxEvidenceBytes.
var ErrEvidenceTooLarge = fault.New(fault.TooLarge, "too-large", "The content is larger than evidence may be.")

// originals is where the bytes of evidence are, in the references to them.
const originals = "originals/"

// Evidence runs the commands of evidence, and keeps its bytes. Safe for
// concurrent use.
type Evidence struct {
	executor      *executor[evidence.State, evidence.Command, evidence.Event]
	organizations *Organizations
	indicators    *Indicators
	findings      *Findings
	directory     *directory
}

func newEvidence(o Options, organizations *Organizations) *Evidence {
	return &Evidence{executor: newExecutor("evidence", o, evidence.Decide, evidence.State.Apply), organizations: organizations}
}

// Execute runs commands on the evidence id as one append. The service sets
// LinkEvidence.TargetUnknown. Registering takes the bytes: see Register.
func (e *Evidence) Execute(ctx context.Context, call Call, id uuid.UUID, commands ...evidence.Command) (Result, error) {
	for _, c := range commands {
		if _, ok := c.(evidence.RegisterEvidence); ok {
			return Result{}, refusal.Invalid.Detailf("Evidence is registered with its bytes.")
		}
	}
	return e.execute(ctx, call, id, commands...)
}

// Register keeps the bytes of a piece of evidence and then records it: what the
// log says is kept, is. The service sets EvidenceID, SHA256, Size and
// StorageRef, and seals FileName, which is given in clear. Bytes that are kept and not recorded, after a crash between the
// two, harm nothing: a repetition finds them.
//
// A grant that is limited to some strategies lets its holder register, too:
// evidence concerns nothing until it is linked.
func (e *Evidence) Register(ctx context.Context, call Call, id uuid.UUID, content []byte, c evidence.RegisterEvidence) (Result, error) {
	switch {
	case len(content) == 0:
		return Result{}, refusal.Invalid.Detailf("content: There are no bytes.").At("#/content", "minLength", "There are no bytes.")
	case len(content) > MaxEvidenceBytes:
		return Result{}, ErrEvidenceTooLarge.Detailf("Evidence has at most %d bytes, and this has %d.", MaxEvidenceBytes, len(content))
	}
	sum := sha256.Sum256(content)
	c.EvidenceID, c.SHA256, c.Size = id.String(), hex.EncodeToString(sum[:]), int64(len(content))
	c.StorageRef = originals + c.SHA256
	// Bytes of those who may not register are not kept.
	m, err := e.organizations.member(ctx, call.Principal, time.Now())
	if err != nil {
		return Result{}, err
	}
	by := m.anywhere()
	by.At = m.now
	nameless := c
	nameless.FileName = ""
	if _, err := evidence.Decide(evidence.State{}, by, nameless); err != nil {
		return Result{}, err
	}
	if call, c, err = e.sealed(ctx, call, c); err != nil {
		return Result{}, err
	}
	store := e.executor.options.Imports
	if store == nil {
		return Result{}, errNoStore
	}
	if err := store.Keep(ctx, call.Principal.OrganizationID, c.SHA256, content); err != nil {
		return Result{}, fmt.Errorf("keep the bytes of evidence %s: %w", id, err)
	}
	return e.execute(ctx, call, id, c)
}

// errNoStore: there is nowhere to keep bytes.
var errNoStore = fault.New(fault.Unavailable, "unavailable", "The store of originals cannot be reached now.")

// evidenceReaders may read the bytes of evidence: those who bring it and those
// who judge by it. Bytes name persons, so viewers do not see them.
var evidenceReaders = []string{
	authz.Author, authz.Approver, authz.IndicatorOwner, authz.ComplianceOfficer, authz.Auditor, authz.RiskAcceptor, authz.DataSteward,
}

// Content gives the bytes of a piece of evidence and their media type, to
// members with a role for anything here that has to do with evidence, and to
// processes. Bytes that are not those registered are an error, and are not given.
func (e *Evidence) Content(ctx context.Context, p Principal, id uuid.UUID) (content []byte, mediaType string, err error) {
	organizationID := p.OrganizationID
	m, err := e.organizations.member(ctx, p, e.executor.options.Clock().Add(-MembershipAge))
	if err != nil {
		return nil, "", err
	}
	if by := m.anywhere(); by.Kind != fact.Process && !by.Has(evidenceReaders...) {
		return nil, "", authz.ErrRole.Detailf("To read evidence, have one of the roles %s here.", strings.Join(evidenceReaders, ", "))
	}
	f, err := e.executor.load(ctx, organizationID, e.executor.stream(id), false)
	if err == nil && !f.state.Exists() {
		f, err = e.executor.load(ctx, organizationID, e.executor.stream(id), true)
	}
	switch {
	case err != nil:
		return nil, "", err
	case !f.state.Exists():
		return nil, "", evidence.ErrNotRegistered.Detailf("There is no such evidence.")
	case e.executor.options.Imports == nil:
		return nil, "", errNoStore
	}
	content, err = e.executor.options.Imports.Original(ctx, organizationID, f.state.SHA256)
	if err != nil {
		return nil, "", fmt.Errorf("bytes of evidence %s: %w", id, err)
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != f.state.SHA256 {
		return nil, "", fmt.Errorf("bytes of evidence %s: their SHA-256 is %x, and %s was registered", id, sum, f.state.SHA256)
	}
	return content, f.state.MediaType, nil
}

func (e *Evidence) execute(ctx context.Context, call Call, id uuid.UUID, commands ...evidence.Command) (Result, error) {
	return e.executor.execute(ctx, request[evidence.State, evidence.Command]{
		call: call, owner: call.Principal.OrganizationID, id: id, commands: commands,
		prepare: func(ctx context.Context, _ evidence.State, c evidence.Command, since time.Time) (asking, evidence.Command, error) {
			m, err := e.organizations.member(ctx, call.Principal, since)
			if err != nil {
				return asking{}, nil, err
			}
			by := asking{Actor: m.anywhere(), policyVersion: m.in.Policy().Version}
			link, ok := c.(evidence.LinkEvidence)
			if !ok {
				return by, c, nil
			}
			return e.completeLink(ctx, call.Principal.OrganizationID, m, by, link)
		},
	})
}

// completeLink takes the roles that hold for what the evidence is linked to.
func (e *Evidence) completeLink(ctx context.Context, organizationID uuid.UUID, m member, by asking, c evidence.LinkEvidence) (asking, evidence.Command, error) {
	// What is there is not told to those who may not ask.
	if err := authz.Check(by.Actor, authz.LinkEvidence); err != nil {
		return by, nil, err
	}
	there, err := e.directory.hasTarget(ctx, organizationID, c.Target)
	if err != nil {
		return by, nil, err
	}
	if c.TargetUnknown = !there; !there {
		return by, c, nil
	}
	scope, err := e.scopeOf(ctx, organizationID, c.Target)
	if err == nil && scope != nil {
		by.Actor = m.actor(scope...)
	}
	return by, c, err
}

// scopeOf is the strategies that a target belongs to; nil for what belongs to
// the organization as a whole.
func (e *Evidence) scopeOf(ctx context.Context, organizationID uuid.UUID, t evidence.Target) ([]string, error) {
	switch t.Type {
	case "strategy":
		return []string{t.ID}, nil
	case "indicator":
		f, err := e.indicators.executor.load(ctx, organizationID, "indicator-"+t.ID, true)
		return []string{f.state.StrategyID}, err
	case "finding":
		f, err := e.findings.executor.load(ctx, organizationID, "finding-"+t.ID, true)
		return scopeOfFinding(f.state.Subjects), err
	}
	return nil, nil
}

// scopeOfFinding is the strategies among what a finding is about, or else the
// whole organization.
func scopeOfFinding(subjects []finding.Subject) []string {
	var scope []string
	for _, s := range subjects {
		if s.Type == "strategy" {
			scope = append(scope, s.ID)
		}
	}
	if len(scope) == 0 {
		return []string{""}
	}
	return scope
}
