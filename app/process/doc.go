// Package process runs the processes across aggregates that domain/process
// decides.
//
// # The way of an event
//
// Handle is the handler of one consumer group over the whole log. It looks at
// the types of a batch first: events that no process cares about cost a look
// into a table and nothing else. For the others it reads the aggregates that
// the process asks about, lets domain/process decide, and gives the commands
// through package command, as everybody does: a process has no way around a
// rule. What is recorded names the process as the actor and the event as the
// cause, and keeps the correlation.
//
// # Once
//
// The group sees a batch again after a failure. A command's id is derived from
// cause, process and step, its hash likewise, so the log refuses to record it
// twice; ids of what is made (findings, timers, reminders) follow from the cause
// too. Two instances that overlap, a cursor set back to the start and a crash
// between any two steps therefore record what one run records. Deciders look at
// the present state, so that an old log leads only to what is still to be done.
//
// # What can go wrong
//
// A step that is refused because the state has moved on, or because somebody
// took a role away, is an outcome: it is logged and counted, and the process
// goes on with its next step. What cannot be reached is an error, and the batch
// comes again, however long that takes: the log waits. An event whose body, or
// whose aggregate, cannot be read by anybody is poison: the group parks its
// stream, everything else flows. So is one for which a read database would have
// to be asked that has parked something of the same organization itself: one
// organization's trouble does not stop the others' processes.
//
// # Timers
//
// What is to happen later is stored beside the log. A timer says when and about
// what; what to do is decided when it fires, from the state of then. FireTimers
// runs on every instance and works on the one that leads the group. A timer's
// effects have ids derived from it, and it ends after them: dying in between
// repeats what is recognised as done. A clock that goes back delays timers and
// repeats none. Lost timers come back by reading the log again.
package process
