// Package redaction makes copies of documents without a person.
//
// A document that is kept as it came names people in clear, under a key of the
// document's own. Before that key is destroyed, what the document says about
// everything else is saved: [StratML] rewrites the XML byte for byte, except
// where it says who the person is. Everything that is said of the person as a
// stakeholder, or as the submitter, goes as a whole; the name itself goes
// wherever else it stands, in texts, attributes and comments.
//
// # When it fails
//
// A copy that would still hold the name, or a document that is no XML that can
// be read for certain, is [ErrNoCopy]: no copy is better than one that only
// looks clean. What nobody can find by a name (a nickname, a surname alone in a
// free text) stays: redaction is by the names that are known.
package redaction
