// Package e2e does Strata's main job from outside, with the real binary: a plan
// goes in over HTTP, its events come out of RabbitMQ, and both read databases
// give back what the document says.
package e2e
