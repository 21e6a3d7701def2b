package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	lockStatement  = "strata_append_lock"
	groupStatement = "strata_append_group"

	// lockSQL is a statement of its own: the next one's snapshot is taken after
	// the lock was, and so contains what the previous holder committed. The number is the one in the table's trigger.
	lockSQL = `SELECT pg_advisory_xact_lock(6004514643731611649)`

	// groupSQL judges each command by the log as it is now, numbers the winners'
	// events and inserts them, and wakes the readers if there was a winner.
	// Scalar subqueries, not EXISTS: those cannot become a scan of the whole log.
	groupSQL = `
WITH asked AS MATERIALIZED (
	SELECT c.n, c.command_id, c.command_hash, c.organization_id, c.stream_id, c.expected, c.lead,
	       coalesce(h.version, 0) AS actual,
	       coalesce(h.organization_id <> c.organization_id, false) AS taken,
	       (SELECT k.position FROM public.events k WHERE k.command_id = c.command_id) IS NOT NULL AS known,
	       CASE WHEN c.quiet_after < 0 THEN false ELSE (
	           SELECT q.position FROM public.events q
	           WHERE q.position > c.quiet_after AND q.organization_id = c.organization_id
	             AND q.type = ANY (string_to_array(c.quiet_types, ','))
	           ORDER BY q.position LIMIT 1) IS NOT NULL END AS stirred
	FROM unnest($1::uuid[], $2::bytea[], $3::uuid[], $4::text[], $5::bigint[], $6::boolean[], $15::bigint[], $16::text[])
	     WITH ORDINALITY AS c(command_id, command_hash, organization_id, stream_id, expected, lead, quiet_after, quiet_types, n)
	LEFT JOIN LATERAL (
		SELECT e.version, e.organization_id FROM public.events e
		WHERE e.stream_id = c.stream_id ORDER BY e.version DESC LIMIT 1
	) h ON true
), winners AS MATERIALIZED (
	SELECT * FROM asked WHERE lead AND NOT known AND NOT taken AND NOT stirred AND actual = expected
), tail AS MATERIALIZED (
	SELECT coalesce(max(t.position), 0) AS position, greatest(clock_timestamp(), max(t.recorded_at)) AS recorded_at
	FROM (SELECT e.position, e.recorded_at FROM public.events e ORDER BY e.position DESC LIMIT 1) t
), organizations AS MATERIALIZED (
	SELECT o.organization_id, coalesce((
		SELECT e.organization_sequence FROM public.events e
		WHERE e.organization_id = o.organization_id ORDER BY e.organization_sequence DESC LIMIT 1), 0) AS sequence
	FROM (SELECT DISTINCT organization_id FROM winners) o
), recorded AS (
	INSERT INTO public.events (position, organization_sequence, version, recorded_at, organization_id, event_id,
	                           command_id, command_hash, schema_version, stream_id, type, data, metadata)
	SELECT tail.position + row_number() OVER (ORDER BY v.n),
	       o.sequence + row_number() OVER (PARTITION BY o.organization_id ORDER BY v.n),
	       w.expected + v.nth, tail.recorded_at, w.organization_id, v.event_id,
	       CASE WHEN v.nth = 1 THEN w.command_id END, CASE WHEN v.nth = 1 THEN w.command_hash END,
	       v.schema_version, w.stream_id, v.type, v.data, v.metadata
	FROM unnest($7::bigint[], $8::bigint[], $9::uuid[], $10::text[], $11::integer[], $12::bytea[], $13::bytea[])
	     WITH ORDINALITY AS v(command, nth, event_id, type, schema_version, data, metadata, n)
	JOIN winners w ON w.n = v.command
	JOIN organizations o ON o.organization_id = w.organization_id
	CROSS JOIN tail
	ORDER BY v.n
	RETURNING position
), told AS MATERIALIZED (
	SELECT pg_notify($14, max(position)::text) FROM recorded HAVING count(*) > 0
)
SELECT a.actual, a.known, a.taken, a.stirred,
       a.lead AND NOT a.known AND NOT a.taken AND NOT a.stirred AND a.actual = a.expected AS won,
       tail.position, tail.recorded_at, (SELECT count(*) FROM told) AS told
FROM asked a CROSS JOIN tail
ORDER BY a.n`
)

// verdict is what the log says about one command of a group.
type verdict struct {
	Actual  int64     // version of its stream before the group
	Known   bool      // the command id is in the log already
	Taken   bool      // the stream is another organization's
	Stirred bool      // something was recorded that it rules out
	Won     bool      // its events are recorded
	Tail    int64     // head of the log before the group
	At      time.Time // recorded_at of the group
	Told    int64     // notifications queued: 1 if anything was recorded
}

// send runs one group as one transaction, in one round trip. Without an error it
// is committed and there is one verdict per request.
func (l *lane) send(ctx context.Context, group []*request, lead []bool) ([]verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, l.opts.CommitTimeout)
	defer cancel()
	var verdicts []verdict
	batch := &pgx.Batch{}
	batch.Queue(lockStatement)
	batch.Queue(groupStatement, arguments(group, lead, l.opts.NotifyChannel)...).Query(func(rows pgx.Rows) (err error) {
		verdicts, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (v verdict, err error) {
			err = row.Scan(&v.Actual, &v.Known, &v.Taken, &v.Stirred, &v.Won, &v.Tail, &v.At, &v.Told)
			return v, err
		})
		return err
	})
	// Close reads to the end of the pipeline: its nil means that the transaction has been committed.
	if err := l.conn.conn.SendBatch(ctx, batch).Close(); err != nil {
		return nil, err
	}
	return verdicts, nil
}

// arguments turns a group into the arrays of groupSQL.
func arguments(group []*request, lead []bool, channel string) []any {
	events := 0
	for _, r := range group {
		events += len(r.cmd.Events)
	}
	var (
		ids           = make([][16]byte, len(group))
		hashes        = make([][]byte, len(group))
		organizations = make([][16]byte, len(group))
		streams       = make([]string, len(group))
		expected      = make([]int64, len(group))
		quietAfter    = make([]int64, len(group))
		quietTypes    = make([]string, len(group))

		commands  = make([]int64, 0, events)
		nth       = make([]int64, 0, events)
		eventIDs  = make([][16]byte, 0, events)
		types     = make([]string, 0, events)
		schemas   = make([]int32, 0, events)
		data      = make([][]byte, 0, events)
		metadatas = make([][]byte, 0, events)
	)
	for i, r := range group {
		ids[i], hashes[i], organizations[i] = r.cmd.ID, r.cmd.Hash, r.cmd.OrganizationID
		streams[i], expected[i] = r.cmd.StreamID, r.cmd.ExpectedVersion
		quietAfter[i] = -1
		if q := r.cmd.Quiet; q != nil {
			quietAfter[i], quietTypes[i] = q.After, strings.Join(q.Types, ",")
		}
		for k, e := range r.cmd.Events {
			commands, nth = append(commands, int64(i+1)), append(nth, int64(k+1))
			eventIDs, types = append(eventIDs, e.ID), append(types, e.Type)
			schemas = append(schemas, int32(e.SchemaVersion)) // Validate has seen that it fits
			data, metadatas = append(data, bytesOf(e.Data)), append(metadatas, bytesOf(e.Metadata))
		}
	}
	return []any{
		ids, hashes, organizations, streams, expected, lead,
		commands, nth, eventIDs, types, schemas, data, metadatas, channel,
		quietAfter, quietTypes,
	}
}

// bytesOf keeps an empty value from becoming NULL.
func bytesOf(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
