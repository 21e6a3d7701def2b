package readdbtest

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/sealed"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
)

// second is a second officer, who has signed just now.
func (w *World) second() fact.Second {
	by := w.now(w.others[1])
	return fact.Second{ID: by.ID, Kind: by.Kind, Roles: by.Roles, AuthAt: by.At, SignedAt: by.At}
}

// govern sets a policy, places or releases a legal hold, or brings in a document.
func (w *World) govern() {
	switch w.pick(7) {
	case 4:
		e := organization.PersonalDataErased{
			RequestID: uuid.NewString(), SubjectID: Somebody, Basis: "a request", KeyIDs: []string{Somebody},
			RequestedBy: w.others[1].ID, AuthorizedBy: w.others[0].ID,
		}
		w.Organization = w.Organization.Apply(w.Log.Record(w.ID, "organization-"+w.ID.String(), w.others[0], e)[0], e)
	case 0, 1:
		p := organization.DefaultPolicy()
		p.Quorum.N, p.RetentionYears = 1+w.pick(4), 1+w.pick(20)
		w.organization(w.others[0], organization.SetGovernancePolicy{Policy: p, Reason: "r", Second: w.second()})
	case 2:
		id := uuid.NewString()
		w.holds = append(w.holds, id)
		w.organization(w.others[0], organization.PlaceLegalHold{
			HoldID: id, Matter: w.text("Case"), Scope: organization.HoldScope{Organization: true}, Basis: "an order",
		})
	case 3:
		if len(w.holds) > 0 {
			w.organization(w.others[0], organization.ReleaseLegalHold{HoldID: w.holds[w.pick(len(w.holds))], Reason: "r", Second: w.second()})
		}
	default:
		w.bringIn()
	}
}

// bringIn records that a document was accepted or refused; nothing comes of it.
func (w *World) bringIn() {
	id, sum := uuid.NewString(), strings.Repeat("cd", 32)
	var e any = source.IngestRejected{MessageID: id, PayloadSHA256: sum, Size: 10, Code: "malformed", Line: 1 + w.pick(9)}
	if w.pick(2) == 0 {
		e = source.ImportAccepted{
			Subjects: []string{Somebody}, Submitter: Sealed(Somebody, "secret-name"), FileName: Sealed(sealed.Document(sum), "secret-name.xml"),
			ImportID: id, DocumentSHA256: sum, Size: 1 + w.pick(1000), ContentHash: sum, Format: source.Part2, DocumentType: "Strategic_Plan",
			Counts: source.Counts{Goals: w.pick(9)}, DeviationCounts: []source.CodeCount{{Code: "placeholder", Count: 1 + w.pick(3)}},
			Deviations: []source.Deviation{{Code: "placeholder", Line: 3, Column: 1, Path: "/x"}},
			StrategyID: w.Strategies[w.pick(len(w.Strategies))].ID.String(), Plan: source.New, Day: "2026-01-05", Layout: 1,
		}
	}
	w.Log.Record(w.ID, "source-"+w.ID.String(), w.author, e)
}

// oversee does what is done to a strategy in force.
func (w *World) oversee(s *Strategy, officer fact.Actor) {
	switch w.pick(12) {
	case 0, 1, 2:
		w.strategy(s, officer, strategy.PutStrategyOnHold{Blocker: strategy.Blocker{Kind: strategy.ByOrder, Ref: w.text("order")}, Reason: w.text("why")})
	case 3, 4, 5, 6:
		w.strategy(s, officer, strategy.ResumeStrategy{Reason: "r"})
	case 7:
		outcome := strategy.CloseStrategy{Outcome: strategy.Completed, Reason: "r"}
		if other := w.Strategies[w.pick(len(w.Strategies))]; other != s && other.State.HasInForce() {
			outcome = strategy.CloseStrategy{Outcome: strategy.Superseded, SuccessorID: other.ID.String(), SuccessorInForce: true, Reason: "r"}
		}
		w.strategy(s, officer, outcome)
	default:
		w.strategy(s, officer, strategy.AttestPeriod{
			Period:    calendar.Period{Start: "2020-01-01", End: calendar.Date(fmt.Sprintf("2020-12-%d", 10+w.pick(20)))},
			Statement: w.text("seen"), Meaning: strategy.Attestation, IndicatorDigest: digest, LogPosition: 1,
		})
	}
}

// Relink moves an indicator under an objective of a strategy.
func (w *World) Relink(i *Indicator, s *Strategy) {
	objective := uuid.NewString()
	if all := s.State.Working.Plan.Objectives(""); len(all) > 0 {
		objective = all[w.pick(len(all))].ID
	}
	w.indicator(i, w.author, indicator.RelinkIndicator{StrategyID: s.ID.String(), ObjectiveID: objective, Reason: "r"})
}

// Grow enrols a member and places a legal hold.
func (w *World) Grow() {
	w.members()
	id := uuid.NewString()
	w.holds = append(w.holds, id)
	w.organization(w.others[0], organization.PlaceLegalHold{
		HoldID: id, Matter: "Case", Scope: organization.HoldScope{Organization: true}, Basis: "an order",
	})
}

// Remeasure records a value of a year, and a target.
func (w *World) Remeasure(i *Indicator, year int) {
	period := calendar.Period{Start: calendar.Date(fmt.Sprintf("%d-01-01", year)), End: calendar.Date(fmt.Sprintf("%d-12-31", year))}
	value := indicator.Stated{Number: "1"}
	w.indicator(i, w.author, indicator.SetTarget{Period: period, Value: value, Reason: "r"})
	w.indicator(i, w.author, indicator.RecordMeasurement{MeasurementID: uuid.NewString(), Period: period, Value: value})
}

// Reopen opens a revision beside the one in force.
func (w *World) Reopen(s *Strategy) { w.strategy(s, w.author, strategy.OpenRevision{Reason: "r"}) }

// Rename amends a goal's name.
func (w *World) Rename(s *Strategy, goal, name string) {
	w.strategy(s, w.author, strategy.AmendGoal{GoalID: goal, Reason: "r", Edits: []strategy.Edit{{Field: "name", New: strategy.Text(name)}}})
}

// Edit tries one random edit of a strategy's working revision.
func (w *World) Edit(s *Strategy) { w.editStrategy(s) }
