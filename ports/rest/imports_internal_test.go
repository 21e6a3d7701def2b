package rest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// connection records the read deadlines that are set on it.
type connection struct {
	http.ResponseWriter
	deadlines []time.Time
}

func (c *connection) SetReadDeadline(t time.Time) error {
	c.deadlines = append(c.deadlines, t)
	return nil
}

func TestAnUploadMayTakeLongButNotPause(t *testing.T) {
	c := &connection{ResponseWriter: httptest.NewRecorder()}
	until := time.Now().Add(time.Hour)
	body := upload{io.NopCloser(iotest.OneByteReader(strings.NewReader("abc"))), http.NewResponseController(c), until}
	got, err := io.ReadAll(body)
	if err != nil || string(got) != "abc" {
		t.Fatalf("%q, %v", got, err)
	}
	last := len(c.deadlines) - 1
	if last < 4 || !c.deadlines[last].Equal(until) {
		t.Fatalf("deadlines %v, want the last one at %v", c.deadlines, until)
	}
	for _, d := range c.deadlines[:last] {
		if left := time.Until(d); left <= 0 || left > patience {
			t.Errorf("a read may take %v", left)
		}
	}
}
