package authz_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
)

// matrix is roles × commands, written down a second time and by hand, so that
// no change of the table goes by unseen. Columns: author, approver, compliance
// officer, indicator owner, auditor, risk acceptor, data steward, integrator,
// administrator, viewer, operator, process.
const matrix = `
                      au ap co ow ad ra ds in ai vi op pr
register-organization  .  .  .  .  .  .  .  .  .  .  x  .
enrol-member           .  .  .  .  .  .  .  .  x  .  .  .
grant-role             .  .  .  .  .  .  .  .  x  .  .  .
revoke-role            .  .  .  .  .  .  .  .  x  .  .  x
offboard-member        .  .  .  .  .  .  .  .  x  .  .  .
set-governance-policy  .  .  x  .  .  .  .  .  .  .  .  .
place-legal-hold       .  .  x  .  .  .  .  .  .  .  .  .
release-legal-hold     .  .  x  .  .  .  .  .  .  .  .  .
erase-personal-data    .  .  x  .  .  .  .  .  .  .  .  .
draft-strategy         x  .  .  .  .  .  .  .  .  .  .  .
amend-frame            x  .  .  .  .  .  .  .  .  .  .  .
add-goal               x  .  .  .  .  .  .  .  .  .  .  .
amend-goal             x  .  .  .  .  .  .  .  .  .  .  .
retire-goal            x  .  .  .  .  .  .  .  .  .  .  .
add-objective          x  .  .  .  .  .  .  .  .  .  .  .
amend-objective        x  .  .  .  .  .  .  .  .  .  .  .
move-objective         x  .  .  .  .  .  .  .  .  .  .  .
retire-objective       x  .  .  .  .  .  .  .  .  .  .  .
submit-strategy        x  .  .  .  .  .  .  .  .  .  .  .
open-revision          x  .  .  .  .  .  .  .  .  .  .  .
withdraw-revision      x  .  .  .  .  .  .  .  .  .  .  .
request-changes        .  x  x  .  .  .  .  .  .  .  .  .
approve-strategy       .  x  x  .  .  .  .  .  .  .  .  .
activate-strategy      .  .  x  .  .  .  .  .  .  .  .  .
put-on-hold            .  .  x  .  .  .  .  .  .  .  .  x
resume-strategy        .  .  x  .  .  .  .  .  .  .  .  x
close-strategy         .  .  x  .  .  .  .  .  .  .  .  x
attest-period          .  x  .  .  .  .  .  .  .  .  .  .
define-indicator       x  .  .  .  .  .  .  .  .  .  .  .
redefine-indicator     x  .  .  .  .  .  .  .  .  .  .  .
relink-indicator       x  .  .  .  .  .  .  .  .  .  .  x
set-target             x  .  .  .  .  .  .  .  .  .  .  .
retire-indicator       x  .  .  .  .  .  .  .  .  .  .  x
record-measurement     .  .  .  x  .  .  .  x  .  .  .  x
correct-measurement    .  .  .  x  .  .  .  x  .  .  .  .
void-measurement       .  .  .  x  .  .  .  x  .  .  .  .
raise-finding          .  .  x  .  x  .  .  .  .  .  .  x
assign-finding         .  .  x  .  x  .  .  .  .  .  .  x
reclassify-finding     .  .  x  .  x  .  .  .  .  .  .  .
plan-remediation       .  .  .  x  .  .  x  .  .  .  .  .
submit-remediation     .  .  .  x  .  .  x  .  .  .  .  .
accept-risk            .  .  .  .  .  x  .  .  .  .  .  .
return-finding         .  .  x  .  x  .  .  .  .  .  .  x
close-finding          .  .  x  .  x  .  .  .  .  .  .  .
register-evidence      x  .  x  x  x  .  x  .  .  .  .  x
link-evidence          x  .  x  x  x  .  x  .  .  .  .  x
import-stratml         x  .  .  .  .  .  .  .  .  .  .  .
register-source        .  .  .  .  .  .  x  .  .  .  .  .
suspend-source         .  .  .  .  .  .  x  .  .  .  .  x
reinstate-source       .  .  .  .  .  .  x  .  .  .  .  .
reject-ingest          .  .  .  .  .  .  .  x  .  .  .  x
`

var columns = []string{
	authz.Author, authz.Approver, authz.ComplianceOfficer, authz.IndicatorOwner, authz.Auditor, authz.RiskAcceptor,
	authz.DataSteward, authz.Integrator, authz.Administrator, authz.Viewer, authz.Operator, authz.Process,
}

func TestEveryCellOfRolesAndCommands(t *testing.T) {
	var commands []string
	for _, line := range strings.Split(strings.TrimSpace(matrix), "\n")[1:] {
		cells := strings.Fields(line)
		command := cells[0]
		commands = append(commands, command)
		for i, role := range columns {
			want := cells[i+1] == "x"
			if got := authz.Allowed(role, command); got != want {
				t.Errorf("%s may %s: %v, want %v", role, command, got, want)
			}
		}
	}
	slices.Sort(commands)
	if !slices.Equal(commands, authz.Commands()) {
		t.Errorf("the matrix has %v, the table %v", commands, authz.Commands())
	}
	if authz.Allowed(authz.Administrator, "no-such-command") {
		t.Error("an unknown command is allowed")
	}
}

func TestCheckTakesActorsForWhatTheyAre(t *testing.T) {
	all := append(authz.Grantable(), authz.Process)
	for _, c := range []struct {
		name    string
		by      fact.Actor
		command string
		ok      bool
	}{
		{"a person with the role", fact.Actor{Kind: fact.Person, Roles: []string{authz.Viewer, authz.Author}}, authz.AddGoal, true},
		{"a person without it", fact.Actor{Kind: fact.Person, Roles: []string{authz.Approver}}, authz.AddGoal, false},
		{"a person without any", fact.Actor{Kind: fact.Person}, authz.AddGoal, false},
		{"a person is no integrator", fact.Actor{Kind: fact.Person, Roles: []string{authz.Integrator, authz.Process}}, authz.RecordMeasurement, false},
		{"a source is an integrator", fact.Actor{Kind: fact.Source}, authz.RecordMeasurement, true},
		{"a source is nothing else", fact.Actor{Kind: fact.Source, Roles: all}, authz.ApproveStrategy, false},
		{"a process records", fact.Actor{Kind: fact.Process}, authz.RecordMeasurement, true},
		{"a process never corrects", fact.Actor{Kind: fact.Process, Roles: all}, authz.CorrectMeasurement, false},
		{"an operator registers", fact.Actor{Kind: fact.Person, Roles: []string{authz.Operator}}, authz.RegisterOrganization, true},
		{"an administrator does not", fact.Actor{Kind: fact.Person, Roles: []string{authz.Administrator}}, authz.RegisterOrganization, false},
		{"nobody in particular", fact.Actor{Roles: all}, authz.AddGoal, false},
		{"an unknown command", fact.Actor{Kind: fact.Person, Roles: all}, "destroy-log", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := authz.Check(c.by, c.command)
			if (err == nil) != c.ok {
				t.Fatalf("got %v", err)
			}
			if err != nil && (!errors.Is(err, authz.ErrRole)) {
				t.Errorf("got %v, want %v", err, authz.ErrRole)
			}
		})
	}
}

// conflicting is S4, role against role: x always, s on the same strategy.
const conflicting = `
                   au ap co ow ad ra ds in ai vi
strategy_author     .  s  .  .  x  .  .  x  x  .
strategy_approver   s  .  .  .  x  .  .  x  x  .
compliance_officer  .  .  .  .  x  .  .  x  x  .
indicator_owner     .  .  .  .  x  .  .  x  x  .
auditor             x  x  x  x  .  x  x  x  x  .
risk_acceptor       .  .  .  .  x  .  .  x  x  .
data_steward        .  .  .  .  x  .  .  x  x  .
integrator          x  x  x  x  x  x  x  .  x  x
administrator       x  x  x  x  x  x  x  x  .  .
viewer              .  .  .  .  .  .  .  x  .  .
`

func TestEveryPairOfRoles(t *testing.T) {
	want := map[string]authz.Conflict{".": authz.None, "s": authz.SameStrategy, "x": authz.Always}
	for _, line := range strings.Split(strings.TrimSpace(conflicting), "\n")[1:] {
		cells := strings.Fields(line)
		for i, other := range authz.Grantable() {
			if got := authz.Between(cells[0], other); got != want[cells[i+1]] {
				t.Errorf("%s and %s: %v, want %v", cells[0], other, got, want[cells[i+1]])
			}
		}
	}
}

func TestOnlyRolesAboutStrategiesAreLimited(t *testing.T) {
	limitable := slices.DeleteFunc(authz.Grantable(), func(r string) bool { return !authz.Limitable(r) })
	want := []string{authz.Author, authz.Approver, authz.IndicatorOwner, authz.RiskAcceptor, authz.Viewer}
	if !slices.Equal(limitable, want) {
		t.Errorf("got %v, want %v", limitable, want)
	}
}
