package query_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata.dev/strata/app/query"
)

// A cursor gives back what it was made of, for its own filter and for no other.
func TestCursor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		filter := query.HistoryFilter{StreamID: rapid.String().Draw(t, "stream"), ActorID: rapid.String().Draw(t, "actor")}
		cut, after := rapid.Int64Range(0, 1<<62).Draw(t, "cut"), rapid.StringMatching(`[ -~]{0,200}`).Draw(t, "after")
		asOf := query.Moment{}
		if rapid.Bool().Draw(t, "past") {
			asOf = query.Moment{Position: rapid.Int64Range(1, 1<<62).Draw(t, "asOf"), Instant: time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "at"), 0).UTC()}
		}
		c, err := query.EncodeCursor(filter, asOf, cut, after)
		if err != nil {
			t.Fatal(err)
		}
		gotCut, gotAfter, err := query.DecodeCursor(filter, asOf, c)
		if err != nil || gotCut != cut || gotAfter != after {
			t.Fatalf("%d, %q, %v; want %d, %q", gotCut, gotAfter, err, cut, after)
		}
		other := filter
		other.StreamID += "x"
		if _, _, err := query.DecodeCursor(other, asOf, c); !errors.Is(err, query.ErrInvalidCursor) {
			t.Fatalf("for another filter: %v", err)
		}
		for _, elsewhen := range []query.Moment{{}, {Position: 1, Instant: time.Unix(1, 0)}, {Position: asOf.Position + 1}} {
			_, _, err := query.DecodeCursor(filter, elsewhen, c)
			if same := elsewhen.Position == asOf.Position; same != (err == nil) {
				t.Fatalf("for %+v instead of %+v: %v", elsewhen, asOf, err)
			}
		}
		page := query.Paging{Cursor: c}
		if got := (query.Read{}).Within(page).AsOf; got != asOf {
			t.Fatalf("the cursor's moment is %+v, want %+v", got, asOf)
		}
		if got := (query.Read{AsOf: query.Moment{Position: asOf.Position + 1}}).Within(page).AsOf; got.Position != asOf.Position+1 {
			t.Fatalf("the cursor moves another position to %+v", got)
		}
	})
}

// A page's size and its cursor are no part of the filter: a reader may change the size.
func TestCursorIgnoresPaging(t *testing.T) {
	c, err := query.EncodeCursor(query.StrategyFilter{State: "active", Paging: query.Paging{Limit: 10}}, query.Moment{}, 7, "5")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := query.DecodeCursor(query.StrategyFilter{State: "active", Paging: query.Paging{Limit: 20, Cursor: c}}, query.Moment{}, c); err != nil {
		t.Error(err)
	}
}

func TestInvalidCursors(t *testing.T) {
	encode := base64.RawURLEncoding.EncodeToString
	for _, c := range []string{
		"", "=", "!!!", "e30=", encode([]byte("{}")), encode([]byte(`{"f":"","c":"-1","a":""}`)), encode([]byte("null")),
		encode([]byte(`{"c":1}`)), encode([]byte(`{"m":{"p":"1"}}`)), encode([]byte(`{"m":{"p":"-1","t":"2020-01-01T00:00:00Z"}}`)), strings.Repeat("A", 5000),
	} {
		if _, _, err := query.DecodeCursor("filter", query.Moment{}, c); !errors.Is(err, query.ErrInvalidCursor) {
			t.Errorf("%.20q: %v, want invalid-cursor", c, err)
		}
	}
}

func TestLimits(t *testing.T) {
	for limit, want := range map[int]int{0: query.DefaultLimit, 1: 1, query.MaxLimit: query.MaxLimit} {
		if got, err := query.Limit(limit); err != nil || got != want {
			t.Errorf("limit %d: %d, %v; want %d", limit, got, err, want)
		}
	}
	for _, limit := range []int{-1, query.MaxLimit + 1} {
		if _, err := query.Limit(limit); !errors.Is(err, query.ErrInvalid) {
			t.Errorf("limit %d: %v, want validation-failed", limit, err)
		}
	}
	for wait, want := range map[time.Duration]time.Duration{0: query.DefaultWait, -1: query.DefaultWait, time.Second: time.Second, time.Hour: query.MaxWait} {
		if got := (query.Read{Wait: wait}).Patience(); got != want {
			t.Errorf("wait %s: %s, want %s", wait, got, want)
		}
	}
}
