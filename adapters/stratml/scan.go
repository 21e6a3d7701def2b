package stratml

import (
	"bytes"
	"unicode/utf8"

	"strata.dev/strata/app/stratml"
)

// scan bounds the work of the XML decoder. It knows only enough of XML to find
// where tags end; whether they are well-formed is the decoder's to say, so what
// it cannot follow it leaves to the decoder.
func scan(doc []byte) error {
	at := func(i int) stratml.Place {
		before := doc[:i]
		return stratml.Place{Line: bytes.Count(before, []byte{'\n'}) + 1, Column: i - bytes.LastIndexByte(before, '\n')}
	}
	elements := 0
	for i := 0; i < len(doc); {
		next := bytes.IndexByte(doc[i:], '<')
		if next < 0 {
			return nil
		}
		start := i + next
		rest := doc[start:]
		switch {
		case bytes.HasPrefix(rest, []byte("<!--")):
			end := bytes.Index(rest[4:], []byte("-->"))
			if end < 0 {
				return nil
			}
			i = start + 4 + end + 3
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			end := bytes.Index(rest, []byte("]]>"))
			if end < 0 {
				return nil
			}
			i = start + end + 3
		case bytes.HasPrefix(rest, []byte("<?")):
			end := bytes.Index(rest, []byte("?>"))
			if end < 0 {
				return nil
			}
			i = start + end + 2
		case bytes.HasPrefix(rest, []byte("<!")):
			return refuse(stratml.ReasonDTD, at(start), "A document type or another declaration starts here; none is read.")
		default:
			end := tagEnd(rest)
			if end > stratml.MaxTagBytes || (end < 0 && len(rest) > stratml.MaxTagBytes) {
				return tooLarge(stratml.ReasonTagTooLong, at(start), stratml.MaxTagBytes)
			}
			if end < 0 {
				return nil
			}
			if rest[1] != '/' {
				if elements++; elements > stratml.MaxElements {
					return tooLarge(stratml.ReasonTooManyElements, at(start), stratml.MaxElements)
				}
			}
			i = start + end
		}
	}
	return nil
}

// tagEnd is how long the tag at the start of b is, or -1 if it does not end. It
// looks no further than a tag may go.
func tagEnd(b []byte) int {
	var quote byte
	for i := 1; i < len(b) && i <= stratml.MaxTagBytes; i++ {
		switch c := b[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	if len(b) > stratml.MaxTagBytes {
		return stratml.MaxTagBytes + 1
	}
	return -1
}

var utf8BOM = []byte{0xEF, 0xBB, 0xBF}

// checkEncoding refuses what is not UTF-8, by its first bytes and by its bytes.
func checkEncoding(doc []byte) error {
	if len(doc) >= 2 && (bytes.Equal(doc[:2], []byte{0xFE, 0xFF}) || bytes.Equal(doc[:2], []byte{0xFF, 0xFE})) {
		return refuse(stratml.ReasonEncoding, stratml.Place{Line: 1, Column: 1}, "The file is UTF-16; save it as UTF-8.")
	}
	if utf8.Valid(doc) {
		return nil
	}
	i := 0
	for i < len(doc) {
		r, n := utf8.DecodeRune(doc[i:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		i += n
	}
	before := doc[:i]
	place := stratml.Place{Line: bytes.Count(before, []byte{'\n'}) + 1, Column: i - bytes.LastIndexByte(before, '\n')}
	return refuse(stratml.ReasonEncoding, place, "The file is not UTF-8 here; save it as UTF-8.")
}
