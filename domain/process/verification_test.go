package process_test

import (
	"strings"
	"testing"

	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/process"
	"strata.dev/strata/domain/severity"
)

func TestLogVerificationRaisesWhatAFindingTakes(t *testing.T) {
	raise := process.LogVerification(process.LogProblem{
		FindingID: id("f"), Position: 12, Through: 90, Text: strings.Repeat("é", 4_000), Looks: "changed in place",
		Subjects: []finding.Subject{{Type: "organization", ID: id("org")}},
	})
	if raise.Severity != severity.Critical || raise.Origin != finding.FromLogVerification || raise.DedupeKey != "log-verification:12" ||
		!strings.Contains(raise.Title, "between positions 12 and 90") {
		t.Errorf("raised %+v", raise)
	}
	accepts(t, finding.State{}, raise)
	if one := process.LogVerification(process.LogProblem{Position: 12}); !strings.HasSuffix(one.Title, "at position 12") {
		t.Errorf("titled %q", one.Title)
	}
}
