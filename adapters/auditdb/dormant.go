package auditdb

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/authz"
)

// commandsOf names the commands that each type of event comes from. What comes of
// another event, and what no command of a member makes, has none.
var commandsOf = map[string][]string{
	"organization.registered":            {authz.RegisterOrganization},
	"organization.member-enrolled":       {authz.EnrolMember},
	"organization.role-granted":          {authz.GrantRole},
	"organization.role-revoked":          {authz.RevokeRole, authz.OffboardMember},
	"organization.governance-policy-set": {authz.SetGovernancePolicy},
	"organization.legal-hold-placed":     {authz.PlaceLegalHold},
	"organization.legal-hold-released":   {authz.ReleaseLegalHold},
	"organization.personal-data-erased":  {authz.ErasePersonalData},

	"strategy.drafted":              {authz.DraftStrategy},
	"strategy.goal-added":           {authz.AddGoal},
	"strategy.objective-added":      {authz.AddObjective},
	"strategy.plan-element-amended": {authz.AmendFrame, authz.AmendGoal, authz.AmendObjective, authz.MoveObjective},
	"strategy.plan-element-retired": {authz.RetireGoal, authz.RetireObjective},
	"strategy.submitted":            {authz.SubmitStrategy},
	"strategy.changes-requested":    {authz.RequestChanges},
	"strategy.approval-given":       {authz.ApproveStrategy},
	"strategy.activated":            {authz.ActivateStrategy},
	"strategy.revision-opened":      {authz.OpenRevision},
	"strategy.revision-withdrawn":   {authz.WithdrawRevision},
	"strategy.put-on-hold":          {authz.PutOnHold},
	"strategy.resumed":              {authz.ResumeStrategy},
	"strategy.closed":               {authz.CloseStrategy},
	"strategy.period-attested":      {authz.AttestPeriod},

	"indicator.defined":               {authz.DefineIndicator},
	"indicator.redefined":             {authz.RedefineIndicator, authz.RelinkIndicator},
	"indicator.target-set":            {authz.SetTarget},
	"indicator.measurement-recorded":  {authz.RecordMeasurement},
	"indicator.measurement-corrected": {authz.CorrectMeasurement},
	"indicator.measurement-voided":    {authz.VoidMeasurement},
	"indicator.health-changed":        nil,
	"indicator.retired":               {authz.RetireIndicator},

	"finding.raised":                {authz.RaiseFinding},
	"finding.assigned":              {authz.AssignFinding},
	"finding.reclassified":          {authz.ReclassifyFinding},
	"finding.remediation-planned":   {authz.PlanRemediation},
	"finding.remediation-submitted": {authz.SubmitRemediation},
	"finding.risk-accepted":         {authz.AcceptRisk},
	"finding.returned":              {authz.ReturnFinding},
	"finding.closed":                {authz.CloseFinding},

	"evidence.registered": {authz.RegisterEvidence},
	"evidence.linked":     {authz.LinkEvidence},

	"source.registered":      {authz.RegisterSource},
	"source.status-changed":  {authz.SuspendSource, authz.ReinstateSource},
	"source.import-accepted": {authz.ImportStratML},
	"source.ingest-rejected": {authz.ImportStratML, authz.RejectIngest},

	"journal.command-denied": nil, "journal.sign-in-failed": nil, "journal.audit-read": nil,
	"journal.reminded": nil, "journal.read-model-diverged": nil, "journal.read-model-repaired": nil, "journal.epoch-started": nil,
}

// typesOf are the types of events that commands of a role leave, sorted.
func typesOf(role string) []string {
	var types []string
	for _, typ := range slices.Sorted(maps.Keys(commandsOf)) {
		if slices.ContainsFunc(commandsOf[typ], func(c string) bool { return authz.Allowed(role, c) }) {
			types = append(types, typ)
		}
	}
	return types
}

// dormant finds the grants held at f.At that nothing was done with for
// f.DormantDays. A command counts for every role of the member that allows it;
// roles that allow none, as to read, are never dormant.
func (g *grants) dormant(ctx context.Context, tx pgx.Tx, upTo int64, f query.SegregationFilter) ([]query.DormantGrant, error) {
	latest := f.At.AddDate(0, 0, -f.DormantDays)
	var idle []*held
	var actors, types, scopes []string
	for _, h := range g.held {
		of := typesOf(h.Role)
		if h.To != nil || g.over[h.MemberID] || h.From.After(latest) || len(of) == 0 {
			continue
		}
		idle = append(idle, h)
		actors, types, scopes = append(actors, h.MemberID), append(types, strings.Join(of, ",")), append(scopes, strings.Join(h.StrategyIDs, ","))
	}
	used, err := lastUses(ctx, tx, upTo, actors, types, scopes)
	if err != nil {
		return nil, err
	}
	var list []query.DormantGrant
	for i, h := range idle {
		since := h.From
		if used[i] != nil {
			since = *used[i]
		}
		if since.After(latest) {
			continue
		}
		list = append(list, query.DormantGrant{
			MemberID: h.MemberID, GrantID: h.GrantID, Role: h.Role, StrategyIDs: h.StrategyIDs, GrantedAt: h.From, ExpiresAt: h.expiresAt,
			LastUsedAt: used[i], Days: int(f.At.Sub(since) / (24 * time.Hour)),
		})
	}
	slices.SortStableFunc(list, func(a, b query.DormantGrant) int { return cmp.Compare(b.Days, a.Days) })
	return list, nil
}

// lastUses finds, for each actor, when they last made an event of the types in
// one of the strategies (none = in any). It walks an actor's events backwards.
func lastUses(ctx context.Context, tx pgx.Tx, upTo int64, actors, types, scopes []string) ([]*time.Time, error) {
	if len(actors) == 0 {
		return nil, nil
	}
	rows, err := tx.Query(ctx, `
		SELECT u.recorded_at
		FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS g (actor, types, scope, n)
		LEFT JOIN LATERAL (
			SELECT e.recorded_at FROM events e
			WHERE (e.actor_id, e.position) > (g.actor, 0) AND (e.actor_id, e.position) <= (g.actor, $1)
			AND e.type = ANY(string_to_array(g.types, ',')) AND (g.scope = '' OR e.strategy_id = ANY(string_to_array(g.scope, ',')))
			ORDER BY e.actor_id DESC, e.position DESC LIMIT 1) u ON true
		ORDER BY g.n`, upTo, actors, types, scopes)
	if err != nil {
		return nil, fmt.Errorf("last uses of roles: %w", err)
	}
	used, err := pgx.CollectRows(rows, pgx.RowTo[*time.Time])
	if err != nil {
		return nil, fmt.Errorf("last uses of roles: %w", err)
	}
	for _, at := range used {
		if at != nil {
			*at = at.UTC()
		}
	}
	return used, nil
}
