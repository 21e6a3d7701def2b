package pack_test

import (
	"encoding/hex"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/severity"
)

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func closedFinding(n int) finding.Raised {
	return finding.Raised{FindingID: "f", Kind: finding.Observation, Severity: severity.Low, Title: time.Duration(n).String(), Condition: "c", Criteria: "c", Origin: finding.FromAudit}
}

func hashes(t testing.TB, texts []string) []tlog.Hash {
	t.Helper()
	list := make([]tlog.Hash, len(texts))
	for i, text := range texts {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != tlog.HashSize {
			t.Fatalf("%q is no hash", text)
		}
		list[i] = tlog.Hash(b)
	}
	return list
}
