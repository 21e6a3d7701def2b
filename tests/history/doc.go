// Package history replays real histories through the public API and judges what
// the log then says: the United Kingdom's reporting on the Sustainable
// Development Goals, change by change as its statistics office accepted them,
// and the quarterly reports on the United States' agency priority goals.
//
// The data were made by others, with everything that real data have: values
// that are no numbers, keys that come and go, tables rebuilt from one day to the
// next, people who accept their own work, and flags that contradict the numbers
// beside them. What must come out was counted on the files themselves.
//
// Changes and pushes are read here (change.go, report.go), turned into what the
// API takes (plan.go), and followed in a plain model (table.go) that knows
// nothing of Strata. Parts that may be redistributed lie in tests/testdata and
// always run; the whole runs where it lies beside the repository.
package history
