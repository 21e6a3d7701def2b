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

	DefineIndicator    = "define-indicator"
	RedefineIndicator  = "redefine-indicator"
	SetTarget          = "set-target"
	RetireIndicator    = "retire-indicator"
	RecordMeasurement  = "record-measurement"
	CorrectMeasurement = "correct-measurement"
	VoidMeasurement    = "void-measurement"
)

// may is the whole of who may give which command.
var may = map[string][]string{
	RegisterOrganization: {Operator},
	EnrolMember:          {Administrator},
	GrantRole:            {Administrator},
	RevokeRole:           {Administrator},
	OffboardMember:       {Administrator},

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

	DefineIndicator:    {Author},
	RedefineIndicator:  {Author},
	SetTarget:          {Author},
	RetireIndicator:    {Author},
	RecordMeasurement:  {IndicatorOwner, Integrator, Process},
	CorrectMeasurement: {IndicatorOwner, Integrator},
	VoidMeasurement:    {IndicatorOwner, Integrator},
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
