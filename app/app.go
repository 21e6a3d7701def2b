// Package app is the table of contents of what Strata can do: every use case
// in one struct. Ports take what they serve from it; cmd fills it.
package app

import (
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/query"
	"strata.dev/strata/app/stratml"
)

// App is every use case. Safe for concurrent use.
type App struct {
	// What changes something: each call is recorded, once, as events.

	Organizations *command.Organizations // register, enrol, grant, revoke, offboard; policy and legal holds; countersign
	Strategies    *command.Strategies    // draft, edit, submit, request changes, approve, activate, open and withdraw revisions; hold, resume, close, attest
	Indicators    *command.Indicators    // define, redefine, relink, set targets, record, correct and void measurements, retire
	Findings      *command.Findings      // raise, assign, reclassify, plan and submit remediation, accept risk, return, close
	Evidence      *command.Evidence      // register bytes, link them, give them
	Sources       *command.Sources       // register, suspend, reinstate; what was refused of their messages
	Imports       *command.Imports       // a StratML document as a strategy in draft, or as the next revision of one
	Exports       *command.Exports       // a strategy as a StratML document
	Erasure       *command.Erasure       // what says who a person is, for ever

	// What asks: answers come from the read databases, each as of a position.

	Plans query.Plans // for officers: plans, scorecards, series, members
	Audit query.Audit // for auditors: every event, who and when

	// Documents reads StratML files for Imports.
	Documents stratml.Parser
}

// New puts the use cases together.
func New(commands *command.Commands, plans query.Plans, audit query.Audit, documents stratml.Parser) *App {
	return &App{
		Organizations: commands.Organizations,
		Strategies:    commands.Strategies,
		Indicators:    commands.Indicators,
		Findings:      commands.Findings,
		Evidence:      commands.Evidence,
		Sources:       commands.Sources,
		Imports:       commands.Imports,
		Exports:       commands.Exports,
		Erasure:       commands.Erasure,
		Plans:         plans,
		Audit:         audit,
		Documents:     documents,
	}
}
