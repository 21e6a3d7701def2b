package rest

import (
	"net/http"
	"testing"
	"time"
)

func TestPreferIsReadAsFarAsItIsKnown(t *testing.T) {
	for header, want := range map[string]preferences{
		"":                           {},
		"return=minimal":             {minimal: true},
		"strata-durability=archived": {archived: true},
		"strata-durability=local":    {},
		`Return="minimal"; foo=bar`:  {minimal: true},
		"wait=5, return=minimal":     {minimal: true, wait: 5 * time.Second},
		"respond-async, wait=100000": {async: true},
		"wait=-1":                    {},
		"return=representation":      {},
	} {
		if got := parsePrefer(http.Header{"Prefer": {header}}); got != want {
			t.Errorf("%q is %+v, want %+v", header, got, want)
		}
	}
}

func TestNoneMatchComparesWeakly(t *testing.T) {
	for header, want := range map[string]bool{
		"":                     false,
		`"7"`:                  true,
		`W/"7"`:                true,
		`"7-gzip"`:             true,
		`"6", W/"7"`:           true,
		`*`:                    true,
		`"6"`:                  false,
		`7`:                    false,
		`"7-0123456789abcdef"`: false,
	} {
		if got := noneMatch(header, `"7"`); got != want {
			t.Errorf("%s: %v, want %v", header, got, want)
		}
	}
}

func TestTraceParentsAreChecked(t *testing.T) {
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for header, want := range map[string]bool{
		good:            true,
		"":              false,
		good + "x":      false,
		"01" + good[2:]: false,
		"00-00000000000000000000000000000000-b7ad6b7169203331-01": false,
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01": false,
		"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": false,
	} {
		if got := validTraceParent(header); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

func TestEveryOperationOfTheContractIsRead(t *testing.T) {
	c, err := compileContract()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.operations) < 95 {
		t.Errorf("%d operations", len(c.operations))
	}
	for id, op := range c.operations {
		command := op.method == http.MethodPost
		if (command && id != "countersign" && !op.signed) != op.idempotent || command != (op.accepts != "") || (op.accepts == mediaJSON) != (op.body != nil) {
			t.Errorf("%s: a command takes a key (signing records nothing, a message has an id) and a body, nothing else does: %+v", id, op)
		}
		if len(op.produces) == 0 && id != "getEvidenceContent" { // whatever it is
			t.Errorf("%s answers in no format", id)
		}
	}
	record := c.operations["recordMeasurement"]
	if !record.guarded || record.public || len(record.paths) != 1 {
		t.Errorf("%+v", record)
	}
	if list := c.operations["listStrategies"]; len(list.query) != 6 || list.guarded {
		t.Errorf("%+v", list)
	}
	if !c.operations["livez"].public {
		t.Error("livez needs a token")
	}
	if ingest := c.operations["ingestMeasurements"]; !ingest.signed || ingest.public || record.signed {
		t.Errorf("%+v", ingest)
	}
	if upload := c.operations["registerEvidence"]; !upload.uploads() || record.uploads() {
		t.Errorf("%+v", upload)
	}
}
