package process_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/journal"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
)

func reminderKind(body any) string {
	if r, ok := body.(journal.Reminded); ok {
		return r.Kind
	}
	return ""
}

// story is told to one organization.
type story struct {
	*tenant
	a, b, c uuid.UUID // strategies: b succeeds a; c is of b's lineage and replaces nothing
	i, j    uuid.UUID // indicators under a's two objectives
	source  uuid.UUID
}

func (w *world) newStory() *story {
	w.t.Helper()
	w.ahead.Store(0)
	return &story{
		tenant: w.register(), a: uuid.New(), b: uuid.New(), c: uuid.New(), i: uuid.New(), j: uuid.New(), source: uuid.New(),
	}
}

// chapter is what persons, sources and time do at once, before the processes
// have their turn; after lists what they have done then, since the last one.
type chapter struct {
	name  string
	tell  func(*story)
	after []string
}

// chapters give every process something to do. Each rests on what the processes
// have done about those before.
var chapters = []chapter{
	{"a strategy comes into force with an indicator off track", func(s *story) {
		s.policy()
		objectives := s.draft(s.a, strategy.DraftStrategy{LineageKey: "first"}, "O1", "O2")
		s.define(s.i, s.a, objectives[0])
		s.define(s.j, s.a, objectives[1])
		s.measure(s.j, year(1), "50")
		s.activate(s.a)
	}, []string{
		"breach finding.assigned", "breach finding.raised", "critical-hold strategy.put-on-hold",
		"attestation-due timer pending", "finding-overdue timer pending", "indicator-stale timer pending × 2",
	}},
	{"another one goes off track, recovers, and goes off track again", func(s *story) {
		s.measure(s.i, year(3), "50")
		s.measure(s.i, year(2), "100")
		s.measure(s.i, year(1), "50")
	}, []string{"breach finding.assigned", "breach finding.raised", "critical-hold strategy.put-on-hold", "finding-overdue timer pending"}},
	{"one of two grave findings is dismissed", func(s *story) {
		s.finding("officer", s.about("breach:"+s.i.String()), finding.CloseFinding{
			Resolution: finding.Dismissed, Reason: "The value was a mistake of ours.", Meaning: finding.MeansClosure,
		})
	}, []string{"finding-overdue timer cancelled", "-finding-overdue timer pending"}},
	{"the risk of the other is accepted", func(s *story) {
		s.must(s.commands.Findings.Execute(s.t.Context(), s.countersigned("acceptor", "acceptor2"), s.about("breach:"+s.j.String()), finding.AcceptRisk{
			Justification: "It takes a year.", ExpiresOn: calendar.Of(s.now().AddDate(0, 0, 20)), Meaning: finding.MeansAcceptance,
		}))
	}, []string{
		"critical-hold strategy.resumed", "acceptance-expiry timer pending", "acceptance-reminder timer pending",
		"finding-overdue timer cancelled", "-finding-overdue timer pending",
	}},
	{
		"the acceptance is about to expire", func(s *story) { s.pass(7) },
		[]string{"reminded acceptance-expiring", "acceptance-reminder timer fired", "-acceptance-reminder timer pending"},
	},
	{"the acceptance expires", func(s *story) { s.pass(14) }, []string{
		"deadlines finding.returned", "critical-hold strategy.put-on-hold",
		"acceptance-expiry timer fired", "-acceptance-expiry timer pending", "finding-overdue timer pending",
	}},
	{
		"the finding is overdue", func(s *story) { s.pass(15) },
		[]string{"reminded finding-overdue", "finding-overdue timer fired", "-finding-overdue timer pending"},
	},
	{"the finding is found to be less grave", func(s *story) {
		s.finding("auditor", s.about("breach:"+s.j.String()), finding.ReclassifyFinding{Severity: "low", Reason: "looked at again"})
	}, []string{"critical-hold strategy.resumed"}},
	{"another strategy succeeds", func(s *story) {
		s.draft(s.b, strategy.DraftStrategy{LineageKey: "second", Replaces: s.a.String()}, "O1")
		s.activate(s.b)
	}, []string{
		"succession indicator.redefined", "succession indicator.retired", "succession strategy.closed",
		"attestation-due timer cancelled", "indicator-stale timer cancelled", "-indicator-stale timer pending",
	}},
	{"a third one of its lineage comes into force", func(s *story) {
		s.draft(s.c, strategy.DraftStrategy{LineageKey: "second"}, "O1")
		s.activate(s.c)
	}, []string{"succession finding.raised", "succession strategy.put-on-hold", "attestation-due timer pending"}},
	{"a source sends what is refused", func(s *story) {
		s.must(s.commands.Sources.Execute(s.t.Context(), s.as("steward"), s.source, source.RegisterSource{
			Name: "ERP", System: "erp", Channel: source.HTTP, StewardID: s.members["steward"], MaxRatePerMin: 60,
			PublicKey: base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32)), AllowedIndicators: []source.Allowed{{IndicatorID: s.i.String()}},
		}))
		for range 6 {
			s.refuse()
		}
	}, []string{"rejections finding.assigned", "rejections finding.raised", "rejections source.status-changed", "finding-overdue timer pending"}},
	{"the source is reinstated and behaves better", func(s *story) {
		s.must(s.commands.Sources.Execute(s.t.Context(), s.as("steward"), s.source, source.ReinstateSource{Reason: "repaired"}))
		s.refuse()
	}, nil},
	{"a role expires", func(s *story) {
		until := s.now().Add(24 * time.Hour)
		s.enrol("guest", authz.Viewer, &until)
		s.pass(2)
	}, []string{"deadlines organization.role-revoked", "grant-expiry timer fired"}},
	{"an owner and a steward leave", func(s *story) {
		s.organization("admin", organization.OffboardMember{MemberID: s.members["owner"], Reason: "left"})
		s.organization("admin", organization.OffboardMember{MemberID: s.members["steward"], Reason: "left"})
	}, []string{"reminded finding-owner-left × 2", "reminded source-steward-left"}},
}

// refuse is a message of the source that nobody can use.
func (s *story) refuse() {
	s.t.Helper()
	c := call(uuid.NewString(), command.SourcePrincipal(s.id, s.source))
	s.must(s.commands.Sources.Execute(s.t.Context(), c, s.source, source.RejectIngest{
		MessageID: uuid.NewString(), PayloadSHA256: strings.Repeat("0", 64), Size: 1, Code: source.Malformed,
	}))
}
