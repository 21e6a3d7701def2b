// Package pack makes evidence packs: a zip file that holds what was recorded of
// an entity or an organization in a span, and everything that is needed to prove
// it to somebody who has no access to the service.
//
// # What is in it
//
//	README.txt           what this is, and how to check it
//	about.json           what was asked for, and what is said to be complete
//	checkpoint           the log's signed checkpoint that covers the span
//	consistency.json     an older checkpoint, before the span, and the proof that the log only grew
//	events.ndjson        the events, as the archive writes them: the bytes that were hashed
//	events.csv           the same for spreadsheets
//	proofs.ndjson        for every event the proof that the checkpoint covers it
//	report.html          the same for people; it needs nothing but a browser and runs nothing
//	states/before.json   what was known in front of the first event,
//	states/after.json    and behind the last
//	evidence/            bytes of evidence, if asked for and the asker may read them
//	keys.txt             the keys that the service says it signs with
//	verifier/            the source of a verifier that shares no code with the service
//	manifest.json        SHA-256 of every other file, and what is complete, in numbers
//
// Completeness is stated in numbers: sequences a to b of the organization, or
// versions a to b of the stream, without a gap. Organization sequences are part
// of what is hashed, so leaving an event out shows.
//
// # The same question, the same bytes
//
// A pack of a closed span is the same file whenever it is made: times in the zip
// are fixed, files are in the order of their names (the manifest last), and the
// checkpoint is the oldest one that covers the span.
//
// # When something fails
//
// What has not been sealed yet is waited for; if the ledger does not seal, the
// pack is refused rather than made without proofs. A pack is written once from
// start to end in bounded memory: after an error what was written is no zip file.
package pack
