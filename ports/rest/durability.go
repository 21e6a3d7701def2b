package rest

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"

	"strata.dev/strata/ports/rest/gen"
)

// Archive knows how far the log is archived.
type Archive interface {
	// Wait returns nil once everything up to position is archived, or the error of
	// ctx: at once if that has ended, but nil all the same if it is known already.
	Wait(ctx context.Context, position int64) error
}

// noArchive is where nothing is archived.
type noArchive struct{}

func (noArchive) Wait(context.Context, int64) error { return context.DeadlineExceeded }

// How durable what was recorded is when the answer goes out.
const (
	durableHere     = "local"
	durableArchived = "archived"
)

// durabilityWait is how long a command waits for the archive, at most, and if the
// caller does not say how long.
const durabilityWait = 10 * time.Second

// durable lets an answer wait until the archive holds what was recorded, if the
// caller prefers that, and says how durable it is. It is recorded in any case.
func (s *server) durable(next gen.StrictHandlerFunc, _ string) gen.StrictHandlerFunc {
	return func(c echo.Context, request any) (any, error) {
		response, err := next(c, request)
		x := exchangeOf(c)
		if err != nil || !x.records {
			return response, err
		}
		h := c.Response().Header()
		h.Set(headerDurability, durableHere)
		if x.prefer.archived && x.recordedTo > 0 && s.archived(c.Request().Context(), x) {
			h.Set(headerDurability, durableArchived)
			h.Set(headerApplied, preferArchived) // of an answer that applied another preference, too, that one is named
		}
		return response, nil
	}
}

// durability says how durable everything up to position is, now, or within the
// time that the caller prefers to wait for the archive.
func (s *server) durability(ctx context.Context, x *exchange, position int64) string {
	x.recordedTo = position
	if !x.prefer.archived {
		now, cancel := context.WithCancel(ctx)
		cancel()
		if s.options.Archive.Wait(now, position) == nil {
			return durableArchived
		}
		return durableHere
	}
	if s.archived(ctx, x) {
		return durableArchived
	}
	return durableHere
}

func (s *server) archived(ctx context.Context, x *exchange) bool {
	wait := durabilityWait
	if x.prefer.wait > 0 {
		wait = min(wait, x.prefer.wait)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return s.options.Archive.Wait(ctx, x.recordedTo) == nil
}

// recordedUpTo notes that the answer is about something that was recorded, up to a
// position; 0 = nothing was, after all.
func (x *exchange) recordedUpTo(position int64) {
	x.records, x.recordedTo = true, max(x.recordedTo, position)
}
