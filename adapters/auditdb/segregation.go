package auditdb

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/journal"
	"strata.dev/strata/domain/organization"
)

// maxDormantDays bounds the question; nobody has waited for longer.
const maxDormantDays = 36_500

// Segregation implements query.Audit.
func (r *Reader) Segregation(ctx context.Context, ask query.Read, f query.SegregationFilter) (query.Segregation, error) {
	if f.DormantDays < 0 || f.DormantDays > maxDormantDays {
		return query.Segregation{}, query.ErrInvalid.Detailf("Give a number of days.").At("#/dormantDays", "maximum", "must be from 1 to 36500")
	}
	if f.DormantDays == 0 {
		f.DormantDays = query.DefaultDormantDays
	}
	var out query.Segregation
	err := r.asOf(ctx, ask, func(ctx context.Context, tx pgx.Tx, position, known int64) error {
		if f.At.IsZero() {
			cut, _, err := cutOf(ctx, tx, ask.AsOf, position, known)
			if err != nil {
				return err
			}
			if f.At = cut.At; ask.AsOf.IsNow() {
				f.At = time.Now()
			}
		}
		f.At = f.At.UTC().Truncate(time.Microsecond)
		out = query.Segregation{At: f.At, Position: position}
		upTo, err := positionAt(ctx, tx, f.At, position)
		if err != nil {
			return err
		}
		g, err := grantsOf(ctx, tx, "organization-"+ask.OrganizationID.String(), upTo, f.At)
		if err != nil {
			return err
		}
		out.Conflicts, out.Omitted.Conflicts = reported(g.conflicts())
		dormant, err := g.dormant(ctx, tx, upTo, f)
		if err != nil {
			return err
		}
		out.Dormant, out.Omitted.Dormant = reported(dormant)
		misses, err := nearMisses(ctx, tx, f, position)
		if err != nil {
			return err
		}
		own := slices.DeleteFunc(slices.Clone(misses), func(m query.NearMiss) bool { return !journal.OwnWork(m.Rule) })
		out.NearMisses, out.Omitted.NearMisses = reported(misses)
		out.SelfApprovals, out.Omitted.SelfApprovals = reported(own)
		return nil
	})
	return out, err
}

// reported cuts a list to what a report holds.
func reported[T any](list []T) (_ []T, omitted int) {
	if list == nil {
		list = []T{}
	}
	n := min(len(list), query.MaxReported)
	return list[:n], len(list) - n
}

// nearMisses adds up what rules of segregation refused, by rule, actor and command.
func nearMisses(ctx context.Context, tx pgx.Tx, f query.SegregationFilter, position int64) ([]query.NearMiss, error) {
	type key struct{ rule, kind, id, command string }
	sums := map[key]*query.NearMiss{}
	l := list{upTo: position, column: "rule", values: journal.SegregationRules()}
	if err := l.between(ctx, tx, f.From, f.To); err != nil {
		return nil, err
	}
	err := l.all(ctx, tx, func(r *row) error {
		body, err := eventcodec.Decode(r.event.Type, r.event.SchemaVersion, r.event.Data)
		if err != nil {
			return unreadable(r, err)
		}
		d, ok := body.(journal.CommandDenied)
		if !ok {
			return nil
		}
		k := key{d.Rule, d.ActorKind, d.ActorID, d.Command}
		m := sums[k]
		if m == nil {
			m = &query.NearMiss{Rule: d.Rule, ActorKind: d.ActorKind, ActorID: d.ActorID, Command: d.Command, Targets: []string{}, FirstAt: d.FirstAt.UTC(), LastAt: d.LastAt.UTC()}
			sums[k] = m
		}
		m.Count += d.Count
		if d.FirstAt.Before(m.FirstAt) {
			m.FirstAt = d.FirstAt.UTC()
		}
		if d.LastAt.After(m.LastAt) {
			m.LastAt = d.LastAt.UTC()
		}
		if d.Target != "" && len(m.Targets) < query.MaxTargets && !slices.Contains(m.Targets, d.Target) {
			m.Targets = append(m.Targets, d.Target)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	list := make([]query.NearMiss, 0, len(sums))
	for _, m := range sums {
		list = append(list, *m)
	}
	slices.SortFunc(list, func(a, b query.NearMiss) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.ActorID, b.ActorID),
			cmp.Compare(a.ActorKind, b.ActorKind), cmp.Compare(a.Command, b.Command))
	})
	return list, nil
}

// grants are the spans in which roles were held.
type grants struct {
	subject map[string]string // of each member
	held    []*held           // in the order given
	over    map[string]bool   // members that are offboarded
}

type held struct {
	query.RoleHeld
	expiresAt *time.Time
}

// grantsOf folds an organization's stream up to a position into what was held
// at an instant and before.
func grantsOf(ctx context.Context, tx pgx.Tx, stream string, upTo int64, at time.Time) (*grants, error) {
	g := &grants{subject: map[string]string{}, over: map[string]bool{}}
	byID := map[string]*held{}
	end := func(id string, when time.Time) {
		if h := byID[id]; h != nil && h.To == nil {
			if h.expiresAt != nil && h.expiresAt.Before(when) {
				when = *h.expiresAt
			}
			h.To = &when
		}
	}
	l := list{upTo: upTo, column: "stream_id", values: []string{stream}}
	err := l.all(ctx, tx, func(r *row) error {
		body, err := eventcodec.Decode(r.event.Type, r.event.SchemaVersion, r.event.Data)
		if err != nil {
			return unreadable(r, err)
		}
		switch e := body.(type) {
		case organization.MemberEnrolled:
			g.subject[e.MemberID] = e.SubjectID
		case organization.RoleGranted:
			h := &held{RoleHeld: query.RoleHeld{MemberID: e.MemberID, GrantID: e.GrantID, Role: e.Role, From: r.event.RecordedAt}, expiresAt: e.ExpiresAt}
			if !e.Scope.All {
				h.StrategyIDs = e.Scope.StrategyIDs
			}
			byID[e.GrantID] = h
			g.held = append(g.held, h)
		case organization.RoleRevoked:
			for _, id := range e.GrantIDs {
				end(id, r.event.RecordedAt)
			}
			if e.Offboarding {
				g.over[e.MemberID] = true
			}
		}
		return nil
	})
	for _, h := range g.held {
		if h.To == nil && h.expiresAt != nil && !h.expiresAt.After(at) {
			to := h.expiresAt.UTC()
			h.To = &to
		}
	}
	return g, err
}
