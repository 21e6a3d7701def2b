package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/cmd/strata/demo"
)

// loadDemo loads the demo organization through the API, and shows how far it has come.
func loadDemo(ctx context.Context, base string, issuer *oidc.Issuer, out io.Writer) (demo.Result, error) {
	return demo.Load(ctx, demo.Options{Base: base, Issuer: issuer, Progress: demoProgress(out)})
}

const demoTitle = "Loading the 2030 Agenda"

// demoProgress shows progress as a bar on a terminal, and as a line for each
// part elsewhere.
func demoProgress(out io.Writer) func(done, total int, what string) {
	if isTerminal(out) {
		bar := progressbar.NewOptions(-1, progressbar.OptionSetWriter(out), progressbar.OptionThrottle(50*time.Millisecond),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())
		return func(done, total int, what string) {
			bar.ChangeMax(total)
			bar.Describe(demoTitle + ": " + what)
			_ = bar.Set(done) // what cannot be shown is no reason to stop
		}
	}
	last := ""
	return func(done, total int, what string) {
		if what != last || done == total {
			last = what
			fmt.Fprintf(out, "%s: %s (%d of %d)\n", demoTitle, what, done, total)
		}
	}
}
