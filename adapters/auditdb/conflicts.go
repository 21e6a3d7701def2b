package auditdb

import (
	"cmp"
	"slices"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/authz"
)

// conflicts finds the persons to whom conflicting roles were ever given, at the
// same time or one after the other.
func (g *grants) conflicts() []query.RoleConflict {
	bySubject := map[string][]*held{}
	for _, h := range g.held {
		subject := g.subject[h.MemberID]
		bySubject[subject] = append(bySubject[subject], h)
	}
	var list []query.RoleConflict
	for subject, spans := range bySubject {
		list = append(list, conflictsOf(subject, spans)...)
	}
	slices.SortFunc(list, func(a, b query.RoleConflict) int {
		return cmp.Or(a.Held[0].From.Compare(b.Held[0].From), cmp.Compare(a.SubjectID, b.SubjectID), slices.Compare(a.Roles[:], b.Roles[:]))
	})
	return list
}

func conflictsOf(subject string, spans []*held) []query.RoleConflict {
	found := map[[2]string]*query.RoleConflict{}
	grants := map[[2]string]map[string]*held{}
	var order [][2]string
	for i, a := range spans {
		for _, b := range spans[i+1:] {
			degree := authz.Between(a.Role, b.Role)
			if degree == authz.None || degree == authz.SameStrategy && !meet(a.StrategyIDs, b.StrategyIDs) {
				continue
			}
			roles := [2]string{min(a.Role, b.Role), max(a.Role, b.Role)}
			c := found[roles]
			if c == nil {
				c = &query.RoleConflict{SubjectID: subject, Roles: roles, Conflict: degreeName(degree)}
				found[roles], grants[roles] = c, map[string]*held{}
				order = append(order, roles)
			}
			grants[roles][a.GrantID], grants[roles][b.GrantID] = a, b
			c.Together = c.Together || overlap(a, b)
		}
	}
	var list []query.RoleConflict
	for _, roles := range order {
		c := found[roles]
		for _, h := range spans { // in their order
			if grants[roles][h.GrantID] != nil {
				c.Held = append(c.Held, h.RoleHeld)
			}
		}
		list = append(list, *c)
	}
	return list
}

func degreeName(c authz.Conflict) string {
	if c == authz.Always {
		return "always"
	}
	return "same-strategy"
}

// meet says whether two scopes have a strategy in common; an empty one has all.
func meet(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(id string) bool { return slices.Contains(b, id) })
}

// overlap says whether two spans have a moment in common.
func overlap(a, b *held) bool {
	return (a.To == nil || a.To.After(b.From)) && (b.To == nil || b.To.After(a.From))
}
