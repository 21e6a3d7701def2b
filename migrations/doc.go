// Package migrations holds the three schemas of Strata and brings a database up
// to them: the event log, the plans read model, the audit read model.
//
// Migrations are SQL files in goose's format, embedded, numbered, and go
// forward only: an old binary must keep working on a newer schema until it is
// replaced, so a change that would break it is made in two releases (expand,
// then contract). Each file says in its head what it locks and for how long.
//
// # Who owns what
//
// [Up] connects as an administrator, who needs CREATEROLE and the ownership of
// the database but need not be a superuser. Everything is created under SET
// ROLE strata_owner, a role that nobody can log in as. The service logs in as
// roles that own nothing (see [Roles]) and holds exactly the grants the
// migrations give: it cannot drop, alter or disable anything, whatever code runs
// in it. PUBLIC loses its rights on the database and on schema public.
//
// # When it fails
//
// Each migration is one transaction: it is there or it is not. Several processes
// may call Up at once; a session advisory lock lets one at a time migrate, the
// others wait and then find nothing to do. A statement waits two seconds at most
// for a table lock, so that a migration never queues up in front of the
// service's traffic; Up then backs off and tries again a few times before it
// gives up with the database's error. Roles belong to the whole cluster, which an advisory lock of one
// database does not cover: two databases of one cluster migrated at the same
// moment may collide on a role, and the loser tries again.
//
// Passwords travel as SCRAM verifiers only: the server never sees them, and so
// cannot log them.
package migrations
