// Package stratml tests StratML as its users meet it: documents go in over
// HTTP, strategies come out as documents that are valid by the official schemas,
// and what is refused leaves one event and nothing else. The numbers expected of
// the published documents are those counted in the files.
package stratml
