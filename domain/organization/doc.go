// Package organization decides who belongs to an organization and what they may do.
//
// An organization is registered by an operator together with its first
// administrator and its first compliance officer; from then on administrators
// enrol members and grant and revoke roles. It always keeps somebody who can
// administer it and somebody who can answer for compliance (S5), and no member
// ever holds roles that would let them check themselves (S4).
//
// Its governance policy says what a revision needs before it comes into force
// (S2) and how findings, risks, records and sources are dealt with. A stricter
// policy takes one compliance officer; a weaker one, like releasing a legal
// hold and erasing what says who a person is, takes two (S8). A shorter retention
// shortens nothing that is there. What a legal hold covers is not erased (R13),
// nor the name of somebody whose signature is still retained (R12).
//
// Other aggregates ask State for the roles a member holds at the moment of a
// decision (S13), whatever a token says.
package organization
