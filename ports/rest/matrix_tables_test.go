package rest_test

import (
	"slices"

	"strata.dev/strata/domain/authz"
)

// commandsOf says which command an operation gives; who may give it is the table
// of domain/authz. Those that stand for several commands name the one without
// which nobody gets anywhere.
var commandsOf = map[string]string{
	"registerOrganization": authz.RegisterOrganization,
	"enrolMember":          authz.EnrolMember,
	"grantRole":            authz.GrantRole,
	"revokeRole":           authz.RevokeRole,
	"offboardMember":       authz.OffboardMember,
	"setGovernancePolicy":  authz.SetGovernancePolicy,
	"placeLegalHold":       authz.PlaceLegalHold,
	"releaseLegalHold":     authz.ReleaseLegalHold,
	"erasePersonalData":    authz.ErasePersonalData,
	"draftStrategy":        authz.DraftStrategy,
	"importStrategy":       authz.DraftStrategy,
	"importRevision":       authz.OpenRevision,
	"amendFrame":           authz.AmendFrame,
	"addGoal":              authz.AddGoal,
	"amendGoal":            authz.AmendGoal,
	"retireGoal":           authz.RetireGoal,
	"addObjective":         authz.AddObjective,
	"amendObjective":       authz.AmendObjective,
	"moveObjective":        authz.MoveObjective,
	"retireObjective":      authz.RetireObjective,
	"submitStrategy":       authz.SubmitStrategy,
	"requestChanges":       authz.RequestChanges,
	"approveStrategy":      authz.ApproveStrategy,
	"activateStrategy":     authz.ActivateStrategy,
	"openRevision":         authz.OpenRevision,
	"withdrawRevision":     authz.WithdrawRevision,
	"putOnHold":            authz.PutOnHold,
	"resumeStrategy":       authz.ResumeStrategy,
	"closeStrategy":        authz.CloseStrategy,
	"attestPeriod":         authz.AttestPeriod,
	"defineIndicator":      authz.DefineIndicator,
	"redefineIndicator":    authz.RedefineIndicator,
	"relinkIndicator":      authz.RelinkIndicator,
	"setTarget":            authz.SetTarget,
	"retireIndicator":      authz.RetireIndicator,
	"recordMeasurement":    authz.RecordMeasurement,
	"correctMeasurement":   authz.CorrectMeasurement,
	"voidMeasurement":      authz.VoidMeasurement,
	"recordMeasurements":   authz.RecordMeasurement,
	"raiseFinding":         authz.RaiseFinding,
	"assignFinding":        authz.AssignFinding,
	"reclassifyFinding":    authz.ReclassifyFinding,
	"planRemediation":      authz.PlanRemediation,
	"submitRemediation":    authz.SubmitRemediation,
	"acceptRisk":           authz.AcceptRisk,
	"returnFinding":        authz.ReturnFinding,
	"closeFinding":         authz.CloseFinding,
	"registerEvidence":     authz.RegisterEvidence,
	"linkEvidence":         authz.LinkEvidence,
	"registerSource":       authz.RegisterSource,
	"suspendSource":        authz.SuspendSource,
	"reinstateSource":      authz.ReinstateSource,
}

// everybody is who reads what is not said otherwise: all roles but the one that
// only brings measurements. Nobody reads without a role.
var everybody = []string{
	authz.Author, authz.Approver, authz.ComplianceOfficer, authz.IndicatorOwner, authz.Auditor, authz.RiskAcceptor,
	authz.DataSteward, authz.Administrator, authz.Viewer,
}

// watchers are those who watch over the others.
var watchers = []string{authz.ComplianceOfficer, authz.Auditor}

// readers says who gets what an operation gives; commands have their own table.
var readers = map[string][]string{
	"getOrganization":     everybody,
	"listMembers":         everybody,
	"getGovernancePolicy": everybody,
	"listLegalHolds":      everybody,
	"listStrategies":      everybody,
	"getStrategy":         everybody,
	"getScorecard":        everybody,
	"getStrategyHistory":  everybody,
	"getStrategyDiff":     everybody,
	"getFindingDiff":      everybody,
	"getEvidenceDiff":     everybody,
	"getSourceDiff":       everybody,
	"getOrganizationDiff": everybody,
	"exportStrategy":      everybody,
	"getIndicator":        everybody,
	"getSeries":           everybody,
	"getIndicatorHistory": everybody,
	"getIndicatorDiff":    everybody,
	"listApprovals":       everybody,
	"listActivity":        everybody,
	"listImports":         everybody,
	"listFindings":        everybody,
	"getFinding":          everybody,
	"getFindingHistory":   everybody,
	"listEvidence":        everybody,
	"getEvidence":         everybody,
	"listSources":         everybody,
	"getSource":           everybody,
	"listExternalChanges": everybody,
	"listAttestations":    everybody,
	"getProvenance":       everybody,
	"getSystem":           everybody,
	"listJournal":         watchers,
	"getSegregation":      watchers,
	"getStreamPack":       watchers,
	"getOrganizationPack": watchers,
	"getPerson":           watchers,
	"listPersons":         watchers,
	"getEvidenceContent": { // bytes name persons
		authz.Author, authz.Approver, authz.ComplianceOfficer, authz.IndicatorOwner, authz.Auditor, authz.RiskAcceptor, authz.DataSteward,
	},
	"getChangesSinceAttestation": everybody,
	"getImport":                  everybody,
	"getImportOriginal":          {authz.Author, authz.ComplianceOfficer, authz.Auditor}, // documents name persons
	"getOperation":               everybody,
	"listEvents":                 everybody,
	"streamEvents":               everybody,
	"getEvent":                   everybody,
	"getEventProof":              everybody,
	"getReceipt":                 everybody,
}

// persons are who may countersign, members without a role included: what it is
// good for is decided with the command.
var persons = append([]string{"newcomer"}, everybody...)

// open are the operations that ask nobody who they are.
var open = []string{"livez", "readyz", "healthz", "getProblem", "getSchema", "getContract", "getDocs", "getDocsFile", "getCheckpoint", "getConsistencyProof", "listLedgerKeys"}

// signed are the operations that ask for a source's signature; a token is no help.
var signed = []string{"ingestMeasurements"}

// allowed says whether an operation is for a role; ok = false: nobody has said.
func allowed(operation, role string) (yes, ok bool) {
	if command, found := commandsOf[operation]; found {
		return authz.Allowed(role, command), true
	}
	if list, found := readers[operation]; found {
		return slices.Contains(list, role), true
	}
	if operation == "countersign" {
		return slices.Contains(persons, role), true
	}
	return false, slices.Contains(open, operation) || slices.Contains(signed, operation)
}
