// Package journal records how the service itself is used: refusals, failed
// sign-ins, reads of audit data; and what processes and the verification of
// read models have to say. Everything goes into the event log, one stream per
// organization, where no command ever looks at it.
//
// What happens often is counted. The first of a kind is written at once, and
// whoever caused it waits for that, but not long. Repetitions within a window
// are added up and written as one event when the window ends, and when the
// recorder is closed. A kind is who did what, by which rule, to what; it stays
// open as long as it is repeated in every window, so a flood is one event at
// once and one per window.
//
// Memory is bounded in three steps. Who has many kinds open is counted without
// the targets; beyond the number of kinds that are held, one count per
// organization takes all that comes; and where even those would be too many,
// only a number is kept, and logged. Counts stay right in the first two.
//
// The log may be away. Then nobody waits and no answer changes: what could not
// be written is kept, up to a bound, beyond which kinds are counted together,
// and written once the log is back. A command whose outcome is unknown is sent
// again under the same id. What is in memory when a process dies without Close
// is lost: that is repetitions of at most one window, and what waited for the log.
//
// Several instances write the same streams. Each remembers the version it knows
// and learns the next from being refused, so nothing is read.
package journal
