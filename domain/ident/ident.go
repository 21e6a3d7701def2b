// Package ident knows what an id looks like: a lower-case UUID as text. The
// domain mints none; they come in commands.
package ident

// Valid says whether id is a UUID in its lower-case canonical form, and not nil.
func Valid(id string) bool {
	if len(id) != 36 {
		return false
	}
	zero := true
	for i := range len(id) {
		switch c := id[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f':
			zero = zero && c == '0'
		default:
			return false
		}
	}
	return !zero
}

// ValidHash says whether h is a SHA-256 in lower-case hexadecimal.
func ValidHash(h string) bool {
	if len(h) != 64 {
		return false
	}
	for i := range len(h) {
		if c := h[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
