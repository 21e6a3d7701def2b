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
// Answers about the past are folded in memory, by the same writer, from the
// events that query.Past gives: they are what was answered then. An event that
// cannot be applied there is query.ErrIncomplete.
//
// Sealed members of stakeholders (who a person is) and sealed names of files do
// not enter this database, nor do the events of journals.
package plansdb
