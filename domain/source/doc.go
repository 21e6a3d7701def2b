// Package source decides what comes in from outside: which documents are
// imported, and what is refused at the door.
//
// A source is a channel through which an organization takes things in: external
// systems that write measurements, and files.
//
// An external system is registered by a data steward, with the key that its
// messages are signed with, the indicators it may write and how often it may
// come. Its key and terms change only by suspending and reinstating it, so that
// the log says for every message which terms held. Only public keys are kept:
// nothing in the log lets anybody speak for a source. What it sent and was
// refused is counted for an hour, to the minute, since it was last reinstated;
// somebody else decides what too much is.
//
// Each organization has one source for StratML files, whose id follows from the
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
