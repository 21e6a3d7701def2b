package postgres

import (
	"context"
	"fmt"
	"time"
)

// Facts tell how large the database is, in bytes, and what its clock says.
func (l *Log) Facts(ctx context.Context) (bytes int64, clock time.Time, err error) {
	err = l.reads.QueryRow(ctx, `SELECT pg_database_size(current_database()), clock_timestamp()`).Scan(&bytes, &clock)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("size and clock of the log: %w", err)
	}
	return bytes, clock, nil
}
