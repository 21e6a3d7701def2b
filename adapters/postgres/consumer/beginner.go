package consumer

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// gatedDB is the Beginner that watermill-sql's Subscriber gets: no query starts
// while the group has no lease, drains, or does not know its checkpoint.
type gatedDB struct {
	*sql.DB
	reader *reader
}

func (db gatedDB) BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error) {
	if err := db.reader.gate(ctx); err != nil {
		return nil, err
	}
	return db.DB.BeginTx(ctx, opts)
}

// openAutocommit opens a database whose transactions are none: every statement
// commits by itself. The Subscriber keeps its transaction open while a handler
// works, and reports a failed commit to its logger only. Here a slow broker
// holds nothing in the database at all (no snapshot, no xid, no lock, not even
// an idle transaction), and a cursor that cannot be written is an error of the
// statement, which the Subscriber does hand on. Nothing is lost by it: a batch
// is one SELECT, a cursor one UPDATE, and the order between them is what counts.
func openAutocommit(cfg *pgx.ConnConfig, connections int) *sql.DB {
	noPing := stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { return false })
	db := sql.OpenDB(autocommit{stdlib.GetConnector(*cfg, noPing)})
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxIdleTime(time.Minute) // reading ahead needs its own only while there is a backlog
	return db
}

type autocommit struct{ driver.Connector }

func (a autocommit) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := a.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	c, ok := conn.(*stdlib.Conn)
	if !ok {
		_ = conn.Close() // of no use
		return nil, fmt.Errorf("pgx's driver made a %T", conn)
	}
	return autocommitConn{c}, nil
}

type autocommitConn struct{ *stdlib.Conn }

func (c autocommitConn) Begin() (driver.Tx, error) { return noTx{}, nil }

func (c autocommitConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	return noTx{}, nil
}

// ExecContext leaves out the empty statement, by which OffsetsAdapters say that
// there is nothing to write.
func (c autocommitConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if query == "" {
		return driver.RowsAffected(0), nil
	}
	return c.Conn.ExecContext(ctx, query, args)
}

type noTx struct{}

func (noTx) Commit() error   { return nil }
func (noTx) Rollback() error { return nil }
