// Package faults kills things while clients work: the service, PostgreSQL and
// RabbitMQ, each alone and together, and the network between service and
// database at the moment of a commit. After every fault the whole history is
// judged: what clients were told, what the log holds, what a consumer got.
//
// The faults come at random times; STRATA_TEST_SEED repeats a run's choices as
// far as the machine lets it. Every test prints its seed and what it did.
package faults
