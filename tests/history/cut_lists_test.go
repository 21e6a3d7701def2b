package history_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// strategyList asks for all strategies.
func (f *fold) strategyList(at int64) question {
	want := slices.Clone(f.drafted)
	slices.Reverse(want)
	for i, id := range want {
		want[i] = fmt.Sprintf("%s %s %d", id, f.strategies[id].Phase, f.versions["strategy-"+id])
	}
	return question{"/v1/strategies?limit=200", at, func(body []byte) error {
		var got struct {
			Items []struct{ ID, State, Version string }
		}
		if body != nil {
			if err := json.Unmarshal(body, &got); err != nil {
				return err
			}
		}
		have := []string{}
		for _, s := range got.Items {
			have = append(have, s.ID+" "+s.State+" "+s.Version)
		}
		if !slices.Equal(have, want) {
			return fmt.Errorf("the log says %v", want)
		}
		return nil
	}}
}

// memberList asks for all members and the roles that they hold.
func (f *fold) memberList(at int64) question {
	var want []string
	for _, id := range f.members {
		m, _ := f.organization.Member(id)
		var roles []string
		for _, g := range f.organization.GrantsOf(id) {
			roles = append(roles, g.Role)
		}
		slices.Sort(roles)
		want = append(want, fmt.Sprintf("%s %s %v %v", id, m.SubjectID, m.Offboarded, roles))
	}
	return question{"/v1/organization/members?limit=200", at, func(body []byte) error {
		var got struct {
			Items []struct {
				ID, SubjectID string
				Offboarded    bool
				Roles         []struct{ Role string }
			}
		}
		if body != nil {
			if err := json.Unmarshal(body, &got); err != nil {
				return err
			}
		}
		var have []string
		for _, m := range got.Items {
			var roles []string
			for _, r := range m.Roles {
				roles = append(roles, r.Role)
			}
			slices.Sort(roles)
			have = append(have, fmt.Sprintf("%s %s %v %v", m.ID, m.SubjectID, m.Offboarded, roles))
		}
		slices.SortStableFunc(have, func(a, b string) int { return cmp.Compare(slices.Index(want, a), slices.Index(want, b)) })
		if !slices.Equal(have, want) {
			return fmt.Errorf("the log says %v", want)
		}
		return nil
	}}
}
