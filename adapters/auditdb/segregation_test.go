package auditdb

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/strategy"
)

// roleHistory is an organization whose members were given and lost roles at
// random, without anybody who minds rules.
type roleHistory struct {
	id         uuid.UUID
	grants     []givenRole
	offboarded map[string]bool // members
}

type givenRole struct {
	organization.RoleGranted
	subject string
	from    time.Time
	revoked time.Time // zero = not
}

// until is when the role was lost, as of at; zero if it is held.
func (g givenRole) until(at time.Time) time.Time {
	end := g.revoked
	if g.ExpiresAt != nil && !g.ExpiresAt.After(at) && (end.IsZero() || g.ExpiresAt.Before(end)) {
		end = *g.ExpiresAt
	}
	return end
}

func (f *fixture) roleHistory(t *testing.T, seed uint64) *roleHistory {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 9))
	h := &roleHistory{id: uuid.New(), offboarded: map[string]bool{}}
	stream := "organization-" + h.id.String()
	admin := fact.Actor{ID: "admin", Kind: fact.Person}
	strategies := []string{"s1", "s2", "s3"}
	subjects := []string{"p0", "p1", "p2", "p3"}
	members := map[string]string{}
	var ids []string
	for i := range 8 {
		id := fmt.Sprintf("m%d", i)
		ids = append(ids, id)
		members[id] = subjects[i%len(subjects)]
		f.log.Record(h.id, stream, admin, organization.MemberEnrolled{MemberID: id, SubjectID: members[id], Issuer: "i", ExternalIDHash: "h", Kind: organization.Person})
	}
	for i := range 70 {
		member := ids[r.IntN(len(ids))]
		switch r.IntN(5) {
		case 0, 1, 2:
			g := organization.RoleGranted{GrantID: fmt.Sprintf("g%d", i), MemberID: member, Role: authz.Grantable()[r.IntN(10)], Scope: organization.Scope{All: true}}
			if authz.Limitable(g.Role) && r.IntN(2) == 0 {
				g.Scope = organization.Scope{StrategyIDs: []string{strategies[r.IntN(3)]}}
			}
			at := f.log.Now()
			if r.IntN(3) == 0 {
				expires := at.Add(time.Duration(1+r.IntN(60)) * time.Second)
				g.ExpiresAt = &expires
			}
			f.log.Record(h.id, stream, admin, g)
			h.grants = append(h.grants, givenRole{RoleGranted: g, subject: members[member], from: at})
		case 3:
			at := f.log.Now()
			e := organization.RoleRevoked{MemberID: member, Reason: "r", Offboarding: r.IntN(6) == 0, GrantIDs: []string{}}
			for n := range h.grants {
				if g := &h.grants[n]; g.MemberID == member && g.revoked.IsZero() && (e.Offboarding || r.IntN(2) == 0) {
					e.GrantIDs = append(e.GrantIDs, g.GrantID)
					g.revoked = at
				}
			}
			h.offboarded[member] = h.offboarded[member] || e.Offboarding
			f.log.Record(h.id, stream, admin, e)
		default:
			by := fact.Actor{ID: member, Kind: fact.Person}
			events := []any{strategy.GoalAdded{GoalID: "g", Name: "n"}, strategy.ApprovalGiven{}, strategy.Submitted{}, strategy.Activated{}}
			f.log.Record(h.id, "strategy-"+strategies[r.IntN(3)], by, events[r.IntN(len(events))])
		}
	}
	f.reread(t)
	return h
}

// conflicts finds conflicting roles by looking at every pair at every instant.
func (h *roleHistory) conflicts(at time.Time, instants []time.Time) map[string]string {
	found := map[string]string{}
	for i, a := range h.grants {
		for _, b := range h.grants[i+1:] {
			degree := authz.Between(a.Role, b.Role)
			shared := a.Scope.All || b.Scope.All || slices.Equal(a.Scope.StrategyIDs, b.Scope.StrategyIDs)
			if a.subject != b.subject || degree == authz.None || degree == authz.SameStrategy && !shared {
				continue
			}
			key := fmt.Sprint(a.subject, min(a.Role, b.Role), max(a.Role, b.Role))
			together := slices.ContainsFunc(instants, func(i time.Time) bool { return a.holds(i, at) && b.holds(i, at) })
			found[key] = fmt.Sprint(found[key] == "true" || together)
		}
	}
	return found
}

func (g givenRole) holds(i, at time.Time) bool {
	end := g.until(at)
	return !i.Before(g.from) && (end.IsZero() || i.Before(end))
}

func TestRoleConflictsAreThoseOfTheLog(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 0, Options{})
	var histories []*roleHistory
	for seed := range uint64(3) {
		histories = append(histories, f.roleHistory(t, seed))
	}
	f.apply(t)
	at := f.log.Now().Add(time.Second)
	var instants []time.Time
	for _, e := range f.events {
		instants = append(instants, e.RecordedAt)
	}
	kinds := map[string]int{}
	for _, h := range histories {
		got, err := f.reader.Segregation(t.Context(), query.Read{OrganizationID: h.id}, query.SegregationFilter{At: at})
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, c := range got.Conflicts {
			found[fmt.Sprint(c.SubjectID, c.Roles[0], c.Roles[1])] = fmt.Sprint(c.Together)
			kinds[c.Conflict]++
			kinds[fmt.Sprint(c.Together)]++
			for _, held := range c.Held {
				i := slices.IndexFunc(h.grants, func(g givenRole) bool { return g.GrantID == held.GrantID })
				g := h.grants[i]
				var to time.Time
				if held.To != nil {
					to = *held.To
				}
				if held.MemberID != g.MemberID || held.Role != g.Role || !held.From.Equal(g.from) || !to.Equal(g.until(at)) || g.subject != c.SubjectID {
					t.Errorf("%+v, want %+v until %s", held, g, g.until(at))
				}
			}
		}
		if diff := gocmp.Diff(h.conflicts(at, instants), found); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	for _, kind := range []string{"always", "same-strategy", "true", "false"} {
		if kinds[kind] == 0 {
			t.Errorf("no conflict is %s: it is not tested", kind)
		}
	}
}

func TestDormantGrantsAreThoseOfTheLog(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 0, Options{})
	h := f.roleHistory(t, 4)
	last := f.log.Now()
	f.log.Record(h.id, "strategy-s1", fact.Actor{ID: "m1", Kind: fact.Person}, strategy.GoalAdded{GoalID: "late", Name: "n"})
	f.reread(t)
	f.apply(t)
	used, never := 0, 0
	for _, at := range []time.Time{last.AddDate(0, 0, 30), last.AddDate(0, 0, 30).Add(-40 * time.Second), last.AddDate(0, 0, 29)} {
		got, err := f.reader.Segregation(t.Context(), query.Read{OrganizationID: h.id}, query.SegregationFilter{At: at, DormantDays: 30})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for _, g := range h.grants {
			since, touched := g.from, false
			commands := false
			for _, typ := range eventcodec.Types() {
				commands = commands || slices.ContainsFunc(commandsOf[typ], func(c string) bool { return authz.Allowed(g.Role, c) })
			}
			for _, e := range f.events {
				allowed := slices.ContainsFunc(commandsOf[e.Type], func(c string) bool { return authz.Allowed(g.Role, c) })
				inScope := g.Scope.All || slices.Contains(g.Scope.StrategyIDs, e.StreamID[len("strategy-"):])
				if e.OrganizationID == h.id && actorOf(t, e) == g.MemberID && allowed && inScope && !e.RecordedAt.After(at) {
					since, touched = e.RecordedAt, true
				}
			}
			if !g.until(at).IsZero() || h.offboarded[g.MemberID] || !commands || since.After(at.AddDate(0, 0, -30)) || g.from.After(at.AddDate(0, 0, -30)) {
				continue
			}
			want[g.GrantID] = "never"
			never++
			if touched {
				want[g.GrantID] = since.String()
				used, never = used+1, never-1
			}
		}
		found := map[string]string{}
		for _, d := range got.Dormant {
			found[d.GrantID] = "never"
			if d.LastUsedAt != nil {
				found[d.GrantID] = d.LastUsedAt.String()
			}
			if d.Days < 30 || d.Days > 31 {
				t.Errorf("%+v", d)
			}
		}
		if diff := gocmp.Diff(want, found); diff != "" {
			t.Errorf("at %s (-want +got):\n%s", at, diff)
		}
		if !slices.IsSortedFunc(got.Dormant, func(a, b query.DormantGrant) int { return cmp.Compare(b.Days, a.Days) }) {
			t.Error("not by days")
		}
	}
	if used == 0 || never == 0 {
		t.Errorf("%d grants were used once and %d never: it is not tested", used, never)
	}
}

// Every event that there is says by which commands it is made, or that by none.
func TestEveryTypeHasItsCommands(t *testing.T) {
	known := authz.Commands()
	for _, typ := range eventcodec.Types() {
		commands, ok := commandsOf[typ]
		if !ok {
			t.Errorf("%s: no word on the commands that make it", typ)
		}
		for _, c := range commands {
			if !slices.Contains(known, c) {
				t.Errorf("%s: %s is no command", typ, c)
			}
		}
	}
	of := map[string]bool{}
	for _, commands := range commandsOf {
		for _, c := range commands {
			of[c] = true
		}
	}
	for _, c := range known {
		if !of[c] {
			t.Errorf("%s: no event is said to come of it", c)
		}
	}
}
