// Package source decides what comes in from outside: which documents are
// imported, and what is refused at the door.
//
// A source is a channel through which an organization takes things in. Each
// organization has one for StratML files, whose id follows from the
// organization's and which nobody registers. Its stream is the register of
// imports: an accepted one says what the document holds, where it differs from
// its schema, and which strategy it becomes; a refused one says why and where.
// Neither says what the document says: contents go to the strategy, and what is
// refused goes nowhere.
//
// Accepting comes before anything of the plan is written, in an append of its
// own. What it records is all that is needed to go on with the import after a
// crash, so the plan that is applied is the one that was accepted, whatever was
// changed meanwhile.
package source
