// Package finding decides what becomes of a recorded deviation: who answers for
// it, how it is remedied or its risk accepted, and who may say that it is over.
//
// A finding is open until somebody is assigned, and ends only by being closed
// (remediated, or dismissed for a reason) or while its risk is accepted, which
// is for a time. Whoever ever owned it or submitted its remediation never closes
// it (S6), nor does whoever ever owned it or raised it accept its risk (S7);
// machines do neither (S12). Reopening is a fact like any other: what was
// decided before stays in the log, and a second person's word for accepting the
// risk counts no more. Being overdue is no event but a question to the clock.
package finding
