// Package testenv gives tests real servers: a PostgreSQL and a RabbitMQ as
// production has them, with a fresh migrated database or a fresh vhost per test.
//
// Which servers: those of STRATA_TEST_PG_URL (a superuser's URL) and
// STRATA_TEST_AMQP_URL with STRATA_TEST_AMQP_ADMIN (the management API's URL) if
// set, as tests/testenv/run does for a whole `go test ./...`. Otherwise the test
// process starts private ones when the first test asks, and Main stops them.
//
// A database is made in about 50 ms as a copy of a template that was migrated
// once per cluster and per content of the migrations folder; test processes that
// run side by side agree on who migrates through an advisory lock. What a test
// got is removed when it ends, also when it fails. A killed test process leaves
// its databases behind; they go with the private server they are in.
//
// A test that crashes a server starts its own (StartPostgres, StartRabbitMQ):
// the shared ones are never stopped. If a server cannot be started the test
// fails with the reason; nothing here skips.
package testenv
