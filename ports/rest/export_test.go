package rest

import "time"

// ExportAhead lets the operations of an API see a clock that is ahead by d, as
// if everything had been left alone for that long.
func ExportAhead(a *API, d time.Duration) {
	a.server.operations.now = func() time.Time { return time.Now().Add(d) }
}

// ExportWorking says whether Run has begun.
func ExportWorking(a *API) bool { return a.server.operations.working() }
