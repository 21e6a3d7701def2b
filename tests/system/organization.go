package system

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/ports/rest/restclient"
)

// Organization is who there is in a System.
type Organization struct {
	ID     uuid.UUID
	Tokens map[string]string // subject → token, valid for an hour
}

// Members are the subjects and their roles. The first two come with the registration.
var Members = []struct{ Subject, Role string }{
	{"ada", "administrator"},
	{"casey", "compliance_officer"},
	{"sam", "strategy_author"},
	{"priya", "strategy_approver"},
	{"ines", "indicator_owner"},
	{"arlo", "auditor"},
	{"vera", "viewer"},
}

// register makes the organization through the API.
func (s *System) register(base string) {
	s.t.Helper()
	operator := &restclient.Client{Base: base, HTTP: s.HTTP, Token: s.Token(oidc.Claims{Subject: "operator", Operator: true})}
	var registered struct{ OrganizationID uuid.UUID }
	MustPost(s.t, operator, "/v1/organizations", map[string]any{
		"name":              "Exampleland",
		"administrator":     map[string]string{"issuer": oidc.DevIssuer, "subject": "ada"},
		"complianceOfficer": map[string]string{"issuer": oidc.DevIssuer, "subject": "casey"},
	}, &registered)
	s.Organization = Organization{ID: registered.OrganizationID, Tokens: map[string]string{}}
	for _, m := range Members {
		s.Organization.Tokens[m.Subject] = s.Token(oidc.Claims{Organization: s.Organization.ID, Subject: m.Subject})
	}
	for _, m := range Members[2:] {
		var enrolled struct{ MemberID string }
		ada := s.Client(base, "ada")
		MustPost(s.t, ada, "/v1/organization/commands/enrol-member",
			map[string]string{"issuer": oidc.DevIssuer, "subject": m.Subject, "kind": "person"}, &enrolled)
		MustPost(s.t, ada, "/v1/organization/commands/grant-role", map[string]string{"memberId": enrolled.MemberID, "role": m.Role}, nil)
	}
}

// Token issues a token. Its subject has just signed in, unless the claims say otherwise.
func (s *System) Token(c oidc.Claims) string {
	s.t.Helper()
	token, err := s.issuer.Issue(c)
	if err != nil {
		s.t.Fatalf("system: token of %s: %v", c.Subject, err)
	}
	return token
}

// Client asks the service at base as one of the Members.
func (s *System) Client(base, subject string) *restclient.Client {
	return &restclient.Client{Base: base, HTTP: s.HTTP, Token: s.Organization.Tokens[subject]}
}

// MustPost sends one command under a new key and reads its answer into v, if v
// is not nil. It gives the position of the last event.
func MustPost(t testing.TB, c *restclient.Client, path string, body, v any) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, err := c.Do(ctx, restclient.Request{Method: http.MethodPost, Path: path, Key: uuid.NewString(), IfMatch: "*", Body: body})
	if err != nil {
		t.Fatalf("system: %v", err)
	}
	if v != nil {
		if err := answer.Decode(v); err != nil {
			t.Fatalf("system: %s: %v", path, err)
		}
	}
	return answer.Position
}

// MustGet asks for what contains position, and reads the answer into v.
func MustGet(t testing.TB, c *restclient.Client, path string, position int64, v any) restclient.Answer {
	t.Helper()
	answer, err := Get(t.Context(), c, path, position)
	if err != nil {
		t.Fatalf("system: %v", err)
	}
	if err := answer.Decode(v); err != nil {
		t.Fatalf("system: %s: %v", path, err)
	}
	return answer
}

// Get asks for what contains position, waiting for it up to 10 seconds. An
// answer that is older is an error.
func Get(ctx context.Context, c *restclient.Client, path string, position int64) (restclient.Answer, error) {
	answer, err := c.Do(ctx, restclient.Request{Method: http.MethodGet, Path: path, MinPosition: position, Header: http.Header{"Prefer": {"wait=10"}}})
	if err == nil && answer.Position < position {
		err = fmt.Errorf("GET %s: asked for position %d, the answer is of %d", path, position, answer.Position)
	}
	return answer, err
}
