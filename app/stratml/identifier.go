package stratml

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

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

// WrittenIdentifier is an identifier as it is written to a document: itself if
// it is an xs:ID, else with an underscore in front and, for every character
// that no xs:ID has, _xHEX_. It compares equal with the original.
func WrittenIdentifier(id string) string {
	id = strings.TrimSpace(id)
	if id == "" {
		return ""
	}
	var b strings.Builder
	if first, _ := utf8.DecodeRuneInString(id); !idStart(first) {
		b.WriteByte('_')
	}
	for _, r := range id {
		if idStart(r) || (r >= '0' && r <= '9') || r == '-' || r == '.' {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "_x%X_", r)
		}
	}
	return b.String()
}

// ComparedIdentifier is the form in which identifiers are compared within and
// between documents: equal for an identifier and for what is written for it.
func ComparedIdentifier(id string) string {
	if n := NormalizeIdentifier(id); isUUID(n) {
		return n
	}
	return WrittenIdentifier(id)
}

// idStart keeps to letters that every reader of XML 1.0, of whichever edition,
// takes at the start of a name.
func idStart(r rune) bool {
	switch {
	case r == '_', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z',
		r >= 0xC0 && r <= 0x131 && r != 0xD7 && r != 0xF7,                            // Latin
		r >= 0x391 && r <= 0x3A1, r >= 0x3A3 && r <= 0x3A9, r >= 0x3B1 && r <= 0x3C9, // Greek
		r >= 0x410 && r <= 0x44F: // Cyrillic
		return true
	}
	return false
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
