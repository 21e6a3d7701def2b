// Package stratml is the document model of StratML, the vocabulary of published
// plans: Part 1 (ISO 17469-1, StrategicPlan) and Part 2 (ANSI/AIIM 22,
// PerformancePlanOrReport), and the ports through which one is read and written.
//
// Real documents rarely follow their schema. What a reader may understand in
// spite of that it understands, and says so in a Deviation with the place;
// what nobody could understand for certain is refused, as a whole, with
// ErrRefused and the place. There is no third way: nothing is repaired
// silently and nothing is dropped.
//
// What of a document is recorded says Kept, and what two documents must have in
// common to be the same plan ContentHash: it is the hash of what is kept, so a
// document that is imported, exported and read again has the same. Names of
// persons are sealed before they are kept, or not kept at all: neither in the
// content nor in its hash is anything by which a name could be guessed.
//
// Texts are held with white space trimmed and collapsed, since indentation is
// part of the file and not of the plan. Identifiers and numbers are held as
// written. The file's own bytes are identified by Document.SHA256.
package stratml
