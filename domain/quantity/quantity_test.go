package quantity_test

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strata.dev/strata/domain/quantity"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]quantity.Number{
		"5.90": "5.9", "0": "0", "-0": "0", "-0.00": "0", "007": "7", "+3": "3", "5.53e-05": "0.0000553", "1E3": "1000",
		"5423.59999999999": "5423.59999999999", "-12.5": "-12.5", "10.00": "10", "0e9": "0",
	} {
		if got, ok := quantity.Parse(text); !ok || got != want {
			t.Errorf("Parse(%q) = %q, %v, want %q", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", " 1", "1 ", "1,000", "1_000", "--1", "+-1", ".5", "5.", ".", "-", "e5", "1e", "1e+", "NaN", "Inf", "0x10", "1e1000", "1e999999999",
		"1e41", "1e-41", strings.Repeat("9", 41), "1." + strings.Repeat("3", 40), "redesigned income questions", "١", "1\x00", "1e--5",
	} {
		if got, ok := quantity.Parse(text); ok || got != "" {
			t.Errorf("Parse(%q) = %q, want none", text, got)
		}
	}
}

func number() *rapid.Generator[quantity.Number] {
	return rapid.Custom(func(t *rapid.T) quantity.Number {
		n, ok := quantity.Parse(rapid.StringMatching(`-?[0-9]{1,12}(\.[0-9]{1,9})?(e-?[0-9])?`).Draw(t, "text"))
		if !ok {
			t.Fatalf("a plain decimal is refused")
		}
		return n
	})
}

func rat(t *rapid.T, n quantity.Number) *big.Rat {
	r, ok := new(big.Rat).SetString(string(n))
	if !ok {
		t.Fatalf("%q is not a number", n)
	}
	return r
}

func TestArithmeticIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := number().Draw(t, "a"), number().Draw(t, "b")
		x, y := rat(t, a), rat(t, b)
		if !a.Canonical() {
			t.Fatalf("%q is not canonical", a)
		}
		if got, want := rat(t, a.Sub(b)), new(big.Rat).Sub(x, y); got.Cmp(want) != 0 {
			t.Fatalf("%s − %s = %s", a, b, a.Sub(b))
		}
		if got, want := rat(t, a.Mul(b)), new(big.Rat).Mul(x, y); got.Cmp(want) != 0 {
			t.Fatalf("%s × %s = %s", a, b, a.Mul(b))
		}
		if a.Cmp(b) != x.Cmp(y) || a.Sign() != x.Sign() || (a == b) != (x.Cmp(y) == 0) {
			t.Fatalf("%s and %s compare as %d", a, b, a.Cmp(b))
		}
		if b.Sign() == 0 {
			if a.Ratio(b, 6) != "" {
				t.Fatal("divided by zero")
			}
			return
		}
		// Rounded to the nearest millionth: off by half a millionth at most.
		off := new(big.Rat).Sub(rat(t, a.Ratio(b, 6)), new(big.Rat).Quo(x, y))
		if off.Abs(off).Cmp(big.NewRat(1, 2_000_000)) > 0 {
			t.Fatalf("%s / %s = %s", a, b, a.Ratio(b, 6))
		}
	})
}

func TestRatioRoundsHalfToEven(t *testing.T) {
	for _, c := range []struct{ a, b, want quantity.Number }{
		{"1", "8", "0.12"},
		{"3", "8", "0.38"},
		{"-1", "8", "-0.12"},
		{"-3", "8", "-0.38"},
		{"1", "-8", "-0.12"},
		{"5", "8", "0.62"},
		{"2", "3", "0.67"},
		{"-2", "3", "-0.67"},
		{"1", "1", "1"},
		{"0", "-5", "0"},
		{"1", "200", "0"},
		{"3", "200", "0.02"},
	} {
		if got := c.a.Ratio(c.b, 2); got != c.want {
			t.Errorf("%s / %s = %s, want %s", c.a, c.b, got, c.want)
		}
	}
}

func TestDamagedNumbersAreNotGiven(t *testing.T) {
	for _, n := range []quantity.Number{"", "x", "1e999999999", "NaN"} {
		if n.Given() || n.Canonical() || n.Sign() != 0 || n.Cmp("0") != 0 {
			t.Errorf("%q counts as a number", n)
		}
	}
}
