package history_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/history"
	"strata.dev/strata/tests/system"
)

// The same changes with the same people, under Strata's rules: each change is a
// revision that its author submits, whoever accepted it approves, and the
// compliance officer activates. One approval is the quorum, as it was there. The
// changes that somebody else accepted pass; those that their authors accepted are
// refused by S1, and those that nobody was asked about by S2.
func TestAcceptedChangesUnderFourEyes(t *testing.T) {
	for _, s := range []source{part, whole} {
		t.Run(s.name, func(t *testing.T) {
			changes := s.read(t)
			office := newOffice(t, changes, s.checked)
			began := time.Now()
			office.review(changes)
			took := time.Since(began)
			want := map[string]int{"in force": s.want.Accepted, "forbidden S1": s.want.SelfAccepted, "invariant-violated S2": s.want.Unasked}
			if !maps.Equal(office.outcome, want) {
				t.Errorf("%v, want %v", office.outcome, want)
			}
			office.register(s.want.Accepted)
			t.Logf("%d revisions of %d strategies by %d persons in %s", len(changes), len(office.strategies), len(office.people), took.Round(time.Millisecond))
		})
	}
}

// office is the statistics office: a strategy for each goal of the Agenda with
// an objective for each indicator, and the people.
type office struct {
	*world
	officer    *restclient.Client
	people     map[string]*restclient.Client
	strategies map[string]*reporting

	mu      sync.Mutex
	outcome map[string]int
}

// reporting is the strategy of one goal.
type reporting struct {
	id, goal   string
	objectives map[string]string // indicator → id
	position   int64
}

func newOffice(t *testing.T, changes []history.Change, checked bool) *office {
	t.Helper()
	o := &office{
		world: newWorld(t, checked), outcome: map[string]int{},
		people: map[string]*restclient.Client{}, strategies: map[string]*reporting{},
	}
	o.officer = o.as("casey")
	for _, c := range changes {
		for _, name := range []string{c.Author, c.AcceptedBy} {
			if name != "" && o.people[name] == nil {
				// Whoever works there writes today and checks tomorrow.
				o.enrol(name, "strategy_author", "compliance_officer")
			}
		}
	}
	o.oneApproval()
	for _, c := range changes {
		r := o.strategies[goalOf(c.Indicator)]
		if r == nil {
			r = &reporting{objectives: map[string]string{}}
			o.strategies[goalOf(c.Indicator)] = r
			var drafted struct{ StrategyID string }
			o.post("sam", "/v1/strategies", map[string]any{"frame": map[string]string{"name": "Reporting on goal " + goalOf(c.Indicator)}}, &drafted)
			r.id = drafted.StrategyID
			var added struct{ GoalID string }
			o.post("sam", r.command("add-goal"), map[string]string{"name": "Goal " + goalOf(c.Indicator)}, &added)
			r.goal = added.GoalID
		}
		if r.objectives[c.Indicator] == "" {
			var added struct{ ObjectiveID string }
			o.post("sam", r.command("add-objective"), map[string]string{"goalId": r.goal, "name": "Report on indicator " + c.Indicator}, &added)
			r.objectives[c.Indicator] = added.ObjectiveID
		}
	}
	for _, r := range o.strategies {
		o.post("sam", r.command("submit"), map[string]string{}, nil)
		r.position = o.head
		hash := o.submitted(r)
		o.post("casey", r.command("approve"), map[string]string{"contentHash": hash, "meaning": "compliance"}, nil)
		o.post("casey", r.command("activate"), map[string]string{"contentHash": hash, "meaning": "activation"}, nil)
	}
	return o
}

func (r *reporting) command(name string) string {
	return "/v1/strategies/" + r.id + "/commands/" + name
}

// enrol makes somebody a member with roles.
func (o *office) enrol(name string, roles ...string) {
	o.t.Helper()
	var enrolled struct{ MemberID string }
	o.post("ada", "/v1/organization/commands/enrol-member", map[string]string{"issuer": oidc.DevIssuer, "subject": name, "kind": "person"}, &enrolled)
	for _, role := range roles {
		o.post("ada", "/v1/organization/commands/grant-role", map[string]string{"memberId": enrolled.MemberID, "role": role}, nil)
	}
	o.people[name] = o.client(name)
}

// client is the API as somebody sees it who has just signed in.
func (o *office) client(name string) *restclient.Client {
	return &restclient.Client{Base: o.base, HTTP: o.system.HTTP, Token: o.system.Token(oidc.Claims{Organization: o.system.Organization.ID, Subject: name})}
}

// oneApproval makes one approval enough. That weakens the policy, so it takes two
// compliance officers (S8): one signs exactly this command, the other gives it.
func (o *office) oneApproval() {
	o.t.Helper()
	o.enrol("cleo", "compliance_officer")
	var now struct{ Rules map[string]any }
	system.MustGet(o.t, o.officer, "/v1/organization/governance-policy", o.head, &now)
	policy := now.Rules
	delete(policy, "version")
	policy["quorum"] = map[string]any{"n": 1, "complianceRequired": true}
	path := "/v1/organization/commands/set-governance-policy"
	body := map[string]any{"policy": policy, "reason": "One other person accepts a change, as everywhere in the office."}
	_, err := o.officer.Do(o.t.Context(), restclient.Request{Method: http.MethodPost, Path: path, Key: uuid.NewString(), IfMatch: "*", Body: body})
	if p := problem(o.t, err); p.Rule != "S8" {
		o.t.Fatalf("a weaker policy without a second person: %v", p)
	}
	answer, err := o.client("cleo").Do(o.t.Context(), restclient.Request{
		Method: http.MethodPost, Path: "/v1/countersignatures", Key: uuid.NewString(),
		Body: map[string]any{"method": http.MethodPost, "path": path, "body": body, "meaning": "I authorize this policy."},
	})
	if err != nil {
		o.t.Fatal(err)
	}
	var signed struct{ Token string }
	if err := answer.Decode(&signed); err != nil {
		o.t.Fatal(err)
	}
	if answer, err = o.officer.Do(o.t.Context(), restclient.Request{
		Method: http.MethodPost, Path: path, Key: uuid.NewString(), IfMatch: "*", Body: body,
		Header: http.Header{"Strata-Countersignature": {signed.Token}},
	}); err != nil {
		o.t.Fatal(err)
	}
	o.head = answer.Position
}

// reviewers is how many strategies are worked on at once.
const reviewers = 4

// review takes every change through its life, those of one goal in their order.
func (o *office) review(changes []history.Change) {
	o.t.Helper()
	var g errgroup.Group
	g.SetLimit(reviewers)
	for goal, r := range o.strategies {
		g.Go(func() error {
			for _, c := range changes {
				if goalOf(c.Indicator) != goal {
					continue
				}
				if err := o.reviewOne(r, c); err != nil {
					return fmt.Errorf("commit %s by %s, accepted by %q: %w", c.Commit, c.Author, c.AcceptedBy, err)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		o.t.Fatal(err)
	}
}

// reviewOne is one change: a revision that comes into force or is refused, and
// is withdrawn then.
func (o *office) reviewOne(r *reporting, c history.Change) error {
	author := o.people[c.Author]
	what := fmt.Sprintf("%s: %d rows added, %d changed, %d removed (commit %s)", c.Kind, len(c.Added), len(c.Changed), len(c.Removed), c.Commit)
	for _, step := range []struct {
		command string
		body    any
	}{
		{"open-revision", map[string]string{"reason": what}},
		{"amend-objective", map[string]any{
			"objectiveId": r.objectives[c.Indicator], "reason": what,
			"changes": []any{map[string]any{"field": "otherInformation", "new": map[string]string{"text": what}}},
		}},
		{"submit", map[string]string{"summary": what}},
	} {
		if err := o.give(author, r, step.command, step.body); err != nil {
			return err
		}
	}
	hash, err := o.submittedHash(r)
	if err != nil {
		return err
	}
	if c.AcceptedBy != "" {
		err = o.give(o.people[c.AcceptedBy], r, "approve", map[string]string{"contentHash": hash, "meaning": "compliance"})
	}
	if err == nil {
		err = o.give(o.officer, r, "activate", map[string]string{"contentHash": hash, "meaning": "activation"})
	}
	if err == nil {
		o.note("in force")
		return nil
	}
	refused, ok := refusal(err)
	if !ok {
		return err
	}
	o.note(refused)
	return o.give(author, r, "withdraw-revision", map[string]string{"reason": "Not accepted by another person."})
}

func (o *office) note(outcome string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.outcome[outcome]++
}

// give sends a command on the strategy of a goal.
func (o *office) give(who *restclient.Client, r *reporting, command string, body any) error {
	answer, err := who.Do(o.t.Context(), restclient.Request{Method: http.MethodPost, Path: r.command(command), Key: uuid.NewString(), IfMatch: "*", Body: body})
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	r.position = answer.Position
	return nil
}

// submittedHash is the hash of what was submitted, as whoever decides reads it.
func (o *office) submittedHash(r *reporting) (string, error) {
	answer, err := system.Get(o.t.Context(), o.officer, "/v1/strategies/"+r.id, r.position)
	if err != nil {
		return "", err
	}
	var got struct{ Working struct{ ContentHash string } }
	err = answer.Decode(&got)
	return got.Working.ContentHash, err
}

func (o *office) submitted(r *reporting) string {
	o.t.Helper()
	hash, err := o.submittedHash(r)
	if err != nil {
		o.t.Fatal(err)
	}
	return hash
}

// register looks the approvals up: as many as passed, none of them by somebody
// who had a part in the revision.
func (o *office) register(passed int) {
	o.t.Helper()
	byOthers, own := 0, []string{}
	position := int64(0)
	for _, r := range o.strategies {
		position = max(position, r.position)
	}
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				ApproverID string
				Authors    []string
			}
			NextCursor string
		}
		system.MustGet(o.t, o.as("arlo"), "/v1/approvals?limit=200"+cursor, position, &page)
		for _, a := range page.Items {
			if len(a.Authors) == 0 || slices.Contains(a.Authors, a.ApproverID) {
				own = append(own, fmt.Sprintf("%+v", a))
			}
			byOthers++
		}
		if page.NextCursor == "" {
			break
		}
		cursor = "&cursor=" + page.NextCursor
	}
	// The first revision of each strategy was approved, too.
	if want := passed + len(o.strategies); byOthers != want || len(own) > 0 {
		o.t.Errorf("the register holds %d approvals, want %d; not independent: %v", byOthers, want, own)
	}
}
