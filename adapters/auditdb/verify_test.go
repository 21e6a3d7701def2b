package auditdb

import (
	"testing"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
)

// What is changed by hand, in whichever table, is named row by row and repaired.
func TestVerify(t *testing.T) {
	f := setup(t, 300, Options{})
	f.apply(t)
	var tables []readdbtest.Table
	for _, c := range (model{}).Content() {
		tables = append(tables, readdbtest.Table{Name: c.Table, Columns: c.Columns, Key: c.Key})
	}
	readdbtest.VerifyTampered(t, f.projection, f.log, f.urls.Admin, tables)
}
