// Package process tests the processes across aggregates on real databases: one
// story in which every one of them has something to do, told to a running
// consumer group, told twice, told with a crash at every step, and told to
// somebody who comes late.
package process
