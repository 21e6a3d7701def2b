package redaction

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// matcher finds names, however they are spaced, composed or written in capitals.
type matcher []*regexp.Regexp

// newMatcher looks for texts, the longest first, and for names of several words
// also with the last one in front: "Lovelace, Ada".
func newMatcher(texts []string) matcher {
	var forms [][]string
	for _, t := range texts {
		words := strings.Fields(norm.NFC.String(strings.ToValidUTF8(t, "")))
		if len(words) == 0 {
			continue
		}
		forms = append(forms, words)
		if last := len(words) - 1; last > 0 && !strings.ContainsAny(words[last], ",@") {
			forms = append(forms, append([]string{words[last] + ","}, words[:last]...))
		}
	}
	slices.SortFunc(forms, func(a, b []string) int {
		x, y := strings.Join(a, " "), strings.Join(b, " ")
		if len(x) != len(y) {
			return len(y) - len(x)
		}
		return strings.Compare(x, y)
	})
	var m matcher
	for _, words := range forms {
		for i, w := range words {
			words[i] = regexp.QuoteMeta(w)
		}
		m = append(m, regexp.MustCompile(`(?i)`+strings.Join(words, `[\s\x{00A0}]+`)))
	}
	return m
}

// replace gives the text with the mark in place of every name; found = false,
// and the text as it is, if there is none.
func (m matcher) replace(text string) (_ string, found bool) {
	composed := norm.NFC.String(text)
	for _, name := range m {
		var out strings.Builder
		done := 0
		for _, at := range name.FindAllStringIndex(composed, -1) {
			if whole(composed, at[0], at[1]) {
				out.WriteString(composed[done:at[0]])
				out.WriteString(Mark)
				done, found = at[1], true
			}
		}
		if done > 0 {
			composed = out.String() + composed[done:]
		}
	}
	if !found {
		return text, false
	}
	return composed, true
}

func (m matcher) in(text string) bool {
	_, found := m.replace(text)
	return found
}

// whole says whether what stands from one byte to another is not a part of longer words.
func whole(text string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:from])
	first, _ := utf8.DecodeRuneInString(text[from:])
	last, _ := utf8.DecodeLastRuneInString(text[:to])
	after, _ := utf8.DecodeRuneInString(text[to:])
	return !(wordy(before) && wordy(first)) && !(wordy(last) && wordy(after))
}

func wordy(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }
