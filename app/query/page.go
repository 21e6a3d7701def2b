package query

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// Sizes of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 200
)

// Paging asks for one page of a list.
type Paging struct {
	Limit  int    // 0 = DefaultLimit; more than MaxLimit is refused
	Cursor string // NextCursor of the page before; empty = the first page
	Count  bool   // count the whole list, too: a scan of all that the filter lets through
}

// Size is Limit with its default applied, or ErrInvalid.
func (p Paging) Size() (int, error) {
	return Limit(p.Limit)
}

// Limit applies the default to a limit, or is ErrInvalid.
func Limit(limit int) (int, error) {
	switch {
	case limit == 0:
		return DefaultLimit, nil
	case limit < 0 || limit > MaxLimit:
		return 0, ErrInvalid.Detailf("A page has 1 to %d items.", MaxLimit).
			At("#/limit", "maximum", fmt.Sprintf("must be from 1 to %d", MaxLimit))
	}
	return limit, nil
}

// Page is one page of a list. Items recorded behind the first page's position
// are on no page of the list.
type Page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"nextCursor,omitempty"` // empty on the last page
	Total      *int64 `json:"total,omitempty"`      // with Paging.Count: how many items all pages have
	Position   int64  `json:"position,string"`
}

// maxCursor bounds what is decoded at all; our own cursors stay far below.
const maxCursor = 4096

// cursor is what a page's NextCursor says: the key behind which the next page
// starts, the position of the first page (the cut: what came later is on no
// page), and the question it belongs to.
type cursor struct {
	Filter string `json:"f"`
	Cut    int64  `json:"c,string"`
	After  string `json:"a"`
}

// EncodeCursor makes the cursor of the page behind key after. filter is the
// question without its paging; cut is the position of the first page.
func EncodeCursor(filter any, cut int64, after string) (string, error) {
	f, err := fingerprint(filter)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(cursor{Filter: f, Cut: cut, After: after})
	if err != nil {
		return "", fmt.Errorf("encode cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// DecodeCursor reads what EncodeCursor made for the same filter; anything else
// is ErrInvalidCursor. A cursor is not a permission: whoever makes one up sees
// another page of what they may see anyway.
func DecodeCursor(filter any, s string) (cut int64, after string, err error) {
	if len(s) > maxCursor {
		return 0, "", ErrInvalidCursor
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return 0, "", ErrInvalidCursor.Because(err)
	}
	var c cursor
	if err := json.Unmarshal(b, &c); err != nil {
		return 0, "", ErrInvalidCursor.Because(err)
	}
	want, err := fingerprint(filter)
	if err != nil {
		return 0, "", err
	}
	if c.Filter != want || c.Cut < 0 {
		return 0, "", ErrInvalidCursor.Detailf("The cursor was given for another filter.")
	}
	return c.Cut, c.After, nil
}

// fingerprint tells filters apart; 64 bits are plenty against mistakes.
func fingerprint(filter any) (string, error) {
	b, err := json.Marshal(filter)
	if err != nil {
		return "", fmt.Errorf("cursor filter: %w", err)
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:8]), nil
}
