package command

// Commands are all use cases that change something. Safe for concurrent use.
type Commands struct {
	Organizations *Organizations
	Strategies    *Strategies
	Indicators    *Indicators
	Findings      *Findings
	Evidence      *Evidence
	Sources       *Sources
	Imports       *Imports
	Exports       *Exports
	Erasure       *Erasure
}

// New wires the commands on a log.
func New(options Options) *Commands {
	o := options.withDefaults()
	organizations := newOrganizations(o)
	strategies := newStrategies(o, organizations)
	indicators := newIndicators(o, organizations, strategies)
	findings := newFindings(o, organizations)
	evidence := newEvidence(o, organizations)
	sources := newSources(o, organizations)
	imports := newImports(o, organizations, strategies, indicators, sources)
	c := &Commands{
		Organizations: organizations,
		Strategies:    strategies,
		Indicators:    indicators,
		Findings:      findings,
		Evidence:      evidence,
		Sources:       sources,
		Imports:       imports,
		Exports:       &Exports{imports},
		Erasure:       &Erasure{organizations: organizations, imports: imports, evidence: evidence, options: o},
	}
	directory := newDirectory(c)
	strategies.indicators, strategies.findings = indicators, findings
	indicators.findings, indicators.sources, indicators.directory = findings, sources, directory
	evidence.indicators, evidence.findings, evidence.directory = indicators, findings, directory
	findings.directory, sources.directory = directory, directory
	return c
}
