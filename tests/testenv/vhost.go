package testenv

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// AMQP returns the URL of a fresh vhost in which its user may do everything.
// The vhost, with all its queues and exchanges, is deleted when the test ends.
func AMQP(t testing.TB) string {
	t.Helper()
	amqp, admin, err := servers.broker()
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	u, err := url.Parse(amqp)
	if err != nil {
		t.Fatalf("testenv: %s: %v", envAMQP, err)
	}
	vhost := "t-" + strings.ToLower(rand.Text()[:12])
	if err := manage(admin, http.MethodPut, "/api/vhosts/"+vhost, ""); err != nil {
		t.Fatalf("testenv: make vhost: %v", err)
	}
	t.Cleanup(func() {
		if err := manage(admin, http.MethodDelete, "/api/vhosts/"+vhost, ""); err != nil {
			t.Errorf("testenv: delete vhost: %v", err)
		}
	})
	all := `{"configure":".*","write":".*","read":".*"}`
	if err := manage(admin, http.MethodPut, "/api/permissions/"+vhost+"/"+url.PathEscape(u.User.Username()), all); err != nil {
		t.Fatalf("testenv: permissions in vhost: %v", err)
	}
	u.Path = "/" + vhost
	return u.String()
}

// manage calls the management API, on a connection of its own: kept-alive ones
// would have goroutines that the tests had to explain to goleak.
func manage(admin, method, path, body string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(admin, "/")+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	return nil
}
