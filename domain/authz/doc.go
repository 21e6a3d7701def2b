// Package authz says which role may give which command, and which roles one
// member may not hold together (S4). Both are tables meant to be read.
//
// Deciders ask Check first, so no route into the system gets around it. What a
// member's roles are at a moment is the organization's to say (S13); rules that
// depend on what somebody did (S1, S3 …) live in the aggregates.
//
// What signing takes is here, too, for it is the same everywhere: a sign-in of
// at most five minutes ago (S11), and for what two persons must answer for (S8,
// S15) the word of a second one, given to exactly this command within a day. A
// command that lacks either is refused and leaves nothing behind: there is no
// half-authorized state to forget.
package authz
