package history

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"strings"
)

// Report is what an agency reported about one target in one quarter.
type Report struct {
	Quarter   string `json:"fiscal_qtr"`      // "1" to "4" of the fiscal year 2022
	Goal      string `json:"related_goal_id"` // of the agency priority goal
	GoalName  string `json:"related_goal"`
	Target    string `json:"target"`
	Type      string `json:"indicator_type"`
	Indicator string `json:"indicator"` // may be empty
	Start     string `json:"value_start"`
	Aim       string `json:"value_target"`
	Current   string `json:"value_current"`
	Flag      string `json:"progress_pct_target_status"`
}

// ReadReports reads reports, in the order of the file.
func ReadReports(path string) (all []Report, err error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

// Series is what one report after the other is about.
type Series struct{ Goal, Indicator, Target string }

// Series tells the targets of a goal apart: some have no indicator, some share one.
func (r Report) Series() Series { return Series{r.Goal, r.Indicator, r.Target} }

// Name is what is measured.
func (r Report) Name() string {
	if strings.TrimSpace(r.Indicator) == "" {
		return r.Target
	}
	return r.Indicator
}

// The types of indicators, and which direction each is.
var directions = map[string]string{
	"Measurable increase":            "increase",
	"Measurable decrease":            "decrease",
	"Maintain at or above threshold": "at_least",
	"Maintain at or below threshold": "at_most",
	"Complete milestone":             milestone,
	"Target undefined":               "undefined",
}

const milestone = "milestone"

// Direction is when the target is met.
func (r Report) Direction() string { return directions[r.Type] }

// Milestone says whether the target is a step that is done or not.
func (r Report) Milestone() bool { return r.Direction() == milestone }

// Period is the quarter. The fiscal year 2022 began in October 2021.
func (r Report) Period() Period {
	return map[string]Period{
		"1": months("2021", 10, 3), "2": months("2022", 1, 3), "3": months("2022", 4, 3), "4": months("2022", 7, 3),
	}[r.Quarter]
}

// What is said of a step.
const (
	Done    = "completed"
	NotDone = "not completed"
)

// State gives what the API takes for a number of the report: steps are done at 1.
func (r Report) State(text string) Stated {
	switch {
	case !r.Milestone():
		return Stated{Value: text}
	case text == "1":
		return Stated{Descriptor: Done}
	}
	return Stated{Descriptor: NotDone}
}

// Met says whether the numbers say that the target is met; ok is false if the
// report does not have both, or no claim to compare with them.
func (r Report) Met() (met, ok bool) {
	current, have := new(big.Rat).SetString(r.Current)
	aim, want := new(big.Rat).SetString(r.Aim)
	if !have || !want || r.Direction() == "undefined" {
		return false, false
	}
	if d := r.Direction(); d == "decrease" || d == "at_most" {
		return current.Cmp(aim) <= 0, true
	}
	return current.Cmp(aim) >= 0, true
}

// Claimed says whether the report itself says that the target is met.
func (r Report) Claimed() bool { return r.Flag == "Target met" }
