package stratml

import "strings"

// NormalizeIdentifier gives the form in which two identifiers are compared:
// trimmed, and for a UUID without the leading underscore that makes it an
// xs:ID, in lower case. The original text is what is kept.
func NormalizeIdentifier(id string) string {
	id = strings.TrimSpace(id)
	if u := strings.TrimPrefix(id, "_"); isUUID(u) {
		return strings.ToLower(u)
	}
	return id
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return true
}
