package postgres

import "slices"

// quiets keeps commands out of a group that rule each other out.
type quiets struct {
	all  []*request // of the group
	some bool       // one of them asks for quiet
}

func (q *quiets) add(r *request) {
	q.all = append(q.all, r)
	q.some = q.some || r.cmd.Quiet != nil
}

// clash says whether r would disturb one that is in, or one that is in r.
func (q *quiets) clash(r *request) bool {
	if !q.some && r.cmd.Quiet == nil {
		return false
	}
	return slices.ContainsFunc(q.all, func(in *request) bool {
		return r.cmd.OrganizationID == in.cmd.OrganizationID && (r.disturbs(in) || in.disturbs(r))
	})
}

// disturbs says whether r records what other rules out.
func (r *request) disturbs(other *request) bool {
	if other.cmd.Quiet == nil {
		return false
	}
	for _, e := range r.cmd.Events {
		if slices.Contains(other.cmd.Quiet.Types, e.Type) {
			return true
		}
	}
	return false
}
