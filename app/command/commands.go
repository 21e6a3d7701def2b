package command

// Commands are all use cases that change something. Safe for concurrent use.
type Commands struct {
	Organizations *Organizations
	Strategies    *Strategies
	Indicators    *Indicators
	Imports       *Imports
}

// New wires the commands on a log.
func New(options Options) *Commands {
	o := options.withDefaults()
	organizations := newOrganizations(o)
	strategies := newStrategies(o, organizations)
	indicators := newIndicators(o, organizations, strategies)
	return &Commands{
		Organizations: organizations,
		Strategies:    strategies,
		Indicators:    indicators,
		Imports:       &Imports{organizations: organizations, strategies: strategies, indicators: indicators},
	}
}
