// Package erasure erases a person from a running installation that has imported
// real documents, and then looks for them everywhere: in every answer to every
// role, in every column of every database, in the archive, in messages, in logs,
// and in a backup from before. What is left has to prove what it proved.
package erasure
