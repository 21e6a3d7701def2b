package plansdb

import (
	"bytes"
	"strings"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/internal/readdb"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/sealed"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
)

// occurrenceKey says who occurs where, and as what.
type occurrenceKey struct {
	org    uuid.UUID
	person string // a subject, or, of a signer, a member
	part   string // query.ActsAsStakeholder, ActsAsSubject or ActsAsSigner
	kind   string // of thing: a kind of aggregate, or import
	id     string // of the thing
}

// occurrenceRow is a place where a person occurs. It is written again with every
// event of the place that names them, so it says the latest.
type occurrenceRow struct {
	org     uuid.UUID
	key     occurrenceKey
	stream  string
	version int64
	text    string // sealed: what says who it is; "" where nothing does
}

// erasureRow is an erasure of personal data.
type erasureRow struct {
	org       uuid.UUID
	position  int64
	version   int64
	subjectID string
	eventID   uuid.UUID
	erasedAt  time.Time
	event     organization.PersonalDataErased
}

var (
	occurrencesTable = readdb.NewTable("occurrences", 5, "version",
		readdb.UUIDCol("organization_id", func(r *occurrenceRow) *uuid.UUID { return &r.org }),
		readdb.Col("person_id", "text", func(r *occurrenceRow) *string { return &r.key.person }),
		readdb.Col("part", "text", func(r *occurrenceRow) *string { return &r.key.part }),
		readdb.Col("type", "text", func(r *occurrenceRow) *string { return &r.key.kind }),
		readdb.Col("id", "text", func(r *occurrenceRow) *string { return &r.key.id }),
		readdb.Col("version", "bigint", func(r *occurrenceRow) *int64 { return &r.version }),
		readdb.Col("stream", "text", func(r *occurrenceRow) *string { return &r.stream }),
		readdb.Col("sealed", "text", func(r *occurrenceRow) *string { return &r.text }),
	)
	erasuresTable = readdb.NewTable("erasures", 2, "version",
		readdb.UUIDCol("organization_id", func(r *erasureRow) *uuid.UUID { return &r.org }),
		readdb.Col("position", "bigint", func(r *erasureRow) *int64 { return &r.position }),
		readdb.Col("version", "bigint", func(r *erasureRow) *int64 { return &r.version }),
		readdb.Col("subject_id", "text", func(r *erasureRow) *string { return &r.subjectID }),
		readdb.UUIDCol("event_id", func(r *erasureRow) *uuid.UUID { return &r.eventID }),
		readdb.Col("erased_at", "timestamptz", func(r *erasureRow) *time.Time { return &r.erasedAt }),
		readdb.JSONCol("event", func(r *erasureRow) *organization.PersonalDataErased { return &r.event }),
	)
)

// noteOccurrences keeps in which streams somebody is named, by what the event
// holds sealed, and who signed what. Sealed texts are found wherever they stand:
// a fold that knew each place would miss the next one.
func (w *writer) noteOccurrences(c *change) {
	var kind string
	switch c.body.(type) {
	case organization.Event:
		kind = "organization"
	case strategy.Event:
		kind = "strategy"
	case indicator.Event:
		kind = "indicator"
	case finding.Event:
		kind = "finding"
	case evidence.Event:
		kind = "evidence"
	case source.Event:
		kind = "source"
	default: // of the journal, which names nobody
		return
	}
	note := func(part, kind, id, person, text string) {
		k := occurrenceKey{c.org, person, part, kind, id}
		w.occurrences.Put(k, &occurrenceRow{org: c.org, key: k, stream: c.stream, version: c.version, text: text})
	}
	for _, text := range c.sealed {
		subject := sealed.Subject(text)
		if strings.HasPrefix(subject, sealed.Document("")) {
			continue // the name of a file, under the file's own key
		}
		part := query.ActsAsSubject
		if kind == "strategy" {
			part = query.ActsAsStakeholder
		}
		note(part, kind, c.id, subject, text)
	}
	if e, ok := c.body.(source.ImportAccepted); ok {
		for _, id := range e.Subjects {
			note(query.ActsAsSubject, "import", e.ImportID, id, "")
		}
	}
	for _, id := range c.signers {
		note(query.ActsAsSigner, kind, c.id, id, "")
	}
}

// sealedIn are the sealed texts in canonical JSON, each once.
func sealedIn(document []byte) (texts []string) {
	const opening = `"v1.`
	for {
		at := bytes.Index(document, []byte(opening))
		if at < 0 {
			return texts
		}
		document = document[at+1:]
		end := bytes.IndexByte(document, '"') // none of its characters is ever escaped
		if end < 0 {
			return texts
		}
		if text := string(document[:end]); sealed.Valid(text) && (len(texts) == 0 || texts[len(texts)-1] != text) {
			texts = append(texts, text)
		}
		document = document[end:]
	}
}

// named leaves out who is nobody.
func named(ids ...string) (all []string) {
	for _, id := range ids {
		if id != "" {
			all = append(all, id)
		}
	}
	return all
}
