// Package auditdb keeps the audit read database: a copy of every event, found by
// stream, strategy, subject, actor, role, type and time; and what can be said
// only from the events themselves: what differs between two moments, and what
// an answer about the past is folded from.
//
// Data and metadata are copied byte for byte, so what an auditor reads can be
// hashed against the log. Who, why and what caused it, and what it is about, are
// read out into columns of their own, to be searched. An event that cannot be
// read is kept all the same, with those columns empty: nothing is ever left out
// here because this release does not understand it. To compare or to fold, it
// has to be understood: there such an event is query.ErrIncomplete, not a guess.
//
// Reports about events are folded from the copy when they are asked for: the
// journal, how duties are kept apart, what changed since an attestation, where a
// number comes from. Nothing of them is kept, so nothing of them can be stale.
//
// Lists are merged from index scans that begin where the page begins (see list):
// how much else there is costs nothing.
package auditdb
