package consumer

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	wsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
)

// schema is the SchemaAdapter: the log's table as Watermill reads it. One page
// of rows becomes one message.
type schema struct{ reader *reader }

var _ wsql.SchemaAdapter = schema{}

var (
	errReadOnly  = errors.New("events are appended through the event log, not through Watermill")
	errRowsType  = errors.New("watermill-sql no longer hands *sql.Rows to UnmarshalMessage: batches need that; stay with v3.1.0")
	errNoPageRow = errors.New("UnmarshalMessage was called without a row")
)

// InsertQuery refuses: the log has one way in, and it is not this one.
func (schema) InsertQuery(string, message.Messages) (wsql.Query, error) {
	return wsql.Query{}, errReadOnly
}

// SchemaInitializingQueries is empty: migrations make the tables.
func (schema) SchemaInitializingQueries(string) []wsql.Query { return nil }

// SubscribeIsolationLevel is what PostgreSQL does by itself: each page is one
// statement with one snapshot, and needs no more than that.
func (schema) SubscribeIsolationLevel() sql.IsolationLevel { return sql.LevelReadCommitted }

// SelectQuery reads the next page by primary key: its cost depends on the page,
// not on the backlog. If the page was read ahead, it asks for the cursor only.
func (s schema) SelectQuery(topic, group string, offsets wsql.OffsetsAdapter) wsql.Query {
	next := offsets.NextOffsetQuery(topic, group)
	if a := s.reader.takeAhead(); a != nil {
		return s.aheadQuery(a, next)
	}
	if s.reader.group.Advance != nil {
		return wsql.Query{Query: headQuery(next.Query), Args: next.Args}
	}
	return wsql.Query{Query: pageQuery(next.Query, s.reader.pageLimit()), Args: next.Args}
}

// headQuery asks only whether there is something behind the cursor, and up to where.
func headQuery(cursor string) string {
	return `WITH c AS MATERIALIZED (` + cursor + `)
SELECT c.position, h.head FROM c, (SELECT position AS head FROM events ORDER BY position DESC LIMIT 1) h
WHERE h.head > c.position`
}

// pageQuery reads the page behind the cursor that another query gives. The limit
// is a literal, since a planner that does not know it takes a tenth of the table
// for it and may sort the backlog.
//
// The cursor comes from the same statement, and with every row, so that the
// page can be held against it.
func pageQuery(cursor string, limit int) string {
	return `WITH c AS MATERIALIZED (` + cursor + `)
SELECT (SELECT c.position FROM c), e.position, e.organization_sequence, e.version, e.schema_version, e.recorded_at,
       uuid_send(e.organization_id), uuid_send(e.event_id), uuid_send(e.command_id),
       e.stream_id, e.type, e.data, e.metadata, e.command_hash
FROM events e
WHERE e.position > (SELECT c.position FROM c)
ORDER BY e.position
LIMIT ` + strconv.Itoa(limit)
}

// UnmarshalMessage makes one message of all rows of the page: the Subscriber
// passes its *sql.Rows, which may be advanced here. It returns an error, and
// the page is read again, if the rows ended early, and if they do not continue
// the cursor without a gap.
func (s schema) UnmarshalMessage(scanner wsql.Scanner) (wsql.Row, error) {
	rows, ok := scanner.(*sql.Rows)
	if !ok {
		return wsql.Row{}, errRowsType
	}
	var b *batch
	var err error
	if a := s.reader.usedAhead(); a != nil {
		b, err = s.useAhead(rows, a)
	} else if s.reader.group.Advance != nil {
		b, err = takeHead(rows, s.reader.pageLimit())
	} else {
		b, err = takePage(rows, s.reader.payloadHint(), s.reader.group.BatchBytes)
	}
	if err != nil {
		return wsql.Row{}, err
	}
	s.reader.began(b)
	msg := message.NewMessage(strconv.FormatInt(b.first(), 10)+"-"+strconv.FormatInt(b.last(), 10), b.payload)
	return wsql.Row{Offset: b.last(), Msg: msg}, nil
}

// takePage takes rows, of which the first has been advanced to, until they end or
// are enough: what is left of the page then comes with the next one.
func takePage(rows *sql.Rows, hint, enough int) (*batch, error) {
	b := &batch{payload: make([]byte, 0, hint)}
	for more := true; more; more = rows.Next() {
		if err := b.addRow(rows); err != nil {
			return nil, err
		}
		if len(b.payload) >= enough {
			b.cut = true
			break
		}
	}
	if b.cut {
		if err := rows.Close(); err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
	}
	if err := rows.Err(); err != nil { // the Subscriber never asks
		return nil, fmt.Errorf("read events: %w", err)
	}
	if len(b.positions) == 0 {
		return nil, errNoPageRow
	}
	return b, nil
}

// takeHead takes the one row of headQuery, which has been advanced to: a batch that
// has no events, but a place to begin and one to end.
func takeHead(rows *sql.Rows, limit int) (*batch, error) {
	var cursor, head int64
	if err := rows.Scan(&cursor, &head); err != nil {
		return nil, fmt.Errorf("read head: %w", err)
	}
	for rows.Next() { // to its end, as a page is read
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read head: %w", err)
	}
	upTo := min(head, cursor+int64(limit))
	return &batch{cursor: cursor, positions: []int64{upTo}, more: upTo < head}, nil
}

// batch is a page on its way through the router.
type batch struct {
	cursor    int64
	positions []int64
	payload   []byte
	cut       bool  // ended by its size
	more      bool  // there is more than it, whatever it holds
	made      *made // nil unless it was read ahead
}

func (b *batch) first() int64 { return b.positions[0] }
func (b *batch) last() int64  { return b.positions[len(b.positions)-1] }

// GapError says that the log's next position is not there. Positions are
// contiguous, so either rows are missing or the cursor is of another log. It is
// never skipped: someone has to look.
type GapError struct{ Want, Got int64 }

func (e *GapError) Error() string {
	return fmt.Sprintf("gap in the log: position %d should come next, %d came; not going on", e.Want, e.Got)
}

func (b *batch) addRow(rows *sql.Rows) error {
	var (
		cursor, position, sequence, version, schemaVersion                int64
		recorded                                                          time.Time
		organization, id, command, stream, kind, data, metadata, commands sql.RawBytes
	)
	if err := rows.Scan(&cursor, &position, &sequence, &version, &schemaVersion, &recorded,
		&organization, &id, &command, &stream, &kind, &data, &metadata, &commands); err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	want := cursor + 1
	if n := len(b.positions); n > 0 {
		want = b.positions[n-1] + 1
	}
	if position != want {
		return &GapError{Want: want, Got: position}
	}
	b.cursor = cursor
	b.positions = append(b.positions, position)
	b.payload = appendNumbers(b.payload, position, sequence, version, schemaVersion, recorded.UnixMicro())
	b.payload = appendFields(b.payload, organization, id, command, stream, kind, data, metadata, commands)
	return nil
}
