// Package journal holds what is recorded about the use of Strata itself: what
// was refused, who could not sign in, who read audit data, who was reminded of
// what, and read models that did not say what the log says.
//
// These are facts and nothing else: no aggregate folds them and no command can
// ask for them, so nothing that anybody does can depend on what the journal
// holds. Each organization has one stream of them; what cannot be said of any
// organization goes to the installation's. What happens often is counted: an
// event says how often, and when first and last.
//
// There are no names, addresses, tokens or texts of requests in them, only ids.
package journal
