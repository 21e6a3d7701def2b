package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fault"
	facts "strata.dev/strata/domain/journal"
)

// The entries of a journal are events among others: whoever may read events
// finds them there, and needs them to see that none is missing. What they say is
// for those who watch over the others, as listJournal is.

const (
	journalTypes   = "journal."
	journalStreams = "journal-"
)

// watches says whether the caller may read what the journal says.
func (s *server) watches(ctx context.Context, x *exchange) (bool, error) {
	err := s.options.App.Organizations.MayReadJournal(ctx, x.principal)
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Kind == fault.Forbidden {
		return false, nil
	}
	return err == nil, err
}

// withhold takes out of entries of the journal what the caller may not read.
func (s *server) withhold(ctx context.Context, x *exchange, entries []query.Entry) error {
	asked, may := false, false
	for i := range entries {
		e := &entries[i]
		if !strings.HasPrefix(e.Type, journalTypes) {
			continue
		}
		if !asked {
			var err error
			if may, err = s.watches(ctx, x); err != nil {
				return err
			}
			asked = true
		}
		if may {
			return nil
		}
		e.Data, e.SubjectID, e.Changes = withheld(e.Type, e.SchemaVersion, e.Data), "", nil
	}
	return nil
}

// withheld is the body of an entry of the journal without what it says. It fits
// the same schema; of a type that is not known nothing is left.
func withheld(typ string, schema int, data []byte) []byte {
	body, err := eventcodec.Decode(typ, schema, data)
	if err != nil {
		return []byte("{}")
	}
	e, ok := body.(facts.Event)
	if !ok {
		return []byte("{}")
	}
	_, _, short, err := eventcodec.Encode(facts.Withhold(e))
	if err != nil {
		return []byte("{}")
	}
	return short
}

// appendEvent appends an event as a CloudEvent; of an entry of the journal
// without what it says, unless the reader may know. Its leaf hash is that of the
// event in the log either way.
func (s *server) appendEvent(dst []byte, e *eventlog.Event, watches bool) ([]byte, error) {
	begin := len(dst)
	dst, err := s.options.Events.Append(dst, e)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	if watches || !strings.HasPrefix(e.Type, journalTypes) {
		return dst, nil
	}
	return append(dst[:begin], cut(dst[begin:], e)...), nil
}

// cut is a CloudEvent of an entry of the journal without what the entry says.
func cut(document []byte, e *eventlog.Event) []byte {
	const member = `"data":`
	return bytes.Replace(document, append([]byte(member), e.Data...), append([]byte(member), withheld(e.Type, e.SchemaVersion, e.Data)...), 1)
}

// anyOfJournal says whether some of the events are entries of the journal.
func anyOfJournal(events []eventlog.Event) bool {
	for i := range events {
		if strings.HasPrefix(events[i].Type, journalTypes) {
			return true
		}
	}
	return false
}
