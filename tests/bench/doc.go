// Command bench measures Strata against its rivals on this machine and prints
// one table.
//
// Everything runs in one process against one private PostgreSQL and one private
// RabbitMQ with durability on (fsync, synchronous_commit, persistent messages in
// quorum queues, publisher confirms). Each section runs its rivals interleaved,
// -reps times, and reports medians: absolute numbers of a shared machine move by
// 15 % and more between runs, the ratios inside one table do not. Load generator,
// service, database and broker share the cores, as they do on a developer's
// machine; nothing is pinned.
//
// The rivals are what a good team would write first with the same libraries:
// a transaction per command through pgx, watermill-sql with watermill-amqp at
// their best settings, an Echo handler that runs the plain transaction. The
// limits are what the servers can do when nothing else is asked of them: a
// single-row INSERT per transaction, COPY, raw pipelined publishing.
package main
