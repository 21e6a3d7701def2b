package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
)

// Copy is a log database that is only read, as it is: a standby, or one restored
// from a dump elsewhere. It takes no locks and needs no more than SELECT on events.
// It is not for concurrent use.
type Copy struct{ conn *pgx.Conn }

var _ eventlog.Reader = (*Copy)(nil)

// OpenCopy connects to a log database, as any role that may read it. Close it.
func OpenCopy(ctx context.Context, url string) (*Copy, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("copy of the log: %w", err)
	}
	cfg.ConnectTimeout = connectTimeout
	for name, value := range map[string]string{
		"application_name": "strata copy", "timezone": "UTC", "default_transaction_read_only": "on",
		"enable_seqscan": "off", "enable_bitmapscan": "off",
	} {
		cfg.RuntimeParams[name] = value
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("copy of the log: %w", err)
	}
	return &Copy{conn}, nil
}

// Close closes the connection.
func (c *Copy) Close() { closeQuietly(c.conn) }

// Head implements eventlog.Reader.
func (c *Copy) Head(ctx context.Context) (head int64, err error) {
	if err := c.conn.QueryRow(ctx, headSQL).Scan(&head); err != nil {
		return 0, fmt.Errorf("head of the copy: %w", err)
	}
	return head, nil
}

// Read implements eventlog.Reader.
func (c *Copy) Read(ctx context.Context, after int64, limit int) ([]eventlog.Event, error) {
	rows, _ := c.conn.Query(ctx, readSQL, after, max(limit, 0)) // CollectRows returns its error
	events, err := pgx.CollectRows(rows, scanEvent)
	if err != nil {
		return nil, fmt.Errorf("read the copy after %d: %w", after, err)
	}
	return events, nil
}
