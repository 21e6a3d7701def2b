// Package plansdb keeps and answers from the plans read database: strategies
// with their goals and objectives, indicators with their series, members and
// their roles.
//
// Events are folded into rows in memory and written by one statement per table
// and batch. What an amendment does to a goal or a definition is not written
// down here a second time: the domain's own fold is asked.
//
// A strategy's elements and its frame have two contents: that of the working
// revision and that of the revision in force. Activation copies the one over the
// other, a withdrawn revision the other way, so the model never needs the log.
//
// Answers about the past are folded in memory, by the same writer, from the
// events that query.Past gives: they are what was answered then. An event that
// cannot be applied there is query.ErrIncomplete.
//
// Sealed members of stakeholders (who a person is) do not enter this database.
package plansdb
