// Package oidc says who a bearer token belongs to.
//
// A Verifier is configured with the issuers it trusts. The token's iss picks
// one of them, by its exact text; from there on everything is that issuer's:
// its keys, its audience, its claims. What the token says about how it wants to
// be checked (jku, x5u, jwk, crit, another alg) is refused, not followed: an
// attacker writes the header too. Duplicate members are refused in header and
// claims, since two readers could take different ones. The first failure is the
// answer, and its reason goes to the log while the caller only learns that the
// token is not accepted. The organization comes from the token and nowhere else.
//
// An issuer publishes its keys (OpenID Connect discovery, over TLS, without
// redirects). They are fetched when a token needs them first, and followed:
// keys older than a quarter of an hour are asked for again in the background,
// and a kid nobody knows makes one fetch for everybody, once a minute at most,
// so that made-up ones are no way to flood the issuer. Each key is bound to one
// algorithm. If the issuer does not answer, the known keys go on for a day;
// without any, tokens are answered with issuer-unavailable (503) at once, never
// let through, and the issuer is asked again every second. Nothing has to be
// restarted when it is back, nor when it has new keys.
//
// Verified tokens are remembered by their SHA-256 until they expire, in a
// bounded cache, so that a busy client costs one signature check per token and
// not per request; when a key goes, all are forgotten and checked again. A
// token is therefore valid until its exp and not revocable before it; what its
// owner may do is read from the organization's events at each command, so a
// revoked role takes effect at once.
//
// Issuer is the development issuer: an Ed25519 key in a file of mode 0600. It
// refuses to exist when STRATA_ENV is production.
package oidc
