// Package rabbitmq announces events on RabbitMQ and takes messages from it,
// behind Watermill's Publisher and Subscriber.
//
// # Publishing
//
// Publish returns nil when the broker has every message of the batch in a
// queue and has said so (publisher confirms, pipelined, at most a window of
// them outstanding). Everything else is an error and the batch is published
// again: at least once, never lost. One deadline covers the whole batch.
//
// One channel carries everything, so a queue gets messages in the order in which
// they were given. Writes to the socket are gathered while a batch is under way,
// and leave before anybody waits for a confirm.
//
// A supervisor keeps one connection. After any doubt about what arrived (a
// confirm that did not come, a channel that closed) that connection is dropped
// and a fresh one made; the first message on it travels alone, so that a broker
// in trouble is not fed the same window again and again.
//
// When the broker raises a memory or disk alarm it stops reading from us and
// says so (connection.blocked). Publish then waits, up to its deadline, without
// sending anything, and fails with ErrBlocked; the connection stays, because
// only it will be told when the alarm ends.
//
// # Nothing is announced to nobody
//
// Messages are mandatory: one for which no queue is bound comes back, and
// Publish fails with ErrUnroutable. The exchange has an alternate exchange,
// strata.unrouted, to which nothing is bound at first: RabbitMQ returns a
// message that its alternate exchange cannot place either, so the relay waits,
// visibly, until a queue is bound again. An operator who prefers unwanted
// events to be kept aside binds a queue to strata.unrouted; one who prefers
// them to be dropped sets Options.AllowUnrouted.
//
// The first message that came back stops the batch. What was confirmed before
// it counts (PublishError.Delivered), so queues that are in order do not get
// their messages again with every attempt.
//
// # Consuming
//
// BatchSubscriber hands over one Watermill message per batch of deliveries and
// acknowledges the batch at once. It reads headers of any type (the broker's
// own x-delivery-count is an integer, x-death an array), never hands over the
// empty message that a cancelled consumer leaves behind, and subscribes again
// by itself.
//
// # Messages of sources
//
// Inbound takes what registered sources send. Each source has a queue of its own
// (strata.ingest.<source id>: quorum, without limits that drop anything), which
// is declared on every new channel, so a broker that lost it has it again. Of
// all instances one at a time consumes it (single active consumer), and one
// message after the other is decided, so what a source says later cannot be
// overtaken by what it said before.
//
// A message is acknowledged once the intake has settled it: its effect, or its
// refusal with its bytes as evidence, is in the log. While the log is away it is
// held and tried again with a growing pause; after some minutes the channel is
// given up, and the queue gives its messages out again in their order. A message
// that comes twice finds its answer. The messages of a suspended source wait in
// its queue. A broker that goes away, a queue that is deleted, a connection that
// is cut end the session, and the next one begins after a growing pause; the
// empty message that a cancelled consumer leaves behind is never taken for one.
package rabbitmq
