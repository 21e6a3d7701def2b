package stratml

// Counts says how much a document holds.
type Counts struct {
	Goals        int `json:"goals"`
	Objectives   int `json:"objectives"`
	Indicators   int `json:"indicators"`
	Targets      int `json:"targets"`      // TargetResult elements
	Actuals      int `json:"actuals"`      // ActualResult elements
	EmptyUnits   int `json:"emptyUnits"`   // of both, those without a number
	Stakeholders int `json:"stakeholders"` // blank ones included
	Persons      int `json:"persons"`      // stakeholders of type Person
}

// Count counts.
func (d *Document) Count() Counts {
	var c Counts
	holders := func(list []Stakeholder) {
		c.Stakeholders += len(list)
		for _, s := range list {
			if s.Type == "Person" {
				c.Persons++
			}
		}
	}
	results := func(list []Result) int {
		for _, r := range list {
			if r.Units == "" {
				c.EmptyUnits++
			}
		}
		return len(list)
	}
	for _, o := range d.Organizations {
		holders(o.Stakeholders)
	}
	for _, g := range d.Goals {
		c.Goals++
		holders(g.Stakeholders)
		for _, o := range g.Objectives {
			c.Objectives++
			holders(o.Stakeholders)
			for _, i := range o.Indicators {
				c.Indicators++
				for _, m := range i.Instances {
					c.Targets += results(m.Targets)
					c.Actuals += results(m.Actuals)
				}
			}
		}
	}
	return c
}
