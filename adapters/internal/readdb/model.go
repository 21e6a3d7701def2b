package readdb

import (
	"context"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
)

// Model is what makes one read database differ from the other. D is a decoded event.
type Model[D any] interface {
	// Name is the projection's name; the migrations know it by the same.
	Name() string

	// Layout is the number of the tables' shape and of the fold's meaning. It
	// grows with every change of either; the migration that changes the template
	// names the same one. A live model of an older layout is rebuilt (Upgrade).
	Layout() int

	// Decode reads an event. It is pure and called concurrently. An error parks
	// the event's stream.
	Decode(e eventlog.Event) (D, error)

	// Writer makes a writer for one run. empty promises that the tables are empty
	// (rows that the writer does not hold do not exist) and without row-level
	// security (COPY works).
	Writer(empty bool) Writer[D]

	// Content lists the tables for the digest.
	Content() []Content
}

// Writer folds events into rows and writes them. It works within transactions
// whose search_path is the generation's schema, by one goroutine at a time.
type Writer[D any] interface {
	// Load brings in the rows that folding the batch needs.
	Load(ctx context.Context, tx pgx.Tx, batch []D) error

	// Fold applies one event to the rows in memory. After an error the rows are
	// as before, and the event's stream is parked.
	Fold(d D) error

	// Flush writes what was folded since the last Flush.
	Flush(ctx context.Context, tx pgx.Tx) error

	// Weight is how much is held in memory, in rows of about 256 bytes.
	Weight() int
}

// Content is a table's part in the digest: its columns, and the key that orders it.
type Content struct {
	Table   string
	Columns []string
	Key     []string
}

// item is an event on its way into the model.
type item[D any] struct {
	event   eventlog.Event
	decoded D
	poison  error // why it could not be decoded
}
