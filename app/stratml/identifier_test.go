package stratml_test

import (
	"testing"

	"strata.dev/strata/app/stratml"
)

func TestNormalizeIdentifier(t *testing.T) {
	t.Parallel()
	const id = "78901c50-230a-4997-a95e-eeaf289a484e"
	for in, want := range map[string]string{
		id:       id,
		"_" + id: id,
		" _78901C50-230A-4997-A95E-EEAF289A484E\n": id,
		"__" + id:                              "__" + id,
		"_44c3f1ce":                            "_44c3f1ce", // only a UUID may have lost an underscore
		"d55e724":                              "d55e724",
		"D55E724":                              "D55E724",
		"":                                     "",
		id + "0":                               id + "0",
		"_" + id[:35]:                          "_" + id[:35],
		"78901c50-230a-4997-a95e-eeaf289a484g": "78901c50-230a-4997-a95e-eeaf289a484g",
	} {
		if got := stratml.NormalizeIdentifier(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
