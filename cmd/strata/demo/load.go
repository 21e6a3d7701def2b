package demo

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/ports/rest/restclient"
)

// Story is the number of the indicator that the README tells its story with:
// what the United Kingdom gives in official development assistance.
const Story = "17.2.1"

// Name is what the demo's strategy is called.
const Name = "The 2030 Agenda for Sustainable Development"

// Result is where the demo organization is found.
type Result struct {
	Organization uuid.UUID
	Strategy     string
	Indicator    string            // of the Story
	Tokens       map[string]string // subject → token
}

// Options of a loading.
type Options struct {
	Base   string // of the API: "http://127.0.0.1:8080"
	Issuer *oidc.Issuer
	// Progress is told after each step how many of how many are done, one step at
	// a time. It is not called if everything was loaded before.
	Progress func(done, total int, what string)
}

// Load makes the demo organization, or finds it made. What an earlier loading
// did is not done again.
func Load(ctx context.Context, o Options) (Result, error) {
	l := &loading{o: o, result: Result{Tokens: map[string]string{}}, people: map[string]person{}, indicators: map[string]string{}}
	if err := l.load(ctx); err != nil {
		return Result{}, err
	}
	if err := l.settle(ctx); err != nil {
		return Result{}, err
	}
	return l.result, nil
}

// loading is one Load.
type loading struct {
	o          Options
	agenda     Agenda
	result     Result
	people     map[string]person
	indicators map[string]string // number → id
	total      int

	mu       sync.Mutex // of what is below: two of the steps run at once
	done     int
	position int64 // of the last command
}

func (l *loading) load(ctx context.Context) (err error) {
	if l.agenda, err = Embedded(); err != nil {
		return err
	}
	if err := l.register(ctx); err != nil {
		return err
	}
	if found, err := l.find(ctx); found || err != nil {
		return err
	}
	l.total = len(Members[2:]) + len(l.agenda.Goals) + len(l.agenda.Targets) + len(l.agenda.Indicators) + len(l.batches()) + len(approval)
	for _, step := range []func(context.Context) error{l.enrol, l.draft, l.measure, l.approve} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	l.result.Indicator = l.indicators[Story]
	return nil
}

// settle waits until the processes have done what follows from the loading: who
// looks at the demo finds the findings about targets that are missed.
func (l *loading) settle(ctx context.Context) error {
	var now struct {
		Position int64 `json:",string"`
		Groups   []struct {
			Name     string
			Leader   bool
			Position int64 `json:",string"`
		}
	}
	return l.people[Members[1].Subject].until(ctx, "/v1/system", &now, func() error {
		for _, g := range now.Groups {
			if g.Name == "processes" && g.Leader && g.Position < now.Position {
				return fmt.Errorf("the processes are at position %d of %d", g.Position, now.Position)
			}
		}
		return nil
	})
}

func (l *loading) step(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done++
	if l.o.Progress != nil {
		l.o.Progress(l.done, l.total, what)
	}
}

// token makes somebody known who has just signed in.
func (l *loading) token(c oidc.Claims) error {
	token, err := l.o.Issuer.Issue(c)
	if err != nil {
		return fmt.Errorf("token for %s: %w", c.Subject, err)
	}
	l.result.Tokens[c.Subject] = token
	l.people[c.Subject] = person{&restclient.Client{Base: l.o.Base, Token: token}}
	return nil
}

func (l *loading) post(ctx context.Context, who, key, path string, body, v any) error {
	position, err := l.people[who].post(ctx, key, path, body, v)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.position = max(l.position, position)
	return nil
}

func (l *loading) register(ctx context.Context) error {
	if err := l.token(oidc.Claims{Subject: "operator", Operator: true}); err != nil {
		return err
	}
	identity := func(subject string) map[string]string {
		return map[string]string{"issuer": oidc.DevIssuer, "subject": subject}
	}
	var registered struct{ OrganizationID uuid.UUID }
	if err := l.post(ctx, "operator", "register", "/v1/organizations", map[string]any{
		"name": "The United Kingdom and the 2030 Agenda (demonstration)", "acronym": "UK2030", "timeZone": "Europe/London", "fiscalYearStart": 4,
		"administrator": identity(Members[0].Subject), "complianceOfficer": identity(Members[1].Subject),
	}, &registered); err != nil {
		return err
	}
	l.result.Organization = registered.OrganizationID
	for _, m := range Members {
		if err := l.token(oidc.Claims{Organization: l.result.Organization, Subject: m.Subject}); err != nil {
			return err
		}
	}
	return nil
}

// find looks whether an earlier loading came to its end: then the strategy is in
// force, or has been.
func (l *loading) find(ctx context.Context) (found bool, err error) {
	var page struct {
		Items []struct{ ID, Name, State string }
	}
	casey := l.people[Members[1].Subject]
	if err := casey.get(ctx, "/v1/strategies?limit=200", l.position, &page); err != nil {
		return false, err
	}
	for _, s := range page.Items {
		if s.Name == Name && s.State != "preparing" {
			l.result.Strategy, found = s.ID, true
		}
	}
	if !found {
		return false, nil
	}
	var tree struct {
		Tree []struct {
			Objectives []struct {
				Indicators []struct{ ID, Identifier string }
			}
		}
	}
	if err := casey.get(ctx, "/v1/strategies/"+l.result.Strategy, 0, &tree); err != nil {
		return false, err
	}
	for _, g := range tree.Tree {
		for _, o := range g.Objectives {
			for _, i := range o.Indicators {
				if i.Identifier == Story {
					l.result.Indicator = i.ID
				}
			}
		}
	}
	return true, nil
}

func (l *loading) enrol(ctx context.Context) error {
	for _, m := range Members[2:] {
		var enrolled struct{ MemberID string }
		err := l.post(ctx, "ada", "enrol "+m.Subject, "/v1/organization/commands/enrol-member",
			map[string]string{"issuer": oidc.DevIssuer, "subject": m.Subject, "kind": "person"}, &enrolled)
		if err != nil {
			return err
		}
		err = l.post(ctx, "ada", "grant "+m.Subject, "/v1/organization/commands/grant-role",
			map[string]string{"memberId": enrolled.MemberID, "role": m.Role, "ticketRef": "DEMO-1"}, nil)
		if err != nil {
			return err
		}
		l.step("people")
	}
	return nil
}

// ifMatch says that a command takes whatever version there is; what is new has none.
func ifMatch(path string) string {
	if strings.Contains(path, "/commands/") {
		return "*"
	}
	return ""
}
