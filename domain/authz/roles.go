package authz

// Roles that can be granted (domain vocabulary, stored in events).
const (
	Author            = "strategy_author"
	Approver          = "strategy_approver"
	ComplianceOfficer = "compliance_officer"
	IndicatorOwner    = "indicator_owner"
	Auditor           = "auditor"
	RiskAcceptor      = "risk_acceptor"
	DataSteward       = "data_steward"
	Integrator        = "integrator" // a service account that brings measurements, nothing else
	Administrator     = "administrator"
	Viewer            = "viewer"
)

// Roles that are never granted: who has them follows from how they came in.
const (
	Operator = "operator" // runs the installation; may register organizations, has no right inside any
	Process  = "process"  // Strata's own processes
)

// Grantable lists the roles that a member can be given.
func Grantable() []string {
	return []string{Author, Approver, ComplianceOfficer, IndicatorOwner, Auditor, RiskAcceptor, DataSteward, Integrator, Administrator, Viewer}
}

// Limitable says whether a grant of the role may be limited to some strategies.
// The others concern the whole organization.
func Limitable(role string) bool {
	switch role {
	case Author, Approver, IndicatorOwner, RiskAcceptor, Viewer:
		return true
	}
	return false
}

// conflicts holds S4: roles that one member never holds together.
var conflicts = map[string][]string{
	Administrator: {Author, Approver, ComplianceOfficer, IndicatorOwner, Auditor, RiskAcceptor, DataSteward},
	Auditor:       {Author, Approver, ComplianceOfficer, IndicatorOwner, RiskAcceptor, DataSteward, Administrator},
	Integrator:    {Author, Approver, ComplianceOfficer, IndicatorOwner, Auditor, RiskAcceptor, DataSteward, Administrator, Viewer},
}

// Conflict says how two roles of one member conflict (S4).
type Conflict uint8

// The degrees of conflict.
const (
	None         Conflict = iota
	SameStrategy          // not where their scopes meet
	Always
)

// Between says how two roles conflict.
func Between(a, b string) Conflict {
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		for _, other := range conflicts[pair[0]] {
			if other == pair[1] {
				return Always
			}
		}
		if pair == [2]string{Author, Approver} {
			return SameStrategy
		}
	}
	return None
}
