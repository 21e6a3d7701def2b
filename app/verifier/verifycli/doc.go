// Package verifycli is the command line of the stand-alone verifier. It rests on
// the standard library and package verifier alone, so that evidence packs carry
// it in source (Standalone) and it runs with `go run .`, without a network and
// without anything of Strata. cmd/strata-verify is the same with what it takes to
// unpack archives.
//
// Exit codes: 0 verified, 1 something could not be read, 2 wrong usage, 3 the
// verification failed; the first bad position is named.
package verifycli
