// Package plansdb keeps and answers from the plans read database: strategies
// with their goals and objectives, indicators with their series, members and
// their roles, findings, evidence, sources and what they sent.
//
// Events are folded into rows in memory and written by one statement per table
// and batch. What an amendment does to a goal or a definition is not written
// down here a second time: the domain's own fold is asked.
//
// A strategy's elements and its frame have two contents: that of the working
// revision and that of the revision in force. Activation copies the one over the
// other, a withdrawn revision the other way, so the model never needs the log.
//
// What stands together in an answer but comes of different streams is put
// together when it is asked for: evidence beside a finding, the last message
// beside a source, the parts that a person has in things. What a source wrote is
// derived from the indicators' streams, what of it was rejected from its own.
//
// Lists walk one index in the order of positions (see walk), so that a page costs
// the same however long the list is.
//
// Answers about the past are made by the same writer from the events that
// query.Past gives: they are what was answered then. Of one strategy or indicator
// its events are folded in memory, from a snapshot on where there is one; of lists
// and reports all events of the organization are folded into a copy beside the
// live tables, which the same queries read (readdb.Recalls). An event that cannot
// be applied is query.ErrIncomplete. Copies and snapshots may be dropped at any
// time; a snapshot that is not what was written, or not what the events come to,
// is thrown away, counted and said in the log, and the answer is made without it.
//
// Who a person is, and what a file is called, is in this database as it is in the
// log: sealed. Nothing here can open it; app/names does, when an answer is made.
// In which places somebody is named or has signed is kept by ids (occurrences).
// The events of journals do not enter it.
package plansdb
