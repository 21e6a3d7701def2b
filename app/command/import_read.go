package command

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/sealed"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
)

// reading is a document, and what is kept of it.
type reading struct {
	doc, kept *stratml.Document
	omitted   []stratml.Deviation
	subjects  []string // ids of the persons it names, sorted; also of those who were erased: the document names them all the same
	submitter string   // sealed
}

// read parses a document and gives what is kept of it: persons sealed, or
// withheld if there is no key store. A repetition gives the same, unless a
// person was erased in between.
func (i *Imports) read(ctx context.Context, organizationID uuid.UUID, document []byte, assume stratml.DocumentType, day calendar.Date) (reading, error) {
	doc, err := i.options.Documents.Parse(ctx, bytes.NewReader(document), stratml.Options{AssumeType: assume})
	if err != nil {
		return reading{}, err
	}
	r := reading{doc: doc}
	persons := i.options.Personal
	if persons == nil {
		r.kept, r.omitted = doc.Kept(string(day))
		return r, nil
	}
	found, err := i.sealAll(ctx, organizationID, doc, day)
	if err != nil {
		return reading{}, fmt.Errorf("seal the persons of a document: %w", err)
	}
	named, next := map[string]bool{}, 0
	r.kept, r.omitted, err = doc.KeptSealed(string(day), func(stratml.Stakeholder) (string, bool, error) {
		one := found[next]
		next++
		named[one.subjectID] = true
		return one.text, one.erased, nil
	})
	if err != nil {
		return reading{}, err
	}
	if s := doc.Submitter; s != nil && !s.Empty() {
		var subjectID string
		r.submitter, subjectID, err = sealSubmitter(ctx, persons, organizationID, *s)
		switch {
		case errors.Is(err, personal.ErrDestroyed):
			named[subjectID] = true
			r.omitted = append(r.omitted, stratml.Deviation{Code: stratml.PersonErased, Line: 1, Column: 1, Path: doc.SubmitterPath()})
		case err != nil:
			return reading{}, fmt.Errorf("seal the submitter of a document: %w", err)
		default:
			named[subjectID] = true
		}
	}
	for id := range named {
		r.subjects = append(r.subjects, id)
	}
	slices.Sort(r.subjects)
	return r, nil
}

// parallelSeals is how many persons of a document are sealed at a time: each who
// is new takes some answers of the key store.
const parallelSeals = 16

// sealedPerson is a stakeholder of a document, sealed.
type sealedPerson struct {
	text, subjectID string
	erased          bool
}

// sealAll seals the persons of a document, in the order in which KeptSealed asks.
func (i *Imports) sealAll(ctx context.Context, organizationID uuid.UUID, doc *stratml.Document, day calendar.Date) ([]sealedPerson, error) {
	var persons []strategy.Stakeholder
	_, _, err := doc.KeptSealed(string(day), func(s stratml.Stakeholder) (string, bool, error) {
		persons = append(persons, stakeholdersOf([]stratml.Stakeholder{s})...)
		return "", false, nil
	})
	if err != nil {
		return nil, err
	}
	// Before anybody gets a key. The submitter may be one more.
	distinct := map[string]bool{}
	for _, p := range persons {
		distinct[cmp.Or(p.Name, p.Description)] = true
	}
	if len(distinct) >= source.MaxSubjects {
		return nil, refusal.Invalid.Detailf("The document names %d persons; less than %d are taken.", len(distinct), source.MaxSubjects)
	}
	found := make([]sealedPerson, len(persons))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelSeals)
	for n, person := range persons {
		g.Go(func() error {
			out, subjectID, err := i.options.Personal.SealStakeholder(ctx, organizationID, person)
			if errors.Is(err, personal.ErrDestroyed) {
				found[n] = sealedPerson{subjectID: subjectID, erased: true}
				return nil
			}
			found[n] = sealedPerson{text: out.Sealed, subjectID: subjectID}
			return err
		})
	}
	return found, g.Wait()
}

// submitter is what is sealed of who submitted a document.
type submitter struct {
	Identifier   string `json:"identifier,omitempty"`
	GivenName    string `json:"givenName,omitempty"`
	Surname      string `json:"surname,omitempty"`
	PhoneNumber  string `json:"phoneNumber,omitempty"`
	EmailAddress string `json:"emailAddress,omitempty"`
}

// sealSubmitter seals for the subject of the submitter's name; of the address or
// number if there is no name.
func sealSubmitter(ctx context.Context, persons *personal.Sealer, organizationID uuid.UUID, s stratml.Submitter) (text, subjectID string, err error) {
	name := stratml.Collapse(s.GivenName + " " + s.Surname)
	id, err := persons.SubjectOf(ctx, organizationID, cmp.Or(name, s.EmailAddress, s.PhoneNumber))
	if err != nil {
		return "", "", err
	}
	plain, err := eventlog.Canonical(submitter(s))
	if err != nil {
		return "", "", err
	}
	text, err = persons.Seal(ctx, organizationID, id.String(), string(plain))
	return text, id.String(), err
}

// sealFileName seals what a document's file is called, with the document's key.
func (i *Imports) sealFileName(ctx context.Context, organizationID uuid.UUID, sha256, name string) (string, error) {
	persons := i.options.Personal
	if persons == nil || name == "" {
		return "", nil
	}
	text, err := persons.Seal(ctx, organizationID, sealed.Document(sha256), name)
	if errors.Is(err, personal.ErrDestroyed) {
		return "", personal.ErrErased.Detailf("This document was erased, and is not taken in again.").Because(err)
	}
	return text, err
}
