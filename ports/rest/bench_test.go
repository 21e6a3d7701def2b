package rest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"strata.dev/strata/ports/rest"
)

// BenchmarkRecord is the hot path without network and database: token, gate,
// validation, decision, append in memory, answer.
func BenchmarkRecord(b *testing.B) {
	w := newWorld(b)
	o := w.register("Examples", author, owner)
	path, _ := w.indicator(o)
	handler, err := rest.New(w.options)
	if err != nil {
		b.Fatal(err)
	}
	token := "Bearer " + o.tokens[owner]
	body := `{"period":{"start":"2025-01-01","end":"2025-12-31"},"value":"5.90","note":"first reading"}`
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, path+"/commands/record", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", token)
		r.Header.Set("If-Match", "*")
		// One recording, then its repetitions: the port does the same work for both.
		r.Header.Set("Idempotency-Key", "bench-1")
		recorded := httptest.NewRecorder()
		handler.ServeHTTP(recorded, r)
		if recorded.Code != http.StatusOK {
			b.Fatal(recorded.Code, recorded.Body)
		}
	}
}
