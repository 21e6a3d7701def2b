package command

// Commands are all use cases that change something. Safe for concurrent use.
type Commands struct {
	Organizations *Organizations
	Strategies    *Strategies
	Indicators    *Indicators
	Imports       *Imports
	Exports       *Exports
}

// New wires the commands on a log.
func New(options Options) *Commands {
	o := options.withDefaults()
	organizations := newOrganizations(o)
	strategies := newStrategies(o, organizations)
	indicators := newIndicators(o, organizations, strategies)
	strategies.indicators = indicators
	imports := newImports(o, organizations, strategies, indicators)
	return &Commands{
		Organizations: organizations,
		Strategies:    strategies,
		Indicators:    indicators,
		Imports:       imports,
		Exports:       &Exports{imports},
	}
}
