// Package demo loads the demo organization of `strata dev`: the United Nations'
// 2030 Agenda with its 17 goals, 169 targets and 252 indicators as one strategy,
// and what the United Kingdom published about 60 of the indicators.
//
// It is loaded through the public HTTP API by the demo's people, each within
// their role: drafted and measured, submitted, approved by two and activated by
// the compliance officer. Every request has an idempotency key of its own that
// never changes, so a loading that was killed goes on where it stopped: what was
// recorded answers again and changes nothing. The activation comes last. Where
// it is found done, nothing else is asked.
//
// The texts and numbers are the work of others; ATTRIBUTION.md names them, and
// the frame of the strategy says so to whoever reads it.
package demo
