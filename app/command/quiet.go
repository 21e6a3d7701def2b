package command

import (
	"slices"

	"strata.dev/strata/app/eventlog"
)

// A strategy comes into force with the indicators that were approved, and from
// then on they change by two persons (S15). The one is decided on the strategy's
// stream, the other on theirs, so each makes sure that the other did not happen
// meanwhile: no version of a stream would tell.
var (
	indicatorsChange  = []string{"indicator.defined", "indicator.redefined", "indicator.target-set", "indicator.retired"}
	strategiesInForce = []string{"strategy.activated"}
)

// quiet is what all parts of a decision rest on together; nil = nothing.
func (d decision[E]) quiet() *eventlog.Quiet {
	var all *eventlog.Quiet
	for _, by := range d.by {
		switch {
		case by.quiet == nil:
		case all == nil:
			all = &eventlog.Quiet{After: by.quiet.After, Types: slices.Clone(by.quiet.Types)}
		default:
			all.After = min(all.After, by.quiet.After)
			for _, t := range by.quiet.Types {
				if !slices.Contains(all.Types, t) {
					all.Types = append(all.Types, t)
				}
			}
		}
	}
	return all
}
