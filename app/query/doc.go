// Package query is what can be asked of Strata's read side: the questions, the
// limits of each, and the answers, which HTTP sends as they are.
//
// Answers come from read databases that follow the event log. Each carries the
// Position up to which it has seen the log: all of an answer is as of that one
// position. Whoever has just written something passes the position of that
// write as Read.MinPosition and gets an answer that contains it, or
// ErrProjectionBehind after Read.Wait, never a stale one.
//
// Every question names the organization it is asked for. The databases enforce
// it a second time by row-level security, so a forgotten filter finds nothing
// instead of somebody else's plan. What belongs to another organization is not
// found, exactly as if it did not exist.
package query
