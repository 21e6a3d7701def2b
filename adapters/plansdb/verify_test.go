package plansdb

import (
	"testing"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
)

// What is changed by hand, in whichever table, is named row by row and repaired.
func TestVerify(t *testing.T) {
	f := setup(t, Options{})
	f.history(11, 400)
	f.history(12, 100)
	f.catchUp(t, 70)
	var tables []readdbtest.Table
	for _, c := range (model{}).Content() {
		tables = append(tables, readdbtest.Table{Name: c.Table, Columns: c.Columns, Key: c.Key})
	}
	readdbtest.VerifyTampered(t, f.projection, f.log, f.urls.Admin, tables)
}
