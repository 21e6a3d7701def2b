package main

import (
	"encoding/json"
	"io"

	"github.com/schollz/progressbar/v3"
)

const progressAuto, progressBar, progressJSON, progressNone = "auto", "bar", "json", "none"

var progressModes = []string{progressAuto, progressBar, progressJSON, progressNone}

// progress is how far a long task has come. It is written beside the result,
// on stderr: as a bar, or as one JSON object per line.
type progress struct {
	Task       string  `json:"task"`
	Phase      string  `json:"phase"`
	Done       int64   `json:"done"`
	Total      int64   `json:"total"`
	PerSecond  int64   `json:"perSecond"`
	ETASeconds float64 `json:"etaSeconds"`
}

// reporter shows progress in the mode of --progress. A report that cannot be
// written is no reason to stop the work.
func (c *cli) reporter(out io.Writer, unit string) func(progress) {
	mode := c.progress
	if mode == progressAuto {
		mode = progressJSON
		if isTerminal(out) {
			mode = progressBar
		}
	}
	switch mode {
	case progressJSON:
		enc := json.NewEncoder(out)
		return func(p progress) { _ = enc.Encode(p) }
	case progressBar:
		bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(out),
			progressbar.OptionShowIts(), progressbar.OptionSetItsString(unit), progressbar.OptionSetPredictTime(true),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
		return func(p progress) {
			bar.Describe(p.Task + " " + p.Phase)
			bar.ChangeMax64(p.Total)
			_ = bar.Set64(p.Done)
		}
	}
	return func(progress) {}
}
