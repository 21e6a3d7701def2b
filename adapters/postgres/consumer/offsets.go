package consumer

import (
	"time"

	wsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
)

// moveCursor writes a cursor, never backwards: a deposed leader that finishes
// late cannot undo what its successor did. Only a hint of a history that the log
// has left goes back, to where its group is now.
const moveCursor = `INSERT INTO cursors (consumer_group, position, epoch, updated_at) VALUES ($1, $2, ` + currentEpoch + `, now())
ON CONFLICT (consumer_group) DO UPDATE SET position = EXCLUDED.position, epoch = EXCLUDED.epoch, updated_at = EXCLUDED.updated_at
WHERE cursors.position < EXCLUDED.position OR cursors.epoch < EXCLUDED.epoch`

// currentEpoch is the history that the log is in. No epoch begins while anybody reads.
const currentEpoch = `(SELECT coalesce(max(number), 1) FROM epochs)`

// noQueries is the part of an OffsetsAdapter that this package has no use for.
type noQueries struct{}

// ConsumedMessageQuery is empty: taken is what is acknowledged.
func (noQueries) ConsumedMessageQuery(string, wsql.Row, string, []byte) wsql.Query {
	return wsql.Query{}
}

// SchemaInitializingQueries is empty: migrations make the tables.
func (noQueries) SchemaInitializingQueries(string) []wsql.Query { return nil }

// BeforeSubscribingQueries is empty, since a database that is away must not
// keep the router from starting; what is to be prepared, the lease prepares.
func (noQueries) BeforeSubscribingQueries(string, string) []wsql.Query { return nil }

// logOffsets keeps the group's cursor in the log database.
type logOffsets struct {
	noQueries
	reader *reader
}

var _ wsql.OffsetsAdapter = logOffsets{}

// NextOffsetQuery gives the cursor; a group without one starts at the beginning.
func (logOffsets) NextOffsetQuery(_, group string) wsql.Query {
	return wsql.Query{
		Query: `SELECT coalesce((SELECT position FROM cursors WHERE consumer_group = $1), 0) AS position`,
		Args:  []any{group},
	}
}

// AckMessageQuery moves the cursor behind what was taken, which may be less
// than the page, or nothing.
func (o logOffsets) AckMessageQuery(_ string, _ wsql.Row, group string) wsql.Query {
	if at := o.reader.taken(); at > 0 {
		return wsql.Query{Query: moveCursor, Args: []any{group, at}}
	}
	return wsql.Query{}
}

// checkpointOffsets is for a group whose checkpoint is in its own database. The
// position is the reader's, which had it from there.
type checkpointOffsets struct {
	noQueries
	reader *reader
}

var _ wsql.OffsetsAdapter = checkpointOffsets{}

// hintEvery bounds how often such a group writes its place into the log database.
const hintEvery = 5 * time.Second

func (o checkpointOffsets) NextOffsetQuery(string, string) wsql.Query {
	return wsql.Query{Query: `SELECT $1::bigint AS position`, Args: []any{o.reader.at()}}
}

// AckMessageQuery leaves a hint now and then. The truth moved in the handler.
func (o checkpointOffsets) AckMessageQuery(_ string, _ wsql.Row, group string) wsql.Query {
	if at := o.reader.taken(); at > 0 && o.reader.hintDue() {
		return wsql.Query{Query: moveCursor, Args: []any{group, at}}
	}
	return wsql.Query{}
}
