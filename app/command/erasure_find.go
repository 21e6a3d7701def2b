package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/app/redaction"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/ident"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/sealed"
)

// found is what there is of a person, by the log as of head.
type found struct {
	data      organization.PersonalData
	documents []*document
	places    PersonPlaces
	members   []string
	subjectID string
	head      int64
}

// document is a document that names the person and can still be opened.
type document struct {
	sha256    string
	size      int64
	mediaType string
	kind      evidence.Kind
	subjects  []string   // whom it names
	evidence  []string   // ids under which it is registered already
	importID  uuid.UUID  // of an import that brought it; zero for none
	importAt  *time.Time // when
	redacted  []byte     // the copy; nil if there can be none
}

// importAccepted is the wire type of what tells that another document has come.
const importAccepted = "source.import-accepted"

// find looks for everything about a person in the streams that the index names.
func (e *Erasure) find(ctx context.Context, organizationID uuid.UUID, subjectID string, s organization.State) (*found, error) {
	if !ident.Valid(subjectID) { // the decider says what is wrong with it
		return &found{}, nil
	}
	head, err := e.options.Log.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("head of the log: %w", err)
	}
	f := &found{subjectID: subjectID, head: head}
	for _, m := range s.MembersOf(subjectID) {
		f.members = append(f.members, m.ID)
	}
	if f.places, err = e.options.Persons.PersonalData(ctx, organizationID, subjectID, f.members, head); err != nil {
		return nil, fmt.Errorf("places of a person: %w", err)
	}
	f.data.Streams = f.places.Streams
	if len(f.members) > 0 {
		f.data.Streams = append(slices.Clip(f.data.Streams), e.organizations.executor.stream(organizationID))
	}
	for _, stream := range f.places.Signed {
		if err := e.signed(ctx, organizationID, stream, f); err != nil {
			return nil, err
		}
	}
	if err := e.documentsOf(ctx, organizationID, f); err != nil {
		return nil, err
	}
	return f, e.redact(ctx, organizationID, f)
}

// signed notes when the person signed or countersigned something in a stream.
func (e *Erasure) signed(ctx context.Context, organizationID uuid.UUID, stream string, f *found) error {
	for after := int64(0); ; after += eventsAtATime {
		events, err := e.options.Log.ReadStream(ctx, organizationID, stream, after, eventsAtATime)
		if err != nil {
			return fmt.Errorf("read %s: %w", stream, err)
		}
		for _, event := range events {
			m, err := eventlog.DecodeMetadata(event.Metadata)
			if err != nil {
				return fmt.Errorf("read %s: version %d: %w", stream, event.Version, err)
			}
			if m.Signature != nil && slices.Contains(f.members, m.Signature.SignerID) ||
				m.Countersignature != nil && slices.Contains(f.members, m.Countersignature.SignerID) {
				f.data.Signed = append(f.data.Signed, event.RecordedAt)
			}
		}
		if len(events) < eventsAtATime {
			return nil
		}
	}
}

// documentsOf gathers the documents that name the person, by imports and evidence.
func (e *Erasure) documentsOf(ctx context.Context, organizationID uuid.UUID, f *found) error {
	by := map[string]*document{}
	at := func(sha256 string) *document {
		if by[sha256] == nil {
			by[sha256] = &document{sha256: sha256}
			f.documents = append(f.documents, by[sha256])
		}
		return by[sha256]
	}
	for _, id := range f.places.Imports {
		importID, err := uuid.Parse(id)
		if err != nil {
			return fmt.Errorf("import %q: %w", id, err)
		}
		a, err := e.imports.accepted(ctx, organizationID, importID)
		if err != nil {
			return fmt.Errorf("import %s: %w", id, err)
		}
		if !slices.Contains(a.Subjects, f.subjectID) {
			continue // the log does not say so
		}
		run, ok, err := e.options.Imports.Run(ctx, organizationID, importID)
		if err != nil {
			return err
		}
		if !ok || run.State == ImportAccepted || run.State == ImportApplying {
			return errImportRunning.Detailf("Import %s names the person and is still being applied: wait for it.", id)
		}
		d, at := at(a.DocumentSHA256), a.AcceptedAt
		d.size, d.mediaType, d.kind = int64(a.Size), stratMLMedia, evidence.ImportOriginal
		d.subjects, d.importID, d.importAt = union(d.subjects, a.Subjects), importID, &at
	}
	for _, id := range f.places.Evidence {
		registered, err := e.registered(ctx, organizationID, id)
		if err != nil {
			return err
		}
		if !slices.Contains(registered.SubjectsInside, f.subjectID) {
			continue
		}
		d := at(registered.SHA256)
		d.evidence = append(d.evidence, id)
		d.subjects = union(d.subjects, registered.SubjectsInside)
		if d.kind == "" {
			d.size, d.mediaType, d.kind = registered.Size, registered.MediaType, registered.Kind
		}
	}
	return nil
}

// stratMLMedia is the media type of imported documents.
const stratMLMedia = "application/xml"

// registered reads what was said of a piece of evidence when it was registered.
func (e *Erasure) registered(ctx context.Context, organizationID uuid.UUID, id string) (evidence.Registered, error) {
	stream := "evidence-" + id
	events, err := e.options.Log.ReadStream(ctx, organizationID, stream, 0, 1)
	if err != nil || len(events) != 1 {
		return evidence.Registered{}, errors.Join(fmt.Errorf("read %s: %d events", stream, len(events)), err)
	}
	body, err := eventcodec.Decode(events[0].Type, events[0].SchemaVersion, events[0].Data)
	if err != nil {
		return evidence.Registered{}, fmt.Errorf("read %s: %w", stream, err)
	}
	registered, ok := body.(evidence.Registered)
	if !ok {
		return evidence.Registered{}, fmt.Errorf("read %s: it begins with %s", stream, events[0].Type)
	}
	return registered, nil
}

// redact makes the copies, in memory, and lists what is to be erased.
func (e *Erasure) redact(ctx context.Context, organizationID uuid.UUID, f *found) error {
	persons := e.options.Personal
	who := redaction.Person{Is: func(known string) (bool, error) {
		id, err := persons.SubjectOf(ctx, organizationID, known)
		return id.String() == f.subjectID, err
	}}
	for _, text := range f.places.Texts {
		plain, ok, err := persons.Open(ctx, organizationID, text)
		if err != nil && !errors.Is(err, personal.ErrForged) {
			return fmt.Errorf("open what says who subject %s is: %w", f.subjectID, err)
		}
		if ok {
			who.Texts = union(who.Texts, personal.Says(plain).Texts())
		}
	}
	present := f.documents[:0]
	for _, d := range f.documents {
		content, err := e.options.Imports.Original(ctx, organizationID, d.sha256)
		switch {
		case errors.Is(err, personal.ErrErased):
			continue // for this person or another: whoever is in it, nobody reads it
		case errors.Is(err, ErrNoOriginal): // lost: there is nothing to copy, and a backup may have it
		case err != nil:
			return fmt.Errorf("document %s: %w", d.sha256, err)
		default:
			if err := d.redact(content, who); err != nil {
				return err
			}
			if d.redacted == nil {
				f.data.NoCopy = append(f.data.NoCopy, d.sha256)
			}
		}
		f.data.KeyIDs = append(f.data.KeyIDs, sealed.Document(d.sha256))
		if d.redacted != nil {
			f.data.Redacted = append(f.data.Redacted, copyID(organizationID, f.subjectID, d.sha256).String())
		}
		present = append(present, d)
	}
	f.documents = present
	return nil
}

func (d *document) redact(content []byte, who redaction.Person) error {
	if d.mediaType != stratMLMedia && d.mediaType != "text/xml" {
		return nil
	}
	redacted, err := redaction.StratML(content, who)
	if errors.Is(err, redaction.ErrNoCopy) {
		return nil
	}
	d.redacted = redacted
	return err
}

// unmoved says whether nothing more is known of a person than was found; if so,
// it is known as of now.
func (e *Erasure) unmoved(ctx context.Context, organizationID uuid.UUID, subjectID string, s organization.State, f *found) error {
	head, err := e.options.Log.Head(ctx)
	if err != nil {
		return fmt.Errorf("head of the log: %w", err)
	}
	now, err := e.options.Persons.PersonalData(ctx, organizationID, subjectID, f.members, head)
	if err != nil {
		return fmt.Errorf("places of a person: %w", err)
	}
	copied := func(id string) bool { return slices.Contains(f.data.Redacted, id) || f.isOriginal(organizationID, id) }
	if !slices.Equal(now.Imports, f.places.Imports) ||
		!slices.Equal(slices.DeleteFunc(now.Evidence, copied), slices.DeleteFunc(slices.Clone(f.places.Evidence), copied)) ||
		len(s.MembersOf(subjectID)) != len(f.members) {
		return errMoved
	}
	f.head = head
	return nil
}

func union(a, b []string) []string {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}
