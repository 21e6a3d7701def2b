package postgres

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"strata.dev/strata/app/eventlog"
)

// What became of a group that was sent.
const (
	committed = iota // it is durable
	refused          // rolled back, for a reason that passes
	offended         // rolled back, for a reason in one of its commands
	unsent           // it never left: nothing was written
	unknown          // recorded completely or not at all
)

// outcome reads an error of send. An ERROR of the server means that it rolled
// the transaction back; FATAL and PANIC do not: a server that is shut down in
// the middle of a commit says so too.
func outcome(err error) int {
	if err == nil {
		return committed
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		switch {
		case pgErr.SeverityUnlocalized != "ERROR" && pgErr.Severity != "ERROR":
			return unknown
		case passes(pgErr):
			return refused
		}
		return offended
	}
	if pgconn.SafeToRetry(err) {
		return unsent
	}
	return unknown
}

// passes tells the server's state from a mistake in the statement.
func passes(e *pgconn.PgError) bool {
	if len(e.Code) != 5 {
		return false
	}
	switch e.Code[:2] {
	case "08", "40", "53", "55", "57", "58": // connection, rollback, resources, lock timeout, operator, system
		return true
	}
	return readOnly(e)
}

// readOnly tells a server that takes no writes: a standby, or a primary that became one.
func readOnly(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "25006"
}

func unavailable(err error) error { return eventlog.ErrUnavailable.Because(err) }
