// Package pack takes evidence packs of a real installation away from it, and has
// the stand-alone verifier judge them, whole and changed.
package pack
