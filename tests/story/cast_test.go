package story

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }

// cast is everybody in the story, and the service they talk to.
type cast struct {
	*testing.T
	system  *system.System
	service *system.Service
	members map[string]string // member id by name
	head    int64             // the latest position that anybody was told
}

func newCast(t *testing.T, s *system.System, service *system.Service) *cast {
	c := &cast{T: t, system: s, service: service, members: map[string]string{}, head: s.Head(t)}
	var page struct {
		Items []struct {
			ID    string
			Roles []struct{ Role string }
		}
	}
	c.get("ada", "/v1/organization/members", &page)
	for _, m := range system.Members {
		for _, member := range page.Items {
			if len(member.Roles) == 1 && member.Roles[0].Role == m.Role {
				c.members[m.Subject] = member.ID
			}
		}
	}
	c.enrol("cora", "compliance_officer")
	c.enrol("olga", "indicator_owner", "compliance_officer")
	c.enrol("stan", "data_steward")
	return c
}

// enrol lets somebody in, with roles.
func (c *cast) enrol(name string, roles ...string) {
	c.Helper()
	c.system.Organization.Tokens[name] = c.system.Token(oidc.Claims{Organization: c.system.Organization.ID, Subject: name})
	enrolled := c.post("ada", "/v1/organization/commands/enrol-member", map[string]any{"issuer": oidc.DevIssuer, "subject": name, "kind": "person"})
	c.members[name] = enrolled["memberId"].(string)
	for _, role := range roles {
		c.post("ada", "/v1/organization/commands/grant-role", map[string]any{"memberId": c.members[name], "role": role})
	}
}

func (c *cast) client(name string) *restclient.Client { return c.system.Client(c.service.Base, name) }

// post gives a command and reads its answer.
func (c *cast) post(by, path string, body any) map[string]any {
	c.Helper()
	return c.send(by, restclient.Request{Path: path, Body: body})
}

func (c *cast) send(by string, r restclient.Request) map[string]any {
	c.Helper()
	r.Method, r.Key, r.IfMatch = http.MethodPost, uuid.NewString(), "*"
	answer, err := c.client(by).Do(c.Context(), r)
	if err != nil {
		c.Fatalf("%s, POST %s: %v", by, r.Path, err)
	}
	var m map[string]any
	if err := answer.Decode(&m); err != nil {
		c.Fatalf("%s: %v", r.Path, err)
	}
	c.head = max(c.head, answer.Position)
	return m
}

// together is a command of two: one countersigns what the other sends.
func (c *cast) together(by, second, path string, body any) map[string]any {
	c.Helper()
	signed := c.send(second, restclient.Request{
		Path: "/v1/countersignatures", Body: map[string]any{"method": "POST", "path": path, "meaning": "agreed", "body": body},
	})
	return c.send(by, restclient.Request{Path: path, Body: body, Header: http.Header{"Strata-Countersignature": {signed["token"].(string)}}})
}

// refused makes sure that a command is refused by a rule.
func (c *cast) refused(rule, by, path string, body any) {
	c.Helper()
	_, err := c.client(by).Do(c.Context(), restclient.Request{Method: http.MethodPost, Path: path, Key: uuid.NewString(), IfMatch: "*", Body: body})
	p, ok := errors.AsType[*restclient.Problem](err)
	if !ok || p.Rule != rule {
		c.Fatalf("%s, POST %s: %v, want to be refused by %s", by, path, err, rule)
	}
}

// get reads something as of the latest position that anybody was told.
func (c *cast) get(by, path string, v any) {
	c.Helper()
	system.MustGet(c, c.client(by), path, c.head, v)
}

// awaits asks until the answer is as it should be: for what the service does by itself.
func awaits[V any](c *cast, by, path, what string, is func(V) error) V {
	c.Helper()
	var got V
	testenv.Eventually(c, patience, what, func() error {
		var v V
		answer, err := system.Get(c.Context(), c.client(by), path, c.head)
		if err != nil {
			return err
		}
		if err := answer.Decode(&v); err != nil {
			return err
		}
		got = v
		return is(v)
	})
	return got
}

// plan is what is asked of a strategy here.
type plan struct {
	State    string
	Blockers []struct{ Kind, Ref string }
	Working  *struct{ ContentHash string }
	Tree     []struct {
		ID         string
		Objectives []struct{ ID string }
	}
}

// strategyIs waits until the strategy is in a state.
func (c *cast) strategyIs(id, state string) plan {
	c.Helper()
	return awaits(c, "vera", "/v1/strategies/"+id, "the strategy is "+state, func(p plan) error {
		if p.State != state {
			return fmt.Errorf("it is %s", p.State)
		}
		return nil
	})
}

// board is what the findings board shows of a strategy.
type board struct {
	Items []deviation
}

type deviation struct {
	ID, Severity, State, Origin, OwnerID, RaisedBy, Resolution string
	Subjects                                                   []struct{ Type, ID string }
	Version                                                    int64 `json:",string"`
}

// boardShows waits until the board has exactly one finding about the strategy,
// in a state.
func (c *cast) boardShows(strategyID, state string) deviation {
	c.Helper()
	b := awaits(c, "arlo", "/v1/findings?strategyId="+strategyID, "a finding that is "+state, func(b board) error {
		if len(b.Items) != 1 || b.Items[0].State != state {
			return fmt.Errorf("the board has %+v", b.Items)
		}
		return nil
	})
	return b.Items[0]
}
