package eventlog

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

const (
	maxName          = 200 // bytes of a stream id or an event type
	maxSchemaVersion = 1<<31 - 1
)

// Bytes is what the command weighs: the data and metadata of its events.
func (c Command) Bytes() int {
	n := 0
	for i := range c.Events {
		n += len(c.Events[i].Data) + len(c.Events[i].Metadata)
	}
	return n
}

// Validate says why no log can record the command: ErrTooLarge, or a mistake of
// the program that made it. Appenders call it before anything is sent.
func (c Command) Validate() error {
	switch {
	case c.ID == uuid.Nil:
		return fmt.Errorf("append to %q: the command has no id", c.StreamID)
	case len(c.Hash) != sha256.Size:
		return fmt.Errorf("append to %q: the command's hash has %d bytes, not the %d of SHA-256", c.StreamID, len(c.Hash), sha256.Size)
	case c.OrganizationID == uuid.Nil:
		return fmt.Errorf("append to %q: the command has no organization", c.StreamID)
	case !name(c.StreamID):
		return fmt.Errorf("append: %q is no stream id (1 to %d printable ASCII characters)", c.StreamID, maxName)
	case c.ExpectedVersion < 0:
		return fmt.Errorf("append to %q: expected version %d is negative", c.StreamID, c.ExpectedVersion)
	case len(c.Events) == 0:
		return fmt.Errorf("append to %q: the command has no events", c.StreamID)
	case len(c.Events) > MaxEventsPerCommand:
		return ErrTooLarge.Detailf("%d events, at most %d are recorded at once.", len(c.Events), MaxEventsPerCommand)
	}
	if err := c.Quiet.validate(); err != nil {
		return fmt.Errorf("append to %q: %w", c.StreamID, err)
	}
	for i, e := range c.Events {
		switch {
		case e.ID == uuid.Nil:
			return fmt.Errorf("append to %q: event %d has no id", c.StreamID, i)
		case !name(e.Type):
			return fmt.Errorf("append to %q: %q is no event type (1 to %d printable ASCII characters)", c.StreamID, e.Type, maxName)
		case e.SchemaVersion < 1 || e.SchemaVersion > maxSchemaVersion:
			return fmt.Errorf("append to %q: event %d has schema version %d", c.StreamID, i, e.SchemaVersion)
		case len(e.Data)+len(e.Metadata) > MaxEventBytes:
			return ErrTooLarge.Detailf("Event %d has %d bytes, at most %d are recorded.", i, len(e.Data)+len(e.Metadata), MaxEventBytes)
		}
	}
	if n := c.Bytes(); n > MaxCommandBytes {
		return ErrTooLarge.Detailf("The command's events have %d bytes together, at most %d are recorded at once.", n, MaxCommandBytes)
	}
	return nil
}

func (q *Quiet) validate() error {
	switch {
	case q == nil:
		return nil
	case q.After < 0:
		return fmt.Errorf("quiet after position %d", q.After)
	case len(q.Types) == 0:
		return errors.New("quiet about no type of event")
	}
	for _, t := range q.Types {
		if !name(t) || strings.Contains(t, ",") {
			return fmt.Errorf("quiet about %q, which is no event type", t)
		}
	}
	return nil
}

func name(s string) bool {
	for i := range len(s) {
		if s[i] < '!' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}
