package main

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/ports/rest/restclient"
)

//go:embed demo/riverton.xml
var demoPlan []byte

// demoMembers are the people of the demo organization, one per role. The first
// two come with the registration.
var demoMembers = []struct{ subject, role string }{
	{"ada", "administrator"},
	{"casey", "compliance_officer"},
	{"sam", "strategy_author"},
	{"priya", "strategy_approver"},
	{"ines", "indicator_owner"},
	{"arlo", "auditor"},
	{"vera", "viewer"},
}

// demo is what the demo organization's loading leaves behind for the banner.
type demo struct {
	organization uuid.UUID
	strategy     string
	indicator    string            // the one that the README's story is about
	tokens       map[string]string // subject → token
}

// loadDemo makes the demo organization through the public API, as any client
// would: registered, members enrolled, a plan imported, submitted, approved by
// two and activated. Every request has a fixed idempotency key, so a second run
// gets the first answers again and changes nothing.
func loadDemo(ctx context.Context, base string, issuer *oidc.Issuer) (demo, error) {
	d := demo{tokens: map[string]string{}}
	client := func(c oidc.Claims) (*restclient.Client, error) {
		token, err := issuer.Issue(c)
		if err != nil {
			return nil, fmt.Errorf("token for %s: %w", c.Subject, err)
		}
		d.tokens[c.Subject] = token
		return &restclient.Client{Base: base, Token: token}, nil
	}
	operator, err := client(oidc.Claims{Subject: "operator", Operator: true})
	if err != nil {
		return d, err
	}
	var registered struct{ OrganizationID uuid.UUID }
	err = post(ctx, operator, "/v1/organizations", "demo-register", map[string]any{
		"name": "City of Riverton", "acronym": "CoR", "timeZone": "UTC", "fiscalYearStart": 1,
		"administrator":     map[string]string{"issuer": oidc.DevIssuer, "subject": "ada"},
		"complianceOfficer": map[string]string{"issuer": oidc.DevIssuer, "subject": "casey"},
	}, &registered)
	if err != nil {
		return d, err
	}
	d.organization = registered.OrganizationID

	people := map[string]*restclient.Client{}
	for _, m := range demoMembers {
		if people[m.subject], err = client(oidc.Claims{Organization: d.organization, Subject: m.subject}); err != nil {
			return d, err
		}
	}
	for _, m := range demoMembers[2:] {
		var enrolled struct{ MemberID string }
		err := post(ctx, people["ada"], "/v1/organization/commands/enrol-member", "demo-enrol-"+m.subject,
			map[string]string{"issuer": oidc.DevIssuer, "subject": m.subject, "kind": "person"}, &enrolled)
		if err != nil {
			return d, err
		}
		err = post(ctx, people["ada"], "/v1/organization/commands/grant-role", "demo-grant-"+m.subject,
			map[string]string{"memberId": enrolled.MemberID, "role": m.role, "ticketRef": "DEMO-1"}, nil)
		if err != nil {
			return d, err
		}
	}
	answer, err := people["sam"].Do(ctx, restclient.Request{
		Method: http.MethodPost, Path: "/v1/strategies/stratml", Key: "demo-import",
		ContentType: "application/xml", Body: demoPlan,
	})
	if err != nil {
		return d, err
	}
	var imported struct{ StrategyID string }
	if err := answer.Decode(&imported); err != nil {
		return d, err
	}
	d.strategy = imported.StrategyID
	if err := d.activate(ctx, people, answer.Position); err != nil {
		return d, err
	}
	card, err := d.scorecard(ctx, people["vera"], answer.Position)
	for _, line := range card {
		if line.Name == storyIndicator {
			d.indicator = line.ID
		}
	}
	return d, err
}

const storyIndicator = "Applications decided within 30 days"

type cardLine struct{ ID, Name string }

// scorecard lists the strategy's indicators.
func (d demo) scorecard(ctx context.Context, c *restclient.Client, position int64) ([]cardLine, error) {
	answer, err := c.Do(ctx, restclient.Request{
		Method: http.MethodGet, Path: "/v1/strategies/" + d.strategy + "/scorecard", MinPosition: position,
	})
	if err != nil {
		return nil, err
	}
	var card struct{ Items []cardLine }
	err = answer.Decode(&card)
	return card.Items, err
}

// activate takes the imported draft through submission and two approvals into force.
func (d demo) activate(ctx context.Context, people map[string]*restclient.Client, imported int64) error {
	path := "/v1/strategies/" + d.strategy
	read := func(position int64) (state, hash string, err error) {
		answer, err := people["vera"].Do(ctx, restclient.Request{
			Method: http.MethodGet, Path: path, MinPosition: position, Header: http.Header{"Prefer": {"wait=10"}},
		})
		if err != nil {
			return "", "", err
		}
		var strategy struct {
			State   string
			Working struct{ ContentHash string }
		}
		err = answer.Decode(&strategy)
		return strategy.State, strategy.Working.ContentHash, err
	}
	state, _, err := read(imported)
	if err != nil || state == "active" {
		return err
	}
	if err := d.setDirections(ctx, people, imported); err != nil {
		return err
	}
	var submitted struct {
		Position int64 `json:",string"`
	}
	if err := post(ctx, people["sam"], path+"/commands/submit", "demo-submit", map[string]string{"summary": "The plan as the council adopted it."}, &submitted); err != nil {
		return err
	}
	_, hash, err := read(submitted.Position)
	if err != nil {
		return err
	}
	for _, step := range []struct{ who, command, meaning string }{
		{"priya", "approve", "business"},
		{"casey", "approve", "compliance"},
		{"casey", "activate", "activation"},
	} {
		err := post(ctx, people[step.who], path+"/commands/"+step.command, "demo-"+step.command+"-"+step.who,
			map[string]string{"contentHash": hash, "meaning": step.meaning}, nil)
		if err != nil {
			return err
		}
	}
	return nil
}

// lowerIsBetter are the demo's indicators that should fall; the others should rise.
var lowerIsBetter = map[string]bool{"Greenhouse gas emissions of public buildings": true, "Pupils per class in primary schools": true}

// setDirections says of each indicator which way is good: StratML does not, and
// without it there is no health.
func (d demo) setDirections(ctx context.Context, people map[string]*restclient.Client, imported int64) error {
	card, err := d.scorecard(ctx, people["vera"], imported)
	if err != nil {
		return err
	}
	for _, line := range card {
		direction := "increase"
		if lowerIsBetter[line.Name] {
			direction = "decrease"
		}
		err := post(ctx, people["sam"], "/v1/indicators/"+line.ID+"/commands/redefine", "demo-direction-"+line.ID, map[string]any{
			"changes": []any{map[string]any{"field": "direction", "new": map[string]string{"text": direction}}},
			"reason":  "StratML does not say which way is good.",
		}, nil)
		if err != nil {
			return err
		}
	}
	return nil
}

// post sends one command and reads its answer into v, if v is not nil.
func post(ctx context.Context, c *restclient.Client, path, key string, body, v any) error {
	answer, err := c.Do(ctx, restclient.Request{Method: http.MethodPost, Path: path, Key: key, IfMatch: "*", Body: body})
	if err != nil || v == nil {
		return err
	}
	return answer.Decode(v)
}
