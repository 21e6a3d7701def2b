package readdbtest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/journal"
	"strata.dev/strata/domain/sealed"
	"strata.dev/strata/domain/severity"
	"strata.dev/strata/domain/source"
)

// Finding is a finding and its state.
type Finding struct {
	ID       uuid.UUID
	State    finding.State
	RaisedAt time.Time

	action string // of the latest plan
}

// Evidence is a piece of evidence and its state.
type Evidence struct {
	ID    uuid.UUID
	State evidence.State
}

// Source is a registered source and its state.
type Source struct {
	ID    uuid.UUID
	State source.State
}

// Few again, so that each has a long history.
const (
	maxFindings = 8
	maxEvidence = 12
	maxSources  = 3
)

// watchers are who find, judge and accept; the author answers.
type watchers struct {
	auditor   fact.Actor
	acceptors []fact.Actor
	steward   fact.Actor
	breach    fact.Actor
}

func newWatchers() watchers {
	person := func(roles ...string) fact.Actor {
		return fact.Actor{ID: uuid.NewString(), Kind: fact.Person, Roles: roles}
	}
	return watchers{
		auditor: person(authz.Auditor), acceptors: []fact.Actor{person(authz.RiskAcceptor), person(authz.RiskAcceptor)},
		steward: person(authz.DataSteward), breach: fact.Actor{ID: "breach", Kind: fact.Process},
	}
}

// watch tries something with findings, evidence, sources or the journal.
func (w *World) watch() {
	switch n := w.pick(40); {
	case n < 4 && len(w.Findings) < maxFindings || len(w.Findings) == 0:
		w.Raise()
	case n < 22:
		w.work(w.Findings[w.pick(len(w.Findings))])
	case n < 24 && len(w.Evidence) < maxEvidence || len(w.Evidence) == 0:
		w.Collect()
	case n < 29:
		w.link(w.Evidence[w.pick(len(w.Evidence))])
	case n < 30 && len(w.Sources) < maxSources || len(w.Sources) == 0:
		w.Connect()
	case n < 38:
		w.report(w.Sources[w.pick(len(w.Sources))])
	default:
		w.note()
	}
}

// subjects are one to three things to be about: strategies and indicators.
func (w *World) subjects() []finding.Subject {
	var all []finding.Subject
	if len(w.Strategies) > 0 {
		all = append(all, finding.Subject{Type: "strategy", ID: w.Strategies[w.pick(len(w.Strategies))].ID.String(), Revision: w.pick(2)})
	}
	if len(w.Indicators) > 0 && w.pick(2) == 0 {
		all = append(all, finding.Subject{Type: "indicator", ID: w.Indicators[w.pick(len(w.Indicators))].ID.String()})
	}
	if len(all) == 0 || w.pick(4) == 0 {
		all = append(all, finding.Subject{Type: "organization", ID: w.ID.String()})
	}
	return all
}

// Raise raises a finding about some of what there is.
func (w *World) Raise() *Finding { return w.raise(w.subjects()) }

// RaiseAbout raises a finding about a strategy.
func (w *World) RaiseAbout(s *Strategy) *Finding {
	return w.raise([]finding.Subject{{Type: "strategy", ID: s.ID.String()}})
}

func (w *World) raise(subjects []finding.Subject) *Finding {
	f := &Finding{ID: uuid.New(), RaisedAt: w.Log.Now()}
	by, origin, key := w.auditor, finding.FromAudit, ""
	switch w.pick(3) {
	case 0:
		by, origin = w.others[0], finding.FromCompliance
	case 1:
		by, origin, key = w.breach, finding.FromBreach, w.text("breach")
	}
	w.finding(f, by, finding.RaiseFinding{
		FindingID: f.ID.String(), Kind: []finding.Kind{finding.Observation, finding.MajorNC}[w.pick(2)], Severity: w.severity(),
		Title: w.text("Title"), Condition: w.text("is"), Criteria: w.text("should be"), Cause: w.text("cause"), Subjects: subjects,
		Origin: origin, DedupeKey: key,
	})
	w.Findings = append(w.Findings, f)
	return f
}

func (w *World) severity() severity.Severity {
	return []severity.Severity{severity.Low, severity.Medium, severity.High, severity.Critical}[w.pick(4)]
}

// work tries what fits the finding's stage, or anything.
func (w *World) work(f *Finding) {
	today := calendar.Of(w.Log.Now())
	step := w.pick(8)
	if fits := map[finding.Stage][]int{
		finding.Open: {0, 0, 0, 6}, finding.Owned: {1, 1, 1, 3, 7}, finding.Planned: {2, 2, 1, 3, 7}, finding.Submitted: {4, 5, 5, 7},
		finding.Accepted: {4, 3, 7, 7}, finding.Ended: {4},
	}[f.State.Stage]; w.pick(4) > 0 {
		step = fits[w.pick(len(fits))]
	}
	action := finding.Action{ID: uuid.NewString(), Text: w.text("do"), DueDate: today.AddDays(w.pick(40)), OwnerID: w.author.ID}
	switch step {
	case 0:
		w.finding(f, w.others[0], finding.AssignFinding{
			OwnerID: w.author.ID, OwnerRoles: w.author.Roles, DueDate: today.AddDays(1 + w.pick(90)), Reason: "takes long",
		})
	case 1:
		f.action = action.ID
		w.finding(f, w.author, finding.PlanRemediation{
			Response: finding.Partly, Actions: []finding.Action{action}, DueDate: today.AddDays(30 + w.pick(60)), Reason: "later",
		})
	case 2:
		w.finding(f, w.author, finding.SubmitRemediation{ActionsDone: []string{f.action}, Statement: w.text("done"), EvidenceIDs: []string{uuid.NewString()}})
	case 3:
		second := w.now(w.acceptors[1])
		w.finding(f, w.acceptors[0], finding.AcceptRisk{
			Justification: w.text("cheap"), ExpiresOn: today.AddDays(1 + w.pick(300)), Meaning: finding.MeansAcceptance, MaxDays: 365,
			Second: fact.Second{ID: second.ID, Kind: second.Kind, Roles: second.Roles, AuthAt: second.At, SignedAt: second.At},
		})
	case 4:
		reason := []finding.Returned{finding.Insufficient, finding.Ineffective, finding.AcceptanceRevoked}[w.pick(3)]
		w.finding(f, w.auditor, finding.ReturnFinding{Reason: reason, Comments: w.text("no")})
	case 5:
		w.finding(f, w.auditor, finding.CloseFinding{Resolution: finding.Remediated, EffectivenessCheck: w.text("seen"), Meaning: finding.MeansClosure})
	case 6:
		w.finding(f, w.auditor, finding.CloseFinding{Resolution: finding.Dismissed, Reason: "found to be something else entirely", Meaning: finding.MeansClosure})
	default:
		w.finding(f, w.others[0], finding.ReclassifyFinding{Severity: w.severity(), Reason: "r"})
	}
}

// Collect registers evidence.
func (w *World) Collect() *Evidence {
	e := &Evidence{ID: uuid.New()}
	sum := sha256.Sum256([]byte(w.text("bytes")))
	inside := []string{uuid.NewString(), uuid.NewString()}[:w.pick(3)]
	digest := hex.EncodeToString(sum[:])
	w.evidence(e, w.auditor, evidence.RegisterEvidence{
		EvidenceID: e.ID.String(), Kind: []evidence.Kind{evidence.Document, evidence.Message}[w.pick(2)], SHA256: digest,
		Size: int64(1 + w.pick(1000)), MediaType: "application/pdf", StorageRef: "originals/x", SubjectsInside: inside, FileName: Sealed(sealed.Document(digest), "secret-name.pdf"),
	})
	w.Evidence = append(w.Evidence, e)
	return e
}

// CollectFor registers evidence and links it to a strategy, in two ways.
func (w *World) CollectFor(s *Strategy) *Evidence {
	e := w.Collect()
	for _, relation := range []evidence.Relation{evidence.Supports, evidence.Attests} {
		w.evidence(e, w.author, evidence.LinkEvidence{Relation: relation, Target: evidence.Target{Type: "strategy", ID: s.ID.String()}})
	}
	return e
}

func (w *World) link(e *Evidence) {
	to := evidence.Target{Type: "organization", ID: w.ID.String()}
	relation := evidence.Supports
	switch w.pick(3) {
	case 0:
		if len(w.Findings) > 0 {
			to, relation = evidence.Target{Type: "finding", ID: w.Findings[w.pick(len(w.Findings))].ID.String()}, evidence.Remediates
		}
	case 1:
		to, relation = evidence.Target{Type: "evidence", ID: w.Evidence[w.pick(len(w.Evidence))].ID.String()}, evidence.Supersedes
	}
	w.evidence(e, w.author, evidence.LinkEvidence{Relation: relation, Target: to, Note: w.text("note")})
}

// key is some public key.
func (w *World) key() string {
	sum := sha256.Sum256([]byte(w.text("key")))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (w *World) allowed() []source.Allowed {
	var all []source.Allowed
	for _, i := range w.Indicators[:min(2, len(w.Indicators))] {
		all = append(all, source.Allowed{IndicatorID: i.ID.String(), Override: w.pick(2) == 0})
	}
	return all
}

// Connect registers a source.
func (w *World) Connect() *Source {
	s := &Source{ID: uuid.New()}
	w.source(s, w.steward, source.RegisterSource{
		SourceID: s.ID.String(), Name: w.text("Source"), System: "statistics", Channel: []source.Channel{source.HTTP, source.AMQP}[w.pick(2)],
		StewardID: w.steward.ID, StewardRoles: w.steward.Roles, PublicKey: w.key(), AllowedIndicators: w.allowed(), MaxRatePerMin: 1 + w.pick(100),
	})
	w.Sources = append(w.Sources, s)
	return s
}

// report lets a source write to an indicator, or be refused, suspended or reinstated.
func (w *World) report(s *Source) {
	by := fact.Actor{ID: s.ID.String(), Kind: fact.Source}
	switch w.pick(10) {
	case 0:
		w.source(s, w.steward, source.SuspendSource{Reason: w.text("why")})
	case 1, 2:
		w.source(s, w.steward, source.ReinstateSource{Reason: "r", MaxRatePerMin: w.pick(3), PublicKey: []string{"", w.key()}[w.pick(2)]})
	case 3, 4:
		w.Refuse(s)
	default:
		if len(w.Indicators) > 0 {
			w.send(w.Indicators[w.pick(len(w.Indicators))], by)
		}
	}
}

// Refuse records that a message of a source was rejected.
func (w *World) Refuse(s *Source) {
	w.source(s, fact.Actor{ID: s.ID.String(), Kind: fact.Source}, source.RejectIngest{
		MessageID: uuid.NewString(), SourceMessageID: w.text("m"), PayloadSHA256: digest, Size: 10, Code: source.NotANumber, Detail: w.text("d"),
		EvidenceID: uuid.NewString(), IndicatorRef: w.text("ref"),
	})
}

// RefuseItems records that so many items of one message were rejected.
func (w *World) RefuseItems(s *Source, items int) {
	id := uuid.NewString()
	for n := range items {
		w.source(s, fact.Actor{ID: s.ID.String(), Kind: fact.Source}, source.RejectIngest{
			Item: n + 1, MessageID: id, SourceMessageID: id, PayloadSHA256: digest, Size: 10, Code: source.NotANumber,
		})
	}
}

// Send lets a source record a value of a year, or correct the one that is there.
func (w *World) Send(i *Indicator, s *Source, year int) {
	w.sendYear(i, fact.Actor{ID: s.ID.String(), Kind: fact.Source}, year)
}

func (w *World) send(i *Indicator, by fact.Actor) { w.sendYear(i, by, 2010+w.pick(5)) }

func (w *World) sendYear(i *Indicator, by fact.Actor, year int) {
	period := calendar.Period{Start: calendar.Date(fmt.Sprintf("%d-01-01", year)), End: calendar.Date(fmt.Sprintf("%d-12-31", year))}
	value := indicator.Stated{Number: fmt.Sprintf("%d.25", w.pick(90))}
	terms := indicator.SourceTerms{Registered: true, Allowed: true, Override: true}
	for _, m := range i.State.Measurements() {
		if m.Period == period && len(m.Dims) == 0 {
			w.indicator(i, by, indicator.CorrectMeasurement{MeasurementID: m.ID, Value: value, Reason: "source_restated", Source: terms})
			return
		}
	}
	w.indicator(i, by, indicator.RecordMeasurement{MeasurementID: uuid.NewString(), Period: period, Value: value, ExternalRef: w.text("x"), Source: terms})
}

// note records something about the use of Strata.
func (w *World) note() {
	now := w.Log.Now()
	all := []any{
		journal.CommandDenied{Command: authz.AcceptRisk, Rule: "S7", Slug: "segregation-of-duties", Count: 1, FirstAt: now, LastAt: now},
		journal.SignInFailed{Reason: "expired", Count: 3, FirstAt: now, LastAt: now},
		journal.AuditRead{},
		journal.Reminded{},
		journal.ReadModelDiverged{},
		journal.ReadModelRepaired{},
		journal.EpochStarted{},
	}
	w.Log.Record(w.ID, "journal-"+w.ID.String(), fact.Actor{ID: "journal", Kind: fact.Process}, all[w.pick(len(all))])
}

func (w *World) finding(f *Finding, by fact.Actor, c finding.Command) {
	events, err := finding.Decide(f.State, w.now(by), c)
	if err != nil {
		return
	}
	for _, e := range events {
		actors := w.Log.Record(w.ID, "finding-"+f.ID.String(), by, e)
		f.State = f.State.Apply(actors[0], e)
	}
}

func (w *World) evidence(v *Evidence, by fact.Actor, c evidence.Command) {
	events, err := evidence.Decide(v.State, w.now(by), c)
	if err != nil {
		return
	}
	for _, e := range events {
		actors := w.Log.Record(w.ID, "evidence-"+v.ID.String(), by, e)
		v.State = v.State.Apply(actors[0], e)
	}
}

func (w *World) source(s *Source, by fact.Actor, c source.Command) {
	events, err := source.Decide(s.State, w.now(by), c)
	if err != nil {
		return
	}
	for _, e := range events {
		actors := w.Log.Record(w.ID, "source-"+s.ID.String(), by, e)
		s.State = s.State.Apply(actors[0], e)
	}
}
