package query

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
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
	Filter string  `json:"f"`
	Cut    int64   `json:"c,string"`
	After  string  `json:"a"`
	AsOf   *Moment `json:"m,omitempty"` // of pages of the past
}

// EncodeCursor makes the cursor of the page behind key after. filter is the
// question without its paging; cut is the position of the first page; asOf is
// what the pages are as of, settled, or zero for those of the present.
func EncodeCursor(filter any, asOf Moment, cut int64, after string) (string, error) {
	f, err := fingerprint(filter)
	if err != nil {
		return "", err
	}
	c := cursor{Filter: f, Cut: cut, After: after}
	if !asOf.IsNow() {
		c.AsOf = &asOf
	}
	b, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encode cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// DecodeCursor reads what EncodeCursor made for the same filter, of pages of the
// present or as of the same position; anything else is ErrInvalidCursor. A cursor
// is not a permission: whoever makes one up sees another page of what they may
// see anyway.
func DecodeCursor(filter any, asOf Moment, s string) (cut int64, after string, err error) {
	c, err := decodeCursor(s)
	if err != nil {
		return 0, "", err
	}
	want, err := fingerprint(filter)
	if err != nil {
		return 0, "", err
	}
	if c.Filter != want || c.Cut < 0 {
		return 0, "", ErrInvalidCursor.Detailf("The cursor was given for another filter.")
	}
	if then := c.asOf(); then.IsNow() != asOf.IsNow() || asOf.Position != 0 && asOf.Position != then.Position {
		return 0, "", ErrInvalidCursor.Detailf("The cursor was given for another moment.")
	}
	return c.Cut, c.After, nil
}

// CursorMoment is what the pages that a cursor belongs to are as of; zero for
// those of the present, and for what is no cursor.
func CursorMoment(s string) Moment {
	c, err := decodeCursor(s)
	if err != nil {
		return Moment{}
	}
	return c.asOf()
}

func (c cursor) asOf() Moment {
	if c.AsOf == nil {
		return Moment{}
	}
	return *c.AsOf
}

func decodeCursor(s string) (c cursor, err error) {
	if len(s) > maxCursor {
		return c, ErrInvalidCursor
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err == nil && c.AsOf != nil && (!c.AsOf.Settled() || c.AsOf.Position < 0) {
		err = errors.New("half a moment")
	}
	if err != nil {
		return cursor{}, ErrInvalidCursor.Because(err)
	}
	return c, nil
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
