package authz_test

import (
	"slices"
	"testing"

	"strata.dev/strata/domain/authz"
)

func TestWhoMayRead(t *testing.T) {
	for _, role := range authz.Grantable() {
		if got, want := authz.MayRead(role), role != authz.Integrator; got != want {
			t.Errorf("%s may read: %v, want %v", role, got, want)
		}
	}
	blind := []string{authz.Administrator, authz.Viewer, authz.Integrator, "", authz.Operator, authz.Process}
	for _, role := range append(authz.Grantable(), "", authz.Operator, authz.Process) {
		if got, want := authz.MayReadNames(role), !slices.Contains(blind, role); got != want {
			t.Errorf("%q may read names: %v, want %v", role, got, want)
		}
		if got, want := authz.MayReadJournal(role), role == authz.Auditor || role == authz.ComplianceOfficer; got != want {
			t.Errorf("%q may read the journal: %v, want %v", role, got, want)
		}
	}
	for _, role := range []string{"", authz.Operator, authz.Process, "owner"} {
		if authz.MayRead(role) || slices.Contains(authz.Grantable(), role) {
			t.Errorf("%q may read", role)
		}
	}
}
