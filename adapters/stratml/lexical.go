package stratml

import (
	"strings"
	"time"
	"unicode"
)

// isPlaceholder says whether a text only says that there is none yet.
func isPlaceholder(s string) bool {
	if s == "..." || s == "…" {
		return true
	}
	l := strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	l = strings.TrimSuffix(l, ".")
	switch l {
	case "to be determined", "to be described", "to be defined", "to be added", "to be specified", "tbd":
		return true
	}
	// Templates write "[To be …]" for any element.
	return strings.HasPrefix(s, "[To be ") && strings.HasSuffix(s, "]")
}

// isNCName says whether s is an XML name without a colon.
func isNCName(s string) bool {
	for i, r := range s {
		letter := r == '_' || unicode.IsLetter(r)
		if i == 0 && !letter {
			return false
		}
		if !letter && !unicode.IsDigit(r) && r != '-' && r != '.' && r != 0xB7 && !unicode.Is(unicode.Mn, r) {
			return false
		}
	}
	return s != ""
}

// isDate says whether s is a day that exists, YYYY-MM-DD. xs:date also allows a
// zone; nothing in a plan has one. It knows no year 0.
func isDate(s string) bool {
	t, err := time.Parse(time.DateOnly, s)
	return err == nil && t.Year() >= 1
}

// isDecimal says whether s is an xs:decimal.
func isDecimal(s string) bool {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	whole, part, _ := strings.Cut(s, ".")
	if whole+part == "" {
		return false
	}
	for _, r := range whole + part {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}
