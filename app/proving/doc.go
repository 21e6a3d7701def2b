// Package proving verifies the log against what was sealed of it: it brings the
// rows, the ledger's tiles and signed checkpoints, the archive and what was
// remembered outside before package verifier, which is an implementation of its
// own and shares nothing with who sealed them.
//
// Run is one verification, of the whole log or of a range. It is safe beside
// commands: it reads what was signed first and the events after that, so that
// what comes meanwhile is simply not yet signed. It holds no transaction open,
// needs no more than to read, and hashes on all processors.
//
// Rolling verifies in the service, all the time and with a bounded share of a
// processor: the recent part often, everything within a day. What it finds it
// raises once: as a critical finding in the organization concerned, in its
// journal, in /healthz and in the metrics. It never stops the log: commands are
// recorded as before, and what was found stays found until a verification of the
// same positions is clean.
//
// What cannot be read is an error, not a finding: a database that is away says
// nothing about the log.
package proving
