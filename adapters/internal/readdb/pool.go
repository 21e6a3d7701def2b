package readdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// openPool connects with what both sides need. A URL's own settings win.
func openPool(ctx context.Context, url, application string, settings map[string]string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", application, err)
	}
	common := map[string]string{
		"application_name": application,
		"timezone":         "UTC",
		// A peer that vanished without a word is noticed within half a minute.
		"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
		"idle_in_transaction_session_timeout": "60s",
		// Kinds of plans are switched off below. Where one is used all the same it
		// counts as very dear, and dear statements would be compiled: for half a second.
		"jit": "off",
	}
	for _, m := range []map[string]string{common, settings} {
		for k, v := range m {
			if _, given := cfg.ConnConfig.RuntimeParams[k]; !given {
				cfg.ConnConfig.RuntimeParams[k] = v
			}
		}
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", application, err)
	}
	return pool, nil
}

// inTx runs fn in a transaction and commits; a commit's error is the result.
func inTx(ctx context.Context, pool *pgxpool.Pool, fn func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{}, fn)
}

// isPoison tells what one event's content did from what happened to the
// connection: bad data, a violated constraint, a value too large for an index,
// or a panic. Only the former is a reason to park.
func isPoison(err error) bool {
	var panicked *panicError
	if errors.As(err, &panicked) {
		return true
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || len(pg.Code) < 2 {
		return false
	}
	switch pg.Code[:2] {
	case "22", "23", "54": // data exception, integrity constraint, program limit
		return true
	}
	return false
}

// panicError is a panic in a model's code, kept as an error.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// guarded runs fn and gives its panic as an error.
func guarded(fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{v}
		}
	}()
	return fn()
}
