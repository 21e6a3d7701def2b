package demo

// Member is somebody of the demo organization.
type Member struct{ Subject, Role string }

// Members are the people of the demo organization, one per role. The first two
// come with the registration.
var Members = []Member{
	{"ada", "administrator"},
	{"casey", "compliance_officer"},
	{"sam", "strategy_author"},
	{"priya", "strategy_approver"},
	{"ines", "indicator_owner"},
	{"arlo", "auditor"},
	{"vera", "viewer"},
}
