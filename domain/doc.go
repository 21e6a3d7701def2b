// Package domain is the root of Strata's rules; it holds no code itself.
//
// Each aggregate is a folder with the same parts: commands.go and events.go
// (closed sums), state.go (what the events say, and the fold Apply), decide.go
// (Decide: state, actor and command to events, or a fault and no events). They
// read nothing but their arguments: no clock, no ids of their own, no I/O, no
// JSON. Around them: authz (roles × commands, conflicts of roles), fact (who
// acts and when), fault and refusal (how they say no), and the value types
// calendar, quantity and ident.
//
// Deciding fails only with a *fault.Fault whose Rule names what refused.
// Folding cannot fail: an event is a fact. A fold that meets an event which its
// own Decide could not have produced keeps what it can and never panics.
package domain
