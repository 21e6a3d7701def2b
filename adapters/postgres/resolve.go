package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

// killSQL ends the server process of a connection that was lost, if it is still
// there, and waits until it has gone: its transaction has ended then.
const killSQL = `
SELECT coalesce(bool_and(pg_terminate_backend(pid, 2000)), true) FROM pg_stat_activity
WHERE application_name = $1 AND pid <> pg_backend_pid()`

var errStillThere = errors.New("the server process of the lost connection is still there")

// resolve finds out what became of a group whose connection was lost. What is in
// the log is answered, what is not is sent once more. Meanwhile commands that
// come are told that the log cannot be reached.
func (l *lane) resolve(group []*request, cause error) {
	lost := l.conn.name
	l.conn.drop()
	for deadline := time.Now().Add(l.opts.ResolveWithin); time.Now().Before(deadline); {
		err := l.conn.ensure()
		if err == nil {
			var records map[uuid.UUID]record
			if records, err = l.find(lost, group); err == nil {
				l.answerFound(group, records, cause)
				return
			}
			l.conn.failed()
		}
		waiting, _ := l.log.queue.poll()
		for _, r := range waiting {
			r.fail(unavailable(err))
		}
	}
	for _, r := range group {
		l.refuse(r, eventlog.ErrOutcomeUnknown.Because(cause))
	}
}

// find makes sure that the lost connection can do nothing any more, then looks.
func (l *lane) find(lost string, group []*request) (map[uuid.UUID]record, error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.opts.StatementTimeout)
	defer cancel()
	var gone bool
	if err := l.conn.conn.QueryRow(ctx, killSQL, lost).Scan(&gone); err != nil {
		return nil, err
	}
	if !gone {
		return nil, errStillThere
	}
	return findCommands(ctx, l.conn.conn, group)
}

func (l *lane) answerFound(group []*request, records map[uuid.UUID]record, cause error) {
	var absent []*request
	for _, r := range group {
		found, ok := records[r.cmd.ID]
		switch {
		case !ok:
			absent = append(absent, r)
		case found.receipt.EventIDs[0] == r.cmd.Events[0].ID: // it is what was sent
			found.receipt.Replayed = false
			l.succeed(r, found.receipt)
		default:
			r.replay(found)
			for _, twin := range r.twins {
				twin.replay(found)
			}
		}
	}
	l.again(absent, cause)
}
