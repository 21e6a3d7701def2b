package process_test

import (
	"testing"
	"time"

	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/process"
	"strata.dev/strata/domain/severity"
	"strata.dev/strata/domain/source"
)

// refusing is a registered source of which n messages were refused, one every pause.
func refusing(n int, pause time.Duration) process.Source {
	s := source.State{}.Apply(person, source.Registered{SourceID: id("source"), Name: "ERP", Channel: source.HTTP, StewardID: id("steward")})
	for i := range n {
		s = refused(s, noon.Add(-time.Duration(n-1-i)*pause))
	}
	return process.Source{State: s, ChangedAt: 1}
}

func refused(s source.State, at time.Time) source.State {
	return s.Apply(fact.Actor{ID: id("source"), Kind: fact.Source, At: at}, source.IngestRejected{MessageID: "m", Code: "malformed"})
}

// again is the source with n more messages refused at once.
func again(s process.Source, n int) process.Source {
	for range n {
		s.State = refused(s.State, noon)
	}
	return s
}

func suspended(s process.Source, by string) process.Source {
	s.State = s.Apply(machine, source.StatusChanged{From: source.Active, To: source.Suspended, Reason: "r"})
	s.ChangedAt, s.SuspendedBy = 120, map[string]bool{by: true}
	return s
}

func reinstated(s process.Source) process.Source {
	s.State = s.Apply(person, source.StatusChanged{From: source.Suspended, To: source.Active, Reason: "r"})
	s.ChangedAt = 130
	return s
}

func TestRejections(t *testing.T) {
	own := raised("finding/"+id("source"), severity.High)
	all := []string{"suspend", "raise", "assign"}
	unowned := "remind finding-unowned of finding-" + own.ID
	for name, c := range map[string]struct {
		source process.Source
		known  []process.Finding
		nobody bool
		want   []string
	}{
		"one more than the policy lets pass":     {refusing(11, time.Minute), nil, false, all},
		"as many as the policy lets pass":        {refusing(10, time.Minute), nil, false, nil},
		"many, but not within the hour":          {refusing(11, 10*time.Minute), nil, false, nil},
		"an import, which is no source":          {process.Source{}, nil, false, nil},
		"suspended by somebody":                  {suspended(refusing(11, time.Minute), "another"), nil, false, nil},
		"suspended by this, and then a crash":    {suspended(refusing(11, time.Minute), "event"), nil, false, []string{"raise", "assign"}},
		"raised, and then a crash":               {suspended(refusing(11, time.Minute), "event"), []process.Finding{own}, false, []string{"assign"}},
		"all done":                               {suspended(refusing(11, time.Minute), "event"), []process.Finding{assigned(own, "2026-04-01")}, false, nil},
		"reinstated since":                       {reinstated(refusing(11, time.Minute)), nil, false, nil},
		"reinstated since, and more in no time":  {again(reinstated(refusing(0, 0)), 11), nil, false, nil},
		"all done, reinstated and closed":        {reinstated(suspended(refusing(11, time.Minute), "event")), []process.Finding{ended(own, 140)}, false, nil},
		"again, with the former finding closed":  {refusing(11, time.Minute), []process.Finding{ended(own, 40)}, false, all},
		"again, with the former finding open":    {refusing(11, time.Minute), []process.Finding{assigned(own, "2026-04-01")}, false, []string{"suspend"}},
		"the steward cannot respond":             {refusing(11, time.Minute), nil, true, []string{"suspend", "raise", unowned}},
		"the steward cannot, and then a crash":   {suspended(refusing(11, time.Minute), "event"), []process.Finding{own}, true, []string{unowned}},
		"nobody's finding from another occasion": {refusing(11, time.Minute), []process.Finding{raised("other", severity.High)}, true, []string{"suspend"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := process.RejectionFacts{Source: c.source, Policy: policy(), EventID: "event", StewardCanRespond: !c.nobody, Findings: c.known}
			f.Policy.RejectionSuspendThreshold = 10
			d := process.Rejections(cause(100), f)
			expect(t, d, c.want...)
			for _, step := range d.Steps {
				switch command := step.Command.(type) {
				case source.Command:
					if _, err := source.Decide(c.source.State, machine, command); err != nil || step.Target != id("source") {
						t.Errorf("the source refuses: %v", err)
					}
				case finding.RaiseFinding:
					accepts(t, finding.State{}, command)
				case finding.AssignFinding:
					if command.OwnerID != id("steward") || step.Target != own.ID {
						t.Errorf("assign %+v", step)
					}
				}
			}
		})
	}
}

func TestLeaver(t *testing.T) {
	mine := assigned(raised("f1", severity.High), "2026-04-01")
	theirs := raised("f2", severity.High)
	theirs.State = theirs.Apply(person, finding.Assigned{OwnerID: id("somebody"), DueDate: "2026-04-01"})
	registered := source.State{}.Apply(person, source.Registered{SourceID: id("source"), StewardID: id("owner")})
	other := source.State{}.Apply(person, source.Registered{SourceID: id("source 2"), StewardID: id("somebody")})
	d := process.Leaver(cause(1), process.LeaverFacts{
		MemberID: id("owner"),
		Findings: []process.Finding{mine, theirs, ended(mine, 5), acceptedUntil(mine, "2026-12-31", 5)},
		Sources:  []source.State{registered, other, {}},
	})
	expect(t, d, "remind finding-owner-left of finding-"+mine.ID, "remind source-steward-left of source-"+id("source"))
	for _, r := range d.Reminders {
		if r.MemberID != id("owner") {
			t.Errorf("reminder %+v", r)
		}
	}
}
