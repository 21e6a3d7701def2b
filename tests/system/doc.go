// Package system runs the real strata binary against real servers and judges
// what came of it, for tests/e2e and tests/faults.
//
// A System is a set of databases, a vhost and an organization; a Service is one
// `strata serve` process on them, which a test may Kill, Stop and Start again. A
// Load is clients that send commands with idempotency keys and repeat what was
// not answered, as docs/problems.md tells them to; they write down what they
// were told in a History. A Consumer is another team's queue. In the end Check
// compares the three: what clients were told, what the log holds, and what the
// consumer got. It is a pure function and has tests of its own that it finds
// each kind of violation.
package system
