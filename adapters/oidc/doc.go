// Package oidc says who a bearer token belongs to.
//
// A Verifier is configured with the issuer it trusts, the audience it is, and
// the public keys by their ids. What the token says about how it wants to be
// checked (jku, x5u, jwk, crit, another alg) is refused, not followed: an
// attacker writes the header too. Duplicate members are refused in header and
// claims, since two readers could take different ones. Claims are checked in
// one order: form, header, signature, issuer, audience, times, subject,
// organization; the first failure is the answer, and its reason goes to the log
// while the caller only learns that the token is not accepted.
//
// Verified tokens are remembered by their SHA-256 until they expire, in a
// bounded cache, so that a busy client costs one signature check per token and
// not per request. A token is therefore valid until its exp and not revocable
// before it; what its owner may do is read from the organization's events at
// each command, so a revoked role takes effect at once.
//
// Issuer is the development issuer: an Ed25519 key in a file of mode 0600. It
// refuses to exist when STRATA_ENV is production.
package oidc
