package plansdb

import (
	"fmt"

	"strata.dev/strata/domain/evidence"
)

func (w *writer) foldEvidence(c *change, e evidence.Event) error {
	row := w.evidence.Get(c.ref)
	if registered, first := e.(evidence.Registered); first {
		if row != nil {
			return fmt.Errorf("the evidence is registered already")
		}
		row = &evidenceRow{
			org: c.org, id: c.id, registered: c.position, kind: string(registered.Kind), sha256: registered.SHA256, size: registered.Size,
			mediaType: registered.MediaType, sourceID: c.source.ID, subjects: registered.SubjectsInside,
			collectedAt: registered.CollectedAt.UTC(), registeredAt: c.at, registeredBy: c.by.ID, fileName: registered.FileName,
		}
		for _, id := range registered.SubjectsInside {
			w.inside.Put(part{c.ref, id}, &insideRow{org: c.org, evidenceID: c.id, id: id, version: c.version})
		}
	}
	if row == nil {
		return fmt.Errorf("the evidence was never registered")
	}
	if err := follows(c, row.version); err != nil {
		return err
	}
	if e, ok := e.(evidence.Linked); ok {
		w.links.Put(approvalKey{c.org, c.position}, &linkRow{
			org: c.org, linked: c.position, version: c.version, evidenceID: c.id, relation: string(e.Relation),
			targetType: e.Target.Type, targetID: e.Target.ID, revision: int32(e.Target.Revision), eventID: e.Target.EventID,
			note: e.Note, linkedAt: c.at, linkedBy: c.by.ID,
		})
		row.links++
	}
	row.version = c.version
	w.evidence.Put(c.ref, row)
	return nil
}
