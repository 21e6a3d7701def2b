// Package evidence decides about the record of immutable bytes: what was
// collected, by which hash it is known, and what it is evidence of.
//
// The bytes themselves are elsewhere, under their own key; an event holds their
// SHA-256, so whoever has the bytes can tell that they are the ones. Evidence
// never changes: it is registered once, and links to what it concerns are only
// added. Another version of a document is other evidence that supersedes it; a
// copy without the names of persons is other evidence that redacts it.
package evidence
