// Package segregation attacks the segregation of duties: random actors give
// random commands of every kind, with roles that are granted, revoked and
// expire meanwhile, to two processes on one log; and the races that could slip
// through are run on a real database.
//
// What happened is judged by a ledger that folds the events of the log for
// itself. It shares no code with the domain: it reads the stored JSON, repeats
// the content hashes from their description, and knows the rules S1 to S15 and
// the table of roles as the design states them. A rule that the domain forgets
// is therefore seen here, and a test counts that the rules were put to the test
// at all: that every command was accepted often, and refused by every rule.
package segregation
