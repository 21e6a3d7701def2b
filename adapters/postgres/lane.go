package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
)

// lane is one goroutine that turns queued commands into transactions.
type lane struct {
	log   *Log
	opts  Options
	conn  *session
	carry []*request // for the next group: they could not be in the same one as another
}

func newLane(l *Log, cfg *pgx.ConnConfig) *lane {
	return &lane{log: l, opts: l.opts, conn: newSession(cfg, l.opts)}
}

// run ends when the queue is closed and everything in it is answered.
func (l *lane) run() {
	defer l.conn.drop()
	for {
		waiting := l.carry
		l.carry = nil
		if len(waiting) == 0 {
			var ok bool
			if waiting, ok = l.log.queue.next(); !ok {
				return
			}
		} else if len(waiting) < l.opts.MaxGroup {
			more, _ := l.log.queue.poll()
			waiting = append(waiting, more...)
		}
		// Connected first, taken then: who steps back while there is no connection is told the truth.
		if err := l.conn.ensure(); err != nil {
			for _, r := range waiting {
				r.fail(unavailable(err))
			}
			continue
		}
		if group, lead := l.assemble(waiting); len(group) > 0 {
			l.commit(group, lead)
		}
	}
}

// place is what commands compete for: the version after this one of a stream.
type place struct {
	stream   string
	expected int64
}

// assemble takes the requests whose callers still wait. A command id is in a
// group once: further requests with it wait beside the first. Of the commands
// that compete for one version of a stream the first leads: it alone can win. A
// group is judged by the log before it, so what would disturb another one of it
// waits for the next group.
func (l *lane) assemble(waiting []*request) (group []*request, lead []bool) {
	first := make(map[uuid.UUID]*request, len(waiting))
	led := make(map[place]bool, len(waiting))
	var together quiets
	for _, r := range waiting {
		if before := first[r.cmd.ID]; before != nil {
			before.twins = append(before.twins, r)
			continue
		}
		if together.clash(r) {
			l.carryOver(r)
			continue
		}
		if !r.take() {
			continue
		}
		together.add(r)
		first[r.cmd.ID] = r
		at := place{r.cmd.StreamID, r.cmd.ExpectedVersion}
		group, lead = append(group, r), append(lead, !led[at])
		led[at] = true
	}
	return group, lead
}

// commit sends a group and sees that every request of it is answered or carried over.
func (l *lane) commit(group []*request, lead []bool) {
	started := time.Now()
	verdicts, err := l.send(context.Background(), group, lead)
	done := Group{Commands: len(group), Took: time.Since(started), Err: err}
	for _, r := range group {
		done.Waited = max(done.Waited, started.Sub(r.queuedAt))
	}
	switch outcome(err) {
	case committed:
		done.Recorded, done.Events = l.settle(group, lead, verdicts)
	case refused:
		if readOnly(err) {
			l.conn.failed() // a standby now; the URL may name another host that is not
		}
		for _, r := range group {
			l.refuse(r, unavailable(err))
		}
	case offended:
		if len(group) == 1 {
			l.refuse(group[0], fmt.Errorf("append to %s: %w", group[0].cmd.StreamID, err))
			break
		}
		// One of them makes the database fail; the others have nothing to do with it.
		for _, r := range group {
			if err := l.conn.ensure(); err != nil {
				l.refuse(r, unavailable(err))
				continue
			}
			l.commit([]*request{r}, []bool{true})
		}
	case unsent:
		l.conn.drop()
		l.again(group, err)
	case unknown:
		l.opts.Logger.Warn("the connection was lost while recording; finding out what was recorded", "commands", len(group), "err", err)
		l.resolve(group, err)
	}
	if l.opts.OnGroup != nil {
		l.opts.OnGroup(done)
	}
}

// settle answers the requests of a committed group.
func (l *lane) settle(group []*request, lead []bool, verdicts []verdict) (recorded, events int) {
	position := verdicts[0].Tail
	moved := map[place]int64{} // where a winner took its stream
	var known []*request
	for i, r := range group {
		if v := verdicts[i]; v.Won {
			n := len(r.cmd.Events)
			recorded, events = recorded+1, events+n
			moved[place{r.cmd.StreamID, r.cmd.ExpectedVersion}] = v.Actual + int64(n)
		}
	}
	if events > 0 && l.opts.OnCommit != nil {
		l.opts.OnCommit(position + int64(events))
	}
	for i, r := range group {
		v := verdicts[i]
		switch at, beaten := moved[place{r.cmd.StreamID, r.cmd.ExpectedVersion}]; {
		case v.Won:
			l.succeed(r, receiptOf(r.cmd, position, v.At))
			position += int64(len(r.cmd.Events))
		case v.Known:
			known = append(known, r)
		case v.Taken:
			l.refuse(r, eventlog.ErrForeignStream)
		case v.Actual != r.cmd.ExpectedVersion:
			l.refuse(r, &eventlog.VersionError{StreamID: r.cmd.StreamID, Expected: r.cmd.ExpectedVersion, Actual: v.Actual})
		case v.Stirred:
			l.refuse(r, eventlog.ErrNotQuiet)
		case beaten:
			l.refuse(r, &eventlog.VersionError{StreamID: r.cmd.StreamID, Expected: r.cmd.ExpectedVersion, Actual: at})
		default: // the one that led turned out to be a replay: the next leads
			l.carryOver(r)
		}
	}
	if len(known) > 0 {
		l.log.lookups.Go(func() { l.log.replay(known) })
	}
	return recorded, events
}

func receiptOf(cmd eventlog.Command, tail int64, at time.Time) eventlog.Receipt {
	n := int64(len(cmd.Events))
	ids := make([]uuid.UUID, n)
	for i, e := range cmd.Events {
		ids[i] = e.ID
	}
	return eventlog.Receipt{
		StreamID: cmd.StreamID, FirstPosition: tail + 1, Position: tail + n,
		Version: cmd.ExpectedVersion + n, EventIDs: ids, RecordedAt: at.UTC(),
	}
}

// succeed answers a request that was recorded, and those that asked for the same meanwhile.
func (l *lane) succeed(r *request, receipt eventlog.Receipt) {
	r.succeed(receipt)
	record := record{organization: r.cmd.OrganizationID, hash: r.cmd.Hash, receipt: receipt}
	for _, twin := range r.twins {
		twin.replay(record)
	}
}

// refuse answers a request that recorded nothing; its twins may fare better.
func (l *lane) refuse(r *request, err error) {
	r.fail(err)
	l.carryOver(r.twins...)
}

// again carries over what certainly was not recorded, once: a connection that
// broke while it was idle is no reason to refuse anything.
func (l *lane) again(group []*request, err error) {
	for _, r := range group {
		if r.again {
			l.refuse(r, unavailable(err))
			continue
		}
		r.again = true
		l.carryOver(r)
	}
}

// carryOver keeps requests for the next group, in their order.
func (l *lane) carryOver(requests ...*request) {
	for _, r := range requests {
		l.carry = append(append(l.carry, r), r.twins...)
		r.twins = nil
	}
}
