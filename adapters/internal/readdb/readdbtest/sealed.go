package readdbtest

import "strata.dev/strata/domain/sealed"

// Somebody is the subject of a person whom plans name.
const Somebody = "0198c0e0-0000-7000-8000-0000000000aa"

// Sealed is a text that nobody can open, since what it says was never encrypted:
// whoever finds it in clear, has looked into it.
func Sealed(subjectID, says string) string {
	return sealed.Text(subjectID, []byte("a nonce, a tag, and a ciphertext of "+says))
}
