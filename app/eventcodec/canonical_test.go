package eventcodec

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"strata.dev/strata/app/eventlog"
)

// anyShape holds everything that JSON can, in an order that is not canonical.
type anyShape struct {
	Z    string              `json:"z"`
	A    []anyShape          `json:"a,omitempty"`
	Map  map[string]string   `json:"map"`
	More map[string]anyShape `json:"b!,omitempty"`
	B    bool                `json:"b"`
	Big  int64               `json:"big"`
	N    *int                `json:"n"`
	F    float64             `json:"f"`
	Long []string            `json:"zz"`
}

func shape(depth int) *rapid.Generator[anyShape] {
	// Characters on which writers of JSON differ, among plain ones.
	text := rapid.StringOf(rapid.SampledFrom([]rune("ab<>&\"\\/\b\f\n\r\t\x00\x1f\x7f\u2028\u2029\ufffdé€\ue000😀")))
	return rapid.Custom(func(t *rapid.T) anyShape {
		s := anyShape{
			Z: text.Draw(t, "z"), B: rapid.Bool().Draw(t, "b"),
			Map:  rapid.MapOfN(rapid.OneOf(text, rapid.StringMatching(`[a-c!]{0,2}`)), text, 0, 4).Draw(t, "map"),
			Big:  rapid.OneOf(rapid.Int64Range(-1000, 1000), rapid.Int64Range(-(1<<53), 1<<53)).Draw(t, "big"),
			F:    rapid.SampledFrom([]float64{0, 0, 0, 1, 0.5, 1e21, 1e-7, -1, math.MaxFloat64}).Draw(t, "f"),
			Long: rapid.SliceOfN(text, 0, 3).Draw(t, "zz"),
		}
		if depth > 0 && rapid.Bool().Draw(t, "nested") {
			s.A = rapid.SliceOfN(shape(depth-1), 1, 2).Draw(t, "a")
			s.More = rapid.MapOfN(rapid.StringMatching(`[a-c!"]{0,2}`), shape(depth-1), 1, 3).Draw(t, "more")
		}
		return s
	})
}

func TestCanonicalIsThatOfTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := shape(2).Draw(t, "value")
		want, err := eventlog.Canonical(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := canonical(v)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Fatalf("differs from the reference (-want +got):\n%s", cmp.Diff(string(want), string(got)))
		}
	})
}

func TestCanonicalRarelyNeedsTheReference(t *testing.T) {
	for _, in := range []string{
		`{"b":"a\\\"\n\u0000é","a":[1,-2,true,false,null,{}],"a!":{},"z":[]}`,
	} {
		s := sorter{in: []byte(in)}
		if want := `{"a":[1,-2,true,false,null,{}],"a!":{},"b":"a\\\"\n\u0000é","z":[]}`; !s.value() || string(s.out) != want {
			t.Errorf("%s became %s, want %s without the reference", in, s.out, want)
		}
	}
}
