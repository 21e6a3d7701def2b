// Package ingest takes measurements in from registered sources: changes that
// happen outside are events, too.
//
// # What is believed
//
// A message is believed if its source is registered and active by its own
// stream in the log, and if the Ed25519 signature over source, message id and
// body is that source's (SigningText). Nothing secret is kept here: the register
// holds public keys. The body is one measurement or a list of at most MaxItems,
// and is read strictly (strictjson, exact member names, numbers with the text
// they came as).
//
// # What becomes of it
//
// Each measurement is decided for itself on its indicator's stream: a new key is
// recorded, another value corrects the one that is there with the reason
// source_restated, and the same value again leads to no event. What one message
// says about one indicator is one append. Measurements that are refused become
// events of the source (source.ingest-rejected), all of one message in one
// append, and the message's bytes become evidence: nothing that came in from a
// source that is known is lost.
//
// # Exactly one effect
//
// All ids (of commands, measurements, evidence) follow from source, message id
// and the item's place; command ids carry the body's hash. So a message that
// comes again, at any point of its way and after any crash, finds in the log
// what is there and adds only what is missing. The inbox, written last, answers
// the next repetition at once, refuses another body under the same id, and holds
// the sequence numbers that may not go back. It can be lost: repetitions are
// then decided again, item by item, and find themselves in the log.
//
// Messages of one source are decided one after the other, across instances: the
// inbox holds a lock per source meanwhile.
//
// # When it fails
//
// While the log, or the inbox, is away nothing is final: Take returns that fault
// and Answer.Settled is false; the same message again finds out. A suspended
// source and one over its rate are turned away in the same manner, and the first
// time in a minute leaves a record.
package ingest
