package e2e_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"strata.dev/strata/tests/system"
)

// A live stream tells of a commit without being asked again, and does not hold
// up a service that stops.
func TestStream(t *testing.T) {
	s, service := system.Start(t, system.Options{})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, service.Base+"/v1/events/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.Organization.Tokens["arlo"])
	res, err := s.HTTP.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("status %d", res.StatusCode)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			lines <- in.Text()
		}
	}()
	var drafted struct{ StrategyID string }
	system.MustPost(t, s.Client(service.Base, "sam"), "/v1/strategies", map[string]any{"frame": map[string]string{"name": "Seen live"}}, &drafted)
	patience := time.After(30 * time.Second)
	for told := false; !told; {
		select {
		case line, open := <-lines:
			if !open {
				t.Fatal("the stream ended")
			}
			told = strings.HasPrefix(line, "data: ") && strings.Contains(line, drafted.StrategyID)
		case <-patience:
			t.Fatal("the stream does not tell of the new strategy")
		}
	}
	go func() {
		for range lines { // what is said while it ends
		}
	}()
	began := time.Now()
	if code := service.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("the service took %s to stop: it waited for the stream", took)
	}
}
