// Package countersign makes and reads the tokens by which a second person takes
// part in a command (S8, S15).
//
// Somebody signs the hash of one exact command (method, path, canonical body)
// with a meaning; the service answers with a token, and whoever sends that very
// command within 24 hours sends the token along. The token is a compact JWS
// under an Ed25519 key of the service: it proves that this service saw this
// person, freshly authenticated, ask for it. It proves no right: roles are read
// from the organization's events when the command is decided (S13). Nothing is
// stored until the command is recorded, so a token that is lost or never used
// leaves no trace, and none can be withdrawn before it expires; the person's
// roles can.
//
// Verification believes nothing that the token says about itself: the algorithm
// is fixed, the kid picks one of the configured keys, typ keeps tokens of other
// kinds out (access tokens of the development issuer, should the files be
// mixed up), members are exactly those written here, and the organization must
// be the caller's. Why a token was refused goes to the log only. That it is not
// too old is checked where the command is decided, behind the look for an
// earlier answer to it: a repetition must get that answer at any time.
//
// The key file may hold several keys: the first signs, all verify. To rotate,
// put the new one first, and remove the old one a day later. All instances of a
// service need the same file. Without one nothing is signed or accepted, and
// both are answered with countersigning-unavailable: commands that need no
// second person work as ever.
package countersign
