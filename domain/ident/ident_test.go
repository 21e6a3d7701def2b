package ident_test

import (
	"strings"
	"testing"

	"strata.dev/strata/domain/ident"
)

func TestValid(t *testing.T) {
	const good = "0198c0de-0000-7000-8000-00000000000a"
	if !ident.Valid(good) {
		t.Errorf("%s is refused", good)
	}
	for _, id := range []string{
		"", strings.ToUpper(good), good + " ", "{" + good + "}", strings.ReplaceAll(good, "-", ""),
		"00000000-0000-0000-0000-000000000000", "0198c0de-0000-7000-8000-00000000000g", "0198c0de00-00-7000-8000-00000000000a",
	} {
		if ident.Valid(id) {
			t.Errorf("%q is taken", id)
		}
	}
}

func TestValidHash(t *testing.T) {
	good := strings.Repeat("0a", 32)
	if !ident.ValidHash(good) || ident.ValidHash(strings.ToUpper(good)) || ident.ValidHash(good[1:]) || ident.ValidHash("z"+good[1:]) {
		t.Error("hashes are told apart wrongly")
	}
}
