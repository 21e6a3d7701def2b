// Package process decides what follows across aggregates: one aggregate's event
// is another one's command. Everything here is a function of an event and of
// the present state of the aggregates it concerns; nothing reads a clock, a
// stream or a random number.
//
// # The processes
//
//	Succession   a strategy comes into force that replaces another one: the other is closed, its indicators go on under
//	             the objectives with the same identifier, the rest ends. Two of one lineage in force: the newer is on hold.
//	Hold         a grave finding is raised about a strategy in force: it is on hold until the finding is settled.
//	Breach       an indicator of a strategy in force goes off track: a finding, assigned to the indicator's owner.
//	Rejections   a source sends too much that is refused: it is suspended; a finding, assigned to its steward.
//	Deadlines    what expires is ended; what is overdue, stale or due is said.
//	Offboarding  a member leaves: whatever is theirs to do is named.
//
// Importing a document is a process, too, but not one of these: package command
// runs it, as chunks of one accepted import, and resumes it by itself.
//
// # Present state
//
// A decider is given the state as it is now, not as it was when the event was
// recorded. Reading an old log again therefore does only what still has to be
// done, and deciding twice does nothing twice: a step that was taken shows in
// the state. Where it would not show (a finding that has been closed since, a
// suspension that has been lifted), the decider asks whether that came after
// the event, and leaves alone what somebody has decided in view of it.
//
// # Steps
//
// A step has a name that is unique among those of one cause. Whoever runs it
// derives the command's id from cause, process and name, so that a step that
// was taken is not taken again, even by somebody who has not heard of it yet.
// Steps are in the order in which they are taken, and each must make sense
// when those before it were taken long ago, or refused.
package process
