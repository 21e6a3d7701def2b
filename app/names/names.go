// Package names opens what answers hold sealed, at the moment they are made.
//
// Read databases, and everything made of them, hold sealed texts: nobody finds a
// name in a snapshot, in a copy of the past or in a backup of them. [Plans]
// stands in front of query.Plans and opens the texts of one answer, for those
// who may read names (query.Read.Names). Others see that there is a name
// (sealed), and everybody that there was one (erased). So destroying a key takes
// a name out of all answers, also of those as of a time before.
//
// # When it fails
//
// While the key store cannot be reached, or a text cannot be opened with the key
// that is there, the answer is given without the name, as sealed: a plan can be
// read without knowing who is in it.
package names

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"strata.dev/strata/app/personal"
	"strata.dev/strata/app/query"
)

// Plans is a query.Plans that shows names to those who may read them. Safe for
// concurrent use.
type Plans struct {
	query.Plans
	persons *personal.Sealer
}

// In gives plans with the names in its answers opened. persons may be nil: then
// there is no key store, and what is sealed stays so.
func In(plans query.Plans, persons *personal.Sealer) Plans { return Plans{plans, persons} }

// Strategies implements query.Plans.
func (p Plans) Strategies(ctx context.Context, r query.Read, f query.StrategyFilter) (query.Page[query.StrategySummary], error) {
	page, err := p.Plans.Strategies(ctx, r, f)
	o := p.opener(ctx, r)
	for i := range page.Items {
		o.revisions(&page.Items[i])
	}
	return page, err
}

// Strategy implements query.Plans.
func (p Plans) Strategy(ctx context.Context, r query.Read, a query.StrategyAsk) (query.Strategy, error) {
	s, err := p.Plans.Strategy(ctx, r, a)
	if err != nil {
		return s, err
	}
	o := p.opener(ctx, r)
	o.revisions(&s.StrategySummary)
	for i := range s.Frame.Organizations {
		o.stakeholders(s.Frame.Organizations[i].Stakeholders)
	}
	for i := range s.Tree {
		o.stakeholders(s.Tree[i].Stakeholders)
		for j := range s.Tree[i].Objectives {
			o.stakeholders(s.Tree[i].Objectives[j].Stakeholders)
		}
	}
	return s, nil
}

// Approvals implements query.Plans.
func (p Plans) Approvals(ctx context.Context, r query.Read, f query.ApprovalFilter) (query.Page[query.ApprovalRecord], error) {
	page, err := p.Plans.Approvals(ctx, r, f)
	o := p.opener(ctx, r)
	for i := range page.Items {
		o.text(&page.Items[i].PrintedName, &page.Items[i].Withheld)
	}
	return page, err
}

// Import implements query.Plans.
func (p Plans) Import(ctx context.Context, r query.Read, id uuid.UUID) (query.ImportDetail, error) {
	d, err := p.Plans.Import(ctx, r, id)
	o := p.opener(ctx, r)
	o.text(&d.FileName, &d.Withheld)
	o.said(&d.Submitter, &d.Withheld)
	return d, err
}

// Finding implements query.Plans.
func (p Plans) Finding(ctx context.Context, r query.Read, id uuid.UUID) (query.FindingDetail, error) {
	d, err := p.Plans.Finding(ctx, r, id)
	o := p.opener(ctx, r)
	d.Acceptances, d.Closures = slices.Clone(d.Acceptances), slices.Clone(d.Closures)
	for i := range d.Acceptances {
		o.text(&d.Acceptances[i].PrintedName, &d.Acceptances[i].Withheld)
	}
	for i := range d.Closures {
		o.text(&d.Closures[i].PrintedName, &d.Closures[i].Withheld)
	}
	return d, err
}

// EvidenceList implements query.Plans.
func (p Plans) EvidenceList(ctx context.Context, r query.Read, f query.EvidenceFilter) (query.Page[query.EvidenceSummary], error) {
	page, err := p.Plans.EvidenceList(ctx, r, f)
	o := p.opener(ctx, r)
	for i := range page.Items {
		o.text(&page.Items[i].FileName, &page.Items[i].Withheld)
	}
	return page, err
}

// Evidence implements query.Plans.
func (p Plans) Evidence(ctx context.Context, r query.Read, id uuid.UUID) (query.EvidenceDetail, error) {
	d, err := p.Plans.Evidence(ctx, r, id)
	p.opener(ctx, r).text(&d.FileName, &d.Withheld)
	return d, err
}

// Person implements query.Plans.
func (p Plans) Person(ctx context.Context, r query.Read, id uuid.UUID) (query.Person, error) {
	d, err := p.Plans.Person(ctx, r, id)
	if err != nil {
		return d, err
	}
	o := p.opener(ctx, r)
	d.Name = o.best(d.Texts, &d.Withheld)
	for i := range d.Enrolments {
		o.member(&d.Enrolments[i].DisplayName, &d.Enrolments[i].Email, &d.Enrolments[i].Withheld)
	}
	return d, nil
}

// Persons implements query.Plans.
func (p Plans) Persons(ctx context.Context, r query.Read, a query.Paging) (query.Page[query.PersonSummary], error) {
	page, err := p.Plans.Persons(ctx, r, a)
	o := p.opener(ctx, r)
	for i := range page.Items {
		page.Items[i].Name = o.best(page.Items[i].Texts, &page.Items[i].Withheld)
	}
	return page, err
}

// Members implements query.Plans.
func (p Plans) Members(ctx context.Context, r query.Read, a query.Paging) (query.Page[query.Member], error) {
	page, err := p.Plans.Members(ctx, r, a)
	o := p.opener(ctx, r)
	for i := range page.Items {
		o.member(&page.Items[i].DisplayName, &page.Items[i].Email, &page.Items[i].Withheld)
	}
	return page, err
}
