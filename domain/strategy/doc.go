// Package strategy decides how a plan comes about, who answers for it, and when
// it is in force.
//
// A strategy has at most one working revision, which is edited as a draft,
// frozen by its submission, and comes into force by its activation; and at most
// one revision in force, which is never edited. A submission computes the
// content hash (content.go) over the plan and a digest of the indicators' own
// definitions and targets. Approvals and the activation name the hash their
// person saw: whoever looked at another content is refused, and any return to
// draft voids the approvals given.
//
// A strategy in force can be put on hold by orders and by findings: plans and
// facts go on, but no revision comes into force and no period is attested until
// nothing blocks it. Closing it is final. lifecycle_test.go has the whole table.
//
// Independence is between persons: nobody approves a revision they had a part in
// (S1), the activator is not the submitter (S3), machines never sign (S12).
// Who had a part is folded from who made the events, so it cannot be left out
// of a command; authors of indicators, whose events are in other streams, come
// with the submission.
package strategy
