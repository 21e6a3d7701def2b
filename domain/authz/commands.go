package authz

import (
	"slices"
	"strings"

	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/refusal"
)

// Names of commands, as in the table, in refusals and in the journal.
const (
	RegisterOrganization = "register-organization"
	EnrolMember          = "enrol-member"
	GrantRole            = "grant-role"
	RevokeRole           = "revoke-role"
	OffboardMember       = "offboard-member"
	SetGovernancePolicy  = "set-governance-policy"
	PlaceLegalHold       = "place-legal-hold"
	ReleaseLegalHold     = "release-legal-hold"
	ErasePersonalData    = "erase-personal-data"

	DraftStrategy    = "draft-strategy"
	AmendFrame       = "amend-frame"
	AddGoal          = "add-goal"
	AmendGoal        = "amend-goal"
	RetireGoal       = "retire-goal"
	AddObjective     = "add-objective"
	AmendObjective   = "amend-objective"
	MoveObjective    = "move-objective"
	RetireObjective  = "retire-objective"
	SubmitStrategy   = "submit-strategy"
	RequestChanges   = "request-changes"
	ApproveStrategy  = "approve-strategy"
	ActivateStrategy = "activate-strategy"
	OpenRevision     = "open-revision"
	WithdrawRevision = "withdraw-revision"
	PutOnHold        = "put-on-hold"
	ResumeStrategy   = "resume-strategy"
	CloseStrategy    = "close-strategy"
	AttestPeriod     = "attest-period"

	DefineIndicator    = "define-indicator"
	RedefineIndicator  = "redefine-indicator"
	RelinkIndicator    = "relink-indicator"
	SetTarget          = "set-target"
	RetireIndicator    = "retire-indicator"
	RecordMeasurement  = "record-measurement"
	CorrectMeasurement = "correct-measurement"
	VoidMeasurement    = "void-measurement"

	RaiseFinding      = "raise-finding"
	AssignFinding     = "assign-finding"
	ReclassifyFinding = "reclassify-finding"
	PlanRemediation   = "plan-remediation"
	SubmitRemediation = "submit-remediation"
	AcceptRisk        = "accept-risk"
	ReturnFinding     = "return-finding"
	CloseFinding      = "close-finding"

	RegisterEvidence = "register-evidence"
	LinkEvidence     = "link-evidence"

	ImportStratML   = "import-stratml"
	RegisterSource  = "register-source"
	SuspendSource   = "suspend-source"
	ReinstateSource = "reinstate-source"
	RejectIngest    = "reject-ingest"
)

// may is the whole of who may give which command.
var may = map[string][]string{
	RegisterOrganization: {Operator},
	EnrolMember:          {Administrator},
	GrantRole:            {Administrator},
	RevokeRole:           {Administrator, Process},
	OffboardMember:       {Administrator},
	SetGovernancePolicy:  {ComplianceOfficer},
	PlaceLegalHold:       {ComplianceOfficer},
	ReleaseLegalHold:     {ComplianceOfficer},
	ErasePersonalData:    {ComplianceOfficer},

	DraftStrategy:    {Author},
	AmendFrame:       {Author},
	AddGoal:          {Author},
	AmendGoal:        {Author},
	RetireGoal:       {Author},
	AddObjective:     {Author},
	AmendObjective:   {Author},
	MoveObjective:    {Author},
	RetireObjective:  {Author},
	SubmitStrategy:   {Author},
	OpenRevision:     {Author},
	WithdrawRevision: {Author},
	RequestChanges:   {Approver, ComplianceOfficer},
	ApproveStrategy:  {Approver, ComplianceOfficer},
	ActivateStrategy: {ComplianceOfficer},
	PutOnHold:        {ComplianceOfficer, Process},
	ResumeStrategy:   {ComplianceOfficer, Process},
	CloseStrategy:    {ComplianceOfficer, Process},
	AttestPeriod:     {Approver},

	DefineIndicator:    {Author},
	RedefineIndicator:  {Author},
	RelinkIndicator:    {Author, Process},
	SetTarget:          {Author},
	RetireIndicator:    {Author, Process},
	RecordMeasurement:  {IndicatorOwner, Integrator, Process},
	CorrectMeasurement: {IndicatorOwner, Integrator},
	VoidMeasurement:    {IndicatorOwner, Integrator},

	RaiseFinding:      {Auditor, ComplianceOfficer, Process},
	AssignFinding:     {Auditor, ComplianceOfficer, Process},
	ReclassifyFinding: {Auditor, ComplianceOfficer},
	PlanRemediation:   {IndicatorOwner, DataSteward},
	SubmitRemediation: {IndicatorOwner, DataSteward},
	AcceptRisk:        {RiskAcceptor},
	ReturnFinding:     {Auditor, ComplianceOfficer, Process},
	CloseFinding:      {Auditor, ComplianceOfficer},

	RegisterEvidence: {Author, IndicatorOwner, Auditor, ComplianceOfficer, DataSteward, Process},
	LinkEvidence:     {Author, IndicatorOwner, Auditor, ComplianceOfficer, DataSteward, Process},

	ImportStratML:   {Author},
	RegisterSource:  {DataSteward},
	SuspendSource:   {DataSteward, Process},
	ReinstateSource: {DataSteward},
	RejectIngest:    {Integrator, Process},
}

// ErrRole: no role of the actor may give the command.
var ErrRole = refusal.Forbidden.WithRule("role")

// Allowed says whether a role may give a command; unknown commands nobody may.
func Allowed(role, command string) bool { return slices.Contains(may[command], role) }

// Commands lists every command, sorted.
func Commands() []string {
	all := make([]string, 0, len(may))
	for c := range may {
		all = append(all, c)
	}
	slices.Sort(all)
	return all
}

// Check refuses a command that no role of the actor may give. Machines count as
// what they are: a source as integrator, a process as process, whatever roles
// they are said to have; a person as neither.
func Check(by fact.Actor, command string) error {
	var roles []string
	switch by.Kind {
	case fact.Process:
		roles = []string{Process}
	case fact.Source:
		roles = []string{Integrator}
	case fact.Person:
		roles = slices.DeleteFunc(slices.Clone(by.Roles), func(r string) bool { return r == Integrator || r == Process })
	}
	if by.Has(Operator) {
		roles = append(roles, Operator)
	}
	for _, r := range roles {
		if Allowed(r, command) {
			return nil
		}
	}
	if len(may[command]) == 0 {
		return ErrRole.Detailf("No role may %s.", words(command))
	}
	return ErrRole.Detailf("To %s, have the role %s here.", words(command), strings.Join(may[command], " or "))
}

func words(command string) string { return strings.ReplaceAll(command, "-", " ") }
