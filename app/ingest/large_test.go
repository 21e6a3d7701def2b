package ingest_test

import (
	"testing"

	"strata.dev/strata/app/ingest"
)

// The largest message, with every second measurement refused, is one append for
// each indicator and one for the refusals.
func TestTheLargestMessage(t *testing.T) {
	w := newWorld(t)
	items := make([]string, ingest.MaxItems)
	for n := range items {
		value := `1`
		if n%2 == 1 {
			value = `"redesigned income questions"`
		}
		items[n] = w.item(n%4/2, 1000+n, value)
	}
	m := w.message("large", list(items...))
	if len(m.Body) > ingest.MaxBody {
		t.Fatalf("%d bytes", len(m.Body))
	}
	head := w.head()
	a := w.take(m)
	if a.Recorded != 500 || a.Rejected != 500 || w.head() != head+1001 {
		t.Errorf("%d recorded, %d rejected, %d events", a.Recorded, a.Rejected, w.head()-head)
	}
	commands := map[string]bool{}
	_, facts := w.rejections()
	for _, f := range facts {
		commands[f.CommandID.String()] = true
	}
	if len(facts) != 500 || len(commands) != 1 {
		t.Errorf("%d refusals in %d appends", len(facts), len(commands))
	}
}
