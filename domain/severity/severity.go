// Package severity says how much a finding matters. Policies, findings and what
// follows from them use the same four words.
package severity

// Severity is one of the four; "" is none.
type Severity string

// The severities, from the least.
const (
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Rank orders severities from 1 for Low; 0 is none of them.
func (s Severity) Rank() int {
	switch s {
	case Low:
		return 1
	case Medium:
		return 2
	case High:
		return 3
	case Critical:
		return 4
	}
	return 0
}
