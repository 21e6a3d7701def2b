package process

import (
	"fmt"

	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/severity"
)

// LogProblem is where the log is not what was sealed of it.
type LogProblem struct {
	FindingID string
	Position  int64 // the first bad one
	Through   int64 // 0, or it is somewhere from Position to here
	Text      string
	Looks     string // what it looks like
	Subjects  []finding.Subject
}

// LogVerification is the finding about a log that is not what was sealed: always
// critical, whatever the policy says, and one for each place.
func LogVerification(p LogProblem) finding.RaiseFinding {
	where := fmt.Sprintf("at position %d", p.Position)
	if p.Through > p.Position {
		where = fmt.Sprintf("between positions %d and %d", p.Position, p.Through)
	}
	return finding.RaiseFinding{
		FindingID: p.FindingID, Kind: kindFor(severity.Critical), Severity: severity.Critical,
		Title: "The log is not what was recorded " + where, Condition: clip(p.Text),
		Criteria: "Nobody alters or deletes what was recorded: every event is the one that was sealed.", Cause: clip(p.Looks),
		Recommendation: "Run `strata verify` with keys and a checkpoint that were kept elsewhere. Find out who had access to the database. Restore the events from the archive.",
		Subjects:       p.Subjects, Origin: finding.FromLogVerification, DedupeKey: LogVerificationKey(p.Position),
	}
}

// LogVerificationKey is the dedupe key of findings about one place in the log.
func LogVerificationKey(position int64) string { return fmt.Sprintf("log-verification:%d", position) }
