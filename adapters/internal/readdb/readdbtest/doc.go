// Package readdbtest makes logs for the tests of read databases: valid histories
// of random commands, decided and folded by the domain itself, whose states are
// what a read database must show.
package readdbtest
