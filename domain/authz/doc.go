// Package authz says which role may give which command, and which roles one
// member may not hold together (S4). Both are tables meant to be read.
//
// Deciders ask Check first, so no route into the system gets around it. What a
// member's roles are at a moment is the organization's to say (S13); rules that
// depend on what somebody did (S1, S3 …) live in the aggregates.
package authz
