package rest

import (
	"strconv"
	"strings"
)

// choose gives the offer that an Accept header likes best; of several, the one
// it names most exactly, and then the first. ok = false: it takes none. Without
// a header, or without offers, everything will do.
func choose(accept, offers []string) (best string, ok bool) {
	if len(offers) == 0 {
		return "", true
	}
	if len(accept) == 0 {
		return offers[0], true
	}
	liked, exact := 0.0, 0
	for _, offer := range offers {
		if q, how := weight(accept, offer); q > liked || q == liked && q > 0 && how > exact {
			best, liked, exact = offer, q, how
		}
	}
	return best, liked > 0
}

// weight is how much an Accept header likes a media type, 0 for not at all: what
// the most specific of its ranges says, and how specific that is.
func weight(accept []string, media string) (q float64, specific int) {
	kind, _, _ := strings.Cut(media, "/")
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			name, parameters, _ := strings.Cut(item, ";")
			rank := 0
			switch name = strings.ToLower(strings.TrimSpace(name)); name {
			case media:
				rank = 3
			case kind + "/*":
				rank = 2
			case "*/*":
				rank = 1
			}
			if rank > specific {
				specific, q = rank, quality(parameters)
			}
		}
	}
	return q, specific
}

// quality is the weight among an Accept item's parameters, 1 if there is none.
func quality(parameters string) float64 {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(name, "q") {
			if q, err := strconv.ParseFloat(value, 64); err == nil && q >= 0 && q <= 1 {
				return q
			}
		}
	}
	return 1
}
