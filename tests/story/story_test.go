package story

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/system"
)

func TestStory(t *testing.T) {
	t.Parallel()
	s, service := system.Start(t, system.Options{Queues: []string{"another.team"}})
	another := s.Consume(t, "another.team")
	c := newCast(t, s, service)

	// A missed target is critical here, and what is critical holds the strategy up.
	// That it resumes by itself afterwards is weaker than before: it takes two.
	c.together("casey", "cora", "/v1/organization/commands/set-governance-policy", map[string]any{
		"policy": map[string]any{
			"quorum": map[string]any{"n": 2, "complianceRequired": true}, "autoHoldSeverity": "critical", "autoResume": true,
			"breachSeverity": "critical", "acceptanceMaxDays": 365, "retentionYears": 10, "rejectionSuspendThreshold": 100,
		}, "reason": "Missed safety targets are not to wait.",
	})

	// The plan: what the Department of Transportation published about road safety.
	rows := published(t, "021APG2201", "Roadway Fatalities", "Non-Occupant")
	if len(rows) != 6 {
		t.Fatalf("%d published rows, want 3 quarters of 2 indicators", len(rows))
	}
	strategyID, objectiveID := c.drafted(rows[0])
	agency := newAgency(t, s.AMQP)
	indicators := map[string]string{}
	for _, r := range rows {
		if indicators[reference(r)] == "" {
			indicators[reference(r)] = c.defined(strategyID, objectiveID, r)
		}
	}
	agency.sourceID = c.registered(agency, indicators)
	for ref, id := range indicators {
		c.post("sam", "/v1/indicators/"+id+"/commands/redefine", map[string]any{
			"changes": []any{map[string]any{"field": "externalRefs", "new": map[string]any{"externalRefs": []any{map[string]string{"sourceId": agency.sourceID, "ref": ref}}}}},
			"reason":  "as the agency calls it",
		})
	}
	c.inForce(strategyID)
	breached := indicators["021APG2201/Non-Occupant"]

	// Two quarters that are close to the target, and one that misses it.
	agency.push(t, "fy2022-q2", message(t, rows, "2"))
	agency.push(t, "fy2022-q3", message(t, rows, "3"))
	c.awaitHealth(strategyID, breached, "at_risk", "2022-06-30")
	var quiet board
	c.get("arlo", "/v1/findings?strategyId="+strategyID, &quiet)
	if p := c.strategyIs(strategyID, "active"); len(quiet.Items) > 0 || len(p.Blockers) > 0 {
		t.Errorf("nothing was missed, and there is %+v, %+v", quiet.Items, p.Blockers)
	}
	sha := agency.push(t, "fy2022-q4", message(t, rows, "4"))
	c.awaitHealth(strategyID, breached, "off_track", "2022-09-30")
	f := c.boardShows(strategyID, "assigned")
	if f.Severity != "critical" || f.Origin != "breach" || f.OwnerID != c.members["olga"] {
		t.Errorf("the board shows %+v", f)
	}
	held := c.strategyIs(strategyID, "on_hold")
	if len(held.Blockers) != 1 || held.Blockers[0].Kind != "finding" || held.Blockers[0].Ref != f.ID {
		t.Errorf("it is on hold for %+v", held.Blockers)
	}

	// All of it leads back to the agency's message and the hash of its bytes.
	measured := c.history("/v1/indicators/" + breached + "/events")
	missed := c.last(measured, "indicator.health-changed")
	if w := missed.Source; w.Kind != "amqp" || w.SourceID != agency.sourceID || w.MessageID != "fy2022-q4" || w.PayloadSHA256 != sha {
		t.Errorf("%s came by %+v, the message's hash is %s", missed.Type, w, sha)
	}
	raised := c.last(c.history("/v1/findings/"+f.ID+"/history"), "finding.raised")
	assigned := c.last(c.history("/v1/findings/"+f.ID+"/history"), "finding.assigned")
	onHold := c.last(c.history("/v1/strategies/"+strategyID+"/events"), "strategy.put-on-hold")
	c.caused(missed, raised, onHold)
	c.caused(missed, assigned)

	// The owner answers, and proves it.
	finding := "/v1/findings/" + f.ID
	planned := c.post("olga", finding+"/commands/plan-remediation", map[string]any{"response": "agree", "actions": []any{map[string]any{
		"text": "Light the crossings of the ten worst corridors", "dueDate": time.Now().AddDate(0, 0, 20).Format(time.DateOnly), "ownerId": c.members["olga"],
	}}})
	c.boardShows(strategyID, "planned")
	proof := c.send("olga", restclient.Request{
		Path: "/v1/evidence?kind=document&mediaType=" + url.QueryEscape("text/plain"), ContentType: "application/octet-stream",
		Body: []byte("Crossings lit: 10 of 10. Inspected by night.\n"),
	})["evidenceId"].(string)
	c.post("olga", "/v1/evidence/"+proof+"/commands/link", map[string]any{"relation": "remediates", "target": map[string]string{"type": "finding", "id": f.ID}})
	c.post("olga", finding+"/commands/submit-remediation", map[string]any{
		"actionsDone": planned["actionIds"], "statement": "All ten are lit.", "evidenceIds": []string{proof},
	})
	c.boardShows(strategyID, "submitted")
	c.strategyIs(strategyID, "on_hold")

	// She may not close it, though she is a compliance officer; somebody else does.
	closing := map[string]any{"resolution": "remediated", "effectivenessCheck": "Walked the corridors at night.", "meaning": "closure"}
	c.refused("S6", "olga", finding+"/commands/close", closing)
	c.post("arlo", finding+"/commands/close", closing)
	if f := c.boardShows(strategyID, "closed"); f.Resolution != "remediated" {
		t.Errorf("the board shows %+v", f)
	}
	c.strategyIs(strategyID, "active")

	happened := c.history("/v1/findings/" + f.ID + "/history")
	if diff := cmp.Diff([]string{
		"finding.raised", "finding.assigned", "finding.remediation-planned", "finding.remediation-submitted", "finding.closed",
	}, types(happened)); diff != "" {
		t.Errorf("the finding's history: %s", diff)
	}
	closed := c.last(happened, "finding.closed")
	resumed := c.last(c.history("/v1/strategies/"+strategyID+"/events"), "strategy.resumed")
	c.caused(closed, resumed)
	if closed.ActorID != c.members["arlo"] || closed.ActorKind != "person" {
		t.Errorf("closed by %s %s", closed.ActorKind, closed.ActorID)
	}
	c.journalled(f.ID)
	c.provenance(measured, missed, sha)
	c.sawAll(another, missed, raised, onHold, closed, resumed)
}

// drafted makes the strategy with two goals.
func (c *cast) drafted(r row) (strategyID, objectiveID string) {
	c.Helper()
	strategyID = c.post("sam", "/v1/strategies", map[string]any{"frame": map[string]any{"name": "Safe roads and skies"}})["strategyId"].(string)
	at := "/v1/strategies/" + strategyID + "/commands/"
	goal := c.post("sam", at+"add-goal", map[string]any{"name": r.Goal, "identifier": r.GoalID})["goalId"]
	objectiveID = c.post("sam", at+"add-objective", map[string]any{"goalId": goal, "name": "Fewer deaths on the roads"})["objectiveId"].(string)
	second := c.post("sam", at+"add-goal", map[string]any{"name": "Aviation safety", "identifier": "021APG2202"})["goalId"]
	c.post("sam", at+"add-objective", map[string]any{"goalId": second, "name": "Fewer deaths in the air"})
	return strategyID, objectiveID
}

// defined makes an indicator with the target of its quarters.
func (c *cast) defined(strategyID, objectiveID string, r row) string {
	c.Helper()
	id := c.post("sam", "/v1/indicators", map[string]any{"strategyId": strategyID, "objectiveId": objectiveID, "definition": map[string]any{
		"name": r.Indicator, "unit": "per 100 million miles", "type": "quantitative", "direction": "at_most", "frequency": "quarter",
		"ownerId": c.members["olga"],
	}})["indicatorId"].(string)
	c.post("sam", "/v1/indicators/"+id+"/commands/set-target", map[string]any{"period": r.quarter(), "value": r.Target, "reason": "the agency's own target"})
	return id
}

// registered lets the agency's system write the indicators.
func (c *cast) registered(a *agency, indicators map[string]string) string {
	c.Helper()
	var allowed []any
	for _, id := range indicators {
		allowed = append(allowed, map[string]any{"indicatorId": id})
	}
	return c.post("stan", "/v1/sources", map[string]any{
		"name": "Department of Transportation", "system": "performance.gov", "channel": "amqp", "stewardId": c.members["stan"],
		"publicKey": a.public, "allowedIndicators": allowed, "maxRatePerMin": 60,
	})["sourceId"].(string)
}

// inForce has the strategy approved by two who had no part in it, and activated.
func (c *cast) inForce(id string) {
	c.Helper()
	at := "/v1/strategies/" + id + "/commands/"
	c.post("sam", at+"submit", map[string]any{"summary": "for the board"})
	hash := c.strategyIs(id, "preparing").Working.ContentHash
	c.post("priya", at+"approve", map[string]any{"contentHash": hash, "meaning": "business"})
	c.post("casey", at+"approve", map[string]any{"contentHash": hash, "meaning": "compliance"})
	c.post("cora", at+"activate", map[string]any{"contentHash": hash, "meaning": "activation"})
	c.strategyIs(id, "active")
}

// awaitHealth waits for the scorecard to show what a quarter's value means.
func (c *cast) awaitHealth(strategyID, indicatorID, health, end string) {
	c.Helper()
	type card struct {
		Items []struct {
			ID, Health string
			Actual     *struct{ Period struct{ End string } }
		}
	}
	awaits(c, "vera", "/v1/strategies/"+strategyID+"/scorecard", "the indicator is "+health, func(s card) error {
		for _, i := range s.Items {
			if i.ID == indicatorID && i.Health == health && i.Actual != nil && i.Actual.Period.End == end {
				return nil
			}
		}
		return fmt.Errorf("the scorecard has %+v", s.Items)
	})
}

// journalled makes sure that auditors see that the owner tried to close her own finding.
func (c *cast) journalled(findingID string) {
	c.Helper()
	type journal struct {
		Items []struct {
			Rule, ActorID, Target string
			Data                  struct{ Command string }
		}
	}
	awaits(c, "arlo", "/v1/journal?kind=command-denied&rule=S6", "the denied attempt", func(j journal) error {
		for _, e := range j.Items {
			if e.Rule == "S6" && e.ActorID == c.members["olga"] && e.Data.Command == "close-finding" && e.Target == "finding-"+findingID {
				return nil
			}
		}
		return fmt.Errorf("the journal has %+v", j.Items)
	})
	_, err := c.client("ines").Do(c.Context(), restclient.Request{Method: http.MethodGet, Path: "/v1/journal"})
	if err == nil {
		c.Error("the journal is read by somebody who may not")
	}
}

// provenance follows the number that missed its target back to the message's bytes.
func (c *cast) provenance(measured []entry, missed entry, sha string) {
	c.Helper()
	var caused struct{ CauseMeasurementID string }
	if err := decode(missed.Data, &caused); err != nil {
		c.Fatal(err)
	}
	var p struct {
		Steps []entry
	}
	c.get("arlo", "/v1/measurements/"+caused.CauseMeasurementID+"/provenance", &p)
	recorded := c.last(measured, "indicator.measurement-recorded")
	if len(p.Steps) == 0 || p.Steps[0].ID != recorded.ID || p.Steps[0].Source.PayloadSHA256 != sha {
		c.Errorf("the number comes from %+v, the message has the hash %s", p.Steps, sha)
	}
}
