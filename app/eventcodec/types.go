package eventcodec

import (
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/journal"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
)

// table is every event type this release can read and write. A name is public
// (routing keys and CloudEvents types derive from it) and never changes.
var table = New(
	Of[organization.Registered]("organization.registered"),
	Of[organization.MemberEnrolled]("organization.member-enrolled"),
	Of[organization.RoleGranted]("organization.role-granted"),
	Of[organization.RoleRevoked]("organization.role-revoked"),
	Of[organization.GovernancePolicySet]("organization.governance-policy-set"),
	Of[organization.LegalHoldPlaced]("organization.legal-hold-placed"),
	Of[organization.LegalHoldReleased]("organization.legal-hold-released"),
	Of[organization.PersonalDataErased]("organization.personal-data-erased"),

	Of[strategy.Drafted]("strategy.drafted"),
	Of[strategy.GoalAdded]("strategy.goal-added"),
	Of[strategy.ObjectiveAdded]("strategy.objective-added"),
	Of[strategy.PlanElementAmended]("strategy.plan-element-amended"),
	Of[strategy.PlanElementRetired]("strategy.plan-element-retired"),
	Of[strategy.Submitted]("strategy.submitted"),
	Of[strategy.ChangesRequested]("strategy.changes-requested"),
	Of[strategy.ApprovalGiven]("strategy.approval-given"),
	Of[strategy.Activated]("strategy.activated"),
	Of[strategy.RevisionOpened]("strategy.revision-opened"),
	Of[strategy.RevisionWithdrawn]("strategy.revision-withdrawn"),
	Of[strategy.PutOnHold]("strategy.put-on-hold"),
	Of[strategy.Resumed]("strategy.resumed"),
	Of[strategy.Closed]("strategy.closed"),
	Of[strategy.PeriodAttested]("strategy.period-attested"),

	Of[indicator.Defined]("indicator.defined"),
	Of[indicator.Redefined]("indicator.redefined"),
	Of[indicator.TargetSet]("indicator.target-set"),
	Of[indicator.MeasurementRecorded]("indicator.measurement-recorded"),
	Of[indicator.MeasurementCorrected]("indicator.measurement-corrected"),
	Of[indicator.MeasurementVoided]("indicator.measurement-voided"),
	Of[indicator.HealthChanged]("indicator.health-changed"),
	Of[indicator.Retired]("indicator.retired"),

	Of[finding.Raised]("finding.raised"),
	Of[finding.Assigned]("finding.assigned"),
	Of[finding.Reclassified]("finding.reclassified"),
	Of[finding.RemediationPlanned]("finding.remediation-planned"),
	Of[finding.RemediationSubmitted]("finding.remediation-submitted"),
	Of[finding.RiskAccepted]("finding.risk-accepted"),
	Of[finding.ReturnedToWork]("finding.returned"),
	Of[finding.Closed]("finding.closed"),

	Of[evidence.Registered]("evidence.registered"),
	Of[evidence.Linked]("evidence.linked"),

	Of[source.Registered]("source.registered"),
	Of[source.StatusChanged]("source.status-changed"),
	Of[source.ImportAccepted]("source.import-accepted"),
	Of[source.IngestRejected]("source.ingest-rejected"),

	Of[journal.CommandDenied]("journal.command-denied"),
	Of[journal.SignInFailed]("journal.sign-in-failed"),
	Of[journal.AuditRead]("journal.audit-read"),
	Of[journal.Reminded]("journal.reminded"),
	Of[journal.ReadModelDiverged]("journal.read-model-diverged"),
	Of[journal.ReadModelRepaired]("journal.read-model-repaired"),
	Of[journal.EpochStarted]("journal.epoch-started"),
)

// Encode gives the wire type, schema and canonical body of a domain event.
func Encode(event any) (typ string, schema int, data []byte, err error) { return table.Encode(event) }

// Decode gives the domain event of a stored body; see Codec.Decode.
func Decode(typ string, schema int, data []byte) (any, error) { return table.Decode(typ, schema, data) }

// Types lists the wire types that this release knows, sorted.
func Types() []string { return table.Types() }

// Schema is the schema version in which a type is written now, 0 if unknown.
func Schema(typ string) int { return table.Schema(typ) }
