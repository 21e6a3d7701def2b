// Package indicator decides what is measured for an objective, what is to be
// reached, and what was; and computes from these how it stands.
//
// A value belongs to a key: a period on the grid of the indicator and dimension
// values. A key has at most one living measurement; a correction replaces its
// value and a void withdraws it, both leave what was in the log. Numbers are
// exact decimals beside the text they came as.
//
// Health is a pure function of definition, targets and measurements (health.go).
// Whenever a command changes it, HealthChanged follows in the same append as its
// cause, so no reader ever sees one without the other, and none has to compute.
package indicator
