package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ledger"
)

// copyEvents gives the stored rows as PostgreSQL's binary COPY writes them, which
// costs half of what a query does. Numbers, ids and bytes already look as in a leaf.
// COPY takes no parameters; these are numbers.
const copyEvents = `COPY (SELECT position, organization_sequence, version, schema_version::bigint, recorded_at, organization_id, event_id,
	command_id, stream_id, type, data, metadata, command_hash
	FROM public.events WHERE position BETWEEN %d AND %d ORDER BY position) TO STDOUT (FORMAT binary)`

// LeafHashes implements ledger.Store.
func (l *Ledger) LeafHashes(ctx context.Context, first, last int64) ([]ledger.Hash, error) {
	leaves, leaf := make([]ledger.Hash, 0, last-first+1), []byte(nil)
	err := l.copyRows(ctx, first, last, func(row *copiedRow) error {
		leaf = row.appendLeaf(append(leaf[:0], 0x00))
		leaves = append(leaves, sha256.Sum256(leaf))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: leaf hashes: %w", err)
	}
	return leaves, nil
}

// Events implements ledger.Store.
func (l *Ledger) Events(ctx context.Context, first, last int64, visit func(*eventlog.Event) error) error {
	var e eventlog.Event
	err := l.copyRows(ctx, first, last, func(row *copiedRow) error {
		row.event(&e)
		return visit(&e)
	})
	if err != nil {
		return fmt.Errorf("ledger: events: %w", err)
	}
	return nil
}

// copyRows visits the rows of the positions first to last, all of them and in order.
func (l *Ledger) copyRows(ctx context.Context, first, last int64, visit func(*copiedRow) error) error {
	rows := &copiedRows{next: first, visit: visit}
	err := l.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		_, err := conn.Conn().PgConn().CopyTo(ctx, rows, fmt.Sprintf(copyEvents, first, last))
		return err
	})
	if rows.err != nil {
		return rows.err
	}
	if err != nil {
		return l.failed(err, "copy events")
	}
	if rows.next != last+1 || !rows.ended {
		return fmt.Errorf("position %d is not there", rows.next)
	}
	return nil
}

var errCopy = errors.New("the database's binary copy is not of the form that is known")

// copySignature begins a binary copy; flags and the length of an extension follow.
const (
	copySignature = "PGCOPY\n\xff\r\n\x00"
	copyHeader    = len(copySignature) + 8
	copyColumns   = 13
)

// microsecondsTo2000 is what PostgreSQL counts from, as Unix time.
const microsecondsTo2000 = 946_684_800_000_000

// copiedRows visits the rows of a binary copy while they come. It is an io.Writer.
type copiedRows struct {
	next  int64 // position of the next row
	visit func(*copiedRow) error
	begun bool
	ended bool
	rest  []byte // the beginning of a row whose end has not come yet
	err   error
}

// copiedRow is a row's columns, which are valid while it is visited; nil for NULL.
type copiedRow [copyColumns][]byte

// Write implements io.Writer.
func (r *copiedRows) Write(b []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n := len(b)
	if len(r.rest) > 0 {
		b = append(r.rest, b...)
	}
	b, r.err = r.take(b)
	r.rest = slices.Clone(b)
	return n, r.err
}

// take visits the rows that are complete and gives back what is left.
func (r *copiedRows) take(b []byte) ([]byte, error) {
	if !r.begun {
		if len(b) < copyHeader {
			return b, nil
		}
		if !bytes.HasPrefix(b, []byte(copySignature)) || binary.BigEndian.Uint64(b[len(copySignature):]) != 0 {
			return nil, errCopy
		}
		b, r.begun = b[copyHeader:], true
	}
	for len(b) >= 2 {
		switch columns := int16(binary.BigEndian.Uint16(b)); {
		case columns == -1:
			r.ended = true
			return nil, nil
		case columns != copyColumns:
			return nil, errCopy
		}
		var row copiedRow
		rest := b[2:]
		for i := range row {
			var ok bool
			if row[i], rest, ok = copyField(rest); !ok {
				return b, nil // the rest of the row is still to come
			}
		}
		if err := r.add(&row); err != nil {
			return nil, err
		}
		b = rest
	}
	return b, nil
}

// copyField cuts a column off; nil for NULL.
func copyField(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, b, false
	}
	n := int64(int32(binary.BigEndian.Uint32(b)))
	if b = b[4:]; n < 0 {
		return nil, b, true
	}
	if int64(len(b)) < n {
		return nil, b, false
	}
	return b[:n], b[n:], true
}

// add checks a row's form and place, and visits it.
func (r *copiedRows) add(row *copiedRow) error {
	for i := range 5 {
		if len(row[i]) != 8 {
			return errCopy
		}
	}
	if len(row[5]) != 16 || len(row[6]) != 16 || row[7] != nil && len(row[7]) != 16 {
		return errCopy
	}
	if row.number(0) != r.next {
		return fmt.Errorf("position %d is not there", r.next)
	}
	r.next++
	return r.visit(row)
}

func (row *copiedRow) number(i int) int64 { return int64(binary.BigEndian.Uint64(row[i])) }

// appendLeaf makes the row a leaf as package eventlog defines it, and not by its code.
func (row *copiedRow) appendLeaf(leaf []byte) []byte {
	leaf = append(leaf, "strata-event-v1"...)
	for _, number := range row[:4] {
		leaf = append(leaf, number...)
	}
	leaf = binary.BigEndian.AppendUint64(leaf, uint64(row.number(4)+microsecondsTo2000))
	leaf = append(append(leaf, row[5]...), row[6]...)
	command := row[7]
	if command == nil {
		command = make([]byte, 16)
	}
	leaf = append(leaf, command...)
	for _, text := range row[8:] {
		leaf = append(binary.BigEndian.AppendUint64(leaf, uint64(len(text))), text...)
	}
	return leaf
}

// event makes the row an event, which shares its bytes.
func (row *copiedRow) event(e *eventlog.Event) {
	*e = eventlog.Event{
		Position: row.number(0), OrganizationSequence: row.number(1), Version: row.number(2), SchemaVersion: int(row.number(3)),
		RecordedAt:     time.UnixMicro(row.number(4) + microsecondsTo2000).UTC(),
		OrganizationID: uuid.UUID(row[5]), ID: uuid.UUID(row[6]),
		StreamID: string(row[8]), Type: string(row[9]), Data: row[10], Metadata: row[11], CommandHash: row[12],
	}
	if row[7] != nil {
		e.CommandID = uuid.UUID(row[7])
	}
}
