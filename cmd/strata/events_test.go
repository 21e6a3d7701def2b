package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const sample = `{"authid":"member-7","authtype":"app_user","data":{},"datacontenttype":"application/json",` +
	`"dataschema":"https://strata.local/v1/schemas/strategy.goal-added.v1.json","id":"0198c0de-0000-7000-8000-00000000000e","leafhash":"00",` +
	`"organizationsequence":"17","partitionkey":"strategy-1","recordedtime":"2026-11-21T18:30:00.123456Z","sequence":"%020d",` +
	`"source":"https://strata.local/orgs/0198c0de-0000-7000-8000-00000000000a","specversion":"1.0","streamversion":"3","subject":"strategies/1",` +
	`"time":"2026-11-21T18:30:00.123456Z","type":"dev.strata.strategy.goal-added.v1"}`

// feed serves events 1 to head. fail decides which of its answers fail instead.
func feed(t *testing.T, head int, fail func(request int64) bool) (base string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if fail(n) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		q := r.URL.Query()
		after, _ := strconv.Atoi(q.Get("after")) // "" is 0, the beginning
		limit, err := strconv.Atoi(q.Get("limit"))
		if err != nil {
			t.Errorf("limit %q", q.Get("limit"))
		}
		last := min(head, after+min(limit, 2)) // two a page, so that there are several
		var page []string
		for p := after + 1; p <= last; p++ {
			page = append(page, fmt.Sprintf(sample, p))
		}
		w.Header().Set("Strata-Position", strconv.Itoa(head))
		w.Header().Set("Link", fmt.Sprintf(`</v1/events?after=%d>; rel="next"`, last))
		fmt.Fprintf(w, "[%s]", strings.Join(page, ","))
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func tailing(t *testing.T, base string, args ...string) (code int, out, errs string) {
	t.Helper()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var o, e bytes.Buffer
	code = run(ctx, append([]string{"events", "tail"}, args...), []string{"STRATA_URL=" + base, "STRATA_TOKEN=secret"}, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func never(int64) bool { return false }

func TestTailPrintsEveryEventOnceByteForByte(t *testing.T) {
	base, _ := feed(t, 5, func(n int64) bool { return n == 2 || n == 4 })
	code, out, errs := tailing(t, base, "-o", "json", "--after", "0", "--limit", "5")
	var want strings.Builder
	for p := 1; p <= 5; p++ {
		fmt.Fprintf(&want, sample+"\n", p)
	}
	if code != exitOK || out != want.String() {
		t.Errorf("exit code %d, printed\n%s\nwant\n%s", code, out, want.String())
	}
	// It says where it goes on after a failure.
	if !strings.Contains(errs, "asking again for what comes after 2") || !strings.Contains(errs, "asking again for what comes after 4") {
		t.Errorf("said %q", errs)
	}
}

func TestTailEndsAtTheEndIfItIsNotToFollow(t *testing.T) {
	base, _ := feed(t, 3, never)
	code, out, _ := tailing(t, base, "--follow=false", "--after", "1")
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	if code != exitOK || len(lines) != 3 || !strings.HasPrefix(lines[0], "  POSITION") {
		t.Fatalf("exit code %d, printed\n%s", code, out)
	}
	for i, line := range lines[1:] {
		if f := strings.Fields(line); len(f) != 5 || f[0] != strconv.Itoa(i+2) || f[2] != "strategy.goal-added" || f[4] != "member-7" {
			t.Errorf("line %q", line)
		}
	}
}

func TestTailBeginsNow(t *testing.T) {
	base, _ := feed(t, 7, never)
	if code, out, errs := tailing(t, base, "--follow=false"); code != exitOK || out != "" {
		t.Errorf("exit code %d, printed %q, said %q: nothing is new", code, out, errs)
	}
}

func TestTailSaysWhereToGoOn(t *testing.T) {
	base, asked := feed(t, 3, never)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errs bytes.Buffer
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"events", "tail", "--after", "0"}, []string{"STRATA_URL=" + base, "STRATA_TOKEN=secret"}, strings.NewReader(""), &out, &errs)
	}()
	for asked.Load() < 4 { // two pages, then empty ones
		select {
		case code := <-done:
			t.Fatalf("ended with code %d: %s", code, errs.String())
		case <-time.After(time.Millisecond):
		}
	}
	cancel() // Ctrl-C
	if code := <-done; code != exitOK || !strings.Contains(errs.String(), "--after 3") {
		t.Errorf("exit code %d, said %q", code, errs.String())
	}
}

func TestTailRefusals(t *testing.T) {
	base, _ := feed(t, 1, never)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, c := range map[string]struct {
		environ, args []string
		code          int
		says          string
	}{
		"no token":        {[]string{"STRATA_URL=" + base}, nil, exitUsage, "no token: set STRATA_TOKEN"},
		"a bad token":     {[]string{"STRATA_URL=" + base, "STRATA_TOKEN=x"}, nil, exitFailure, "the token is not accepted"},
		"no such file":    {[]string{"STRATA_URL=" + base}, []string{"--token-file", "/does/not/exist"}, exitUsage, "--token-file"},
		"nobody there":    {[]string{"STRATA_URL=" + gone.URL, "STRATA_TOKEN=x"}, nil, exitUnreachable, "does not answer at " + gone.URL},
		"no address":      {[]string{"STRATA_TOKEN=x"}, []string{"--url", "localhost:80"}, exitUsage, "is not an address of the service"},
		"no position":     {[]string{"STRATA_URL=" + base, "STRATA_TOKEN=secret"}, []string{"--after", "tomorrow"}, exitUsage, "--after takes a position or now"},
		"an output of no": {nil, []string{"-o", "xml"}, exitUsage, `-o takes table or json, not "xml"`},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := run(t.Context(), append([]string{"events", "tail"}, c.args...), c.environ, strings.NewReader(""), &out, &errs)
			if code != c.code || !strings.Contains(errs.String(), c.says) || strings.Count(errs.String(), "\n") != 1 {
				t.Errorf("exit code %d, want %d; it said\n%s\nwant one line with %q", code, c.code, errs.String(), c.says)
			}
		})
	}
}

func TestNextAfter(t *testing.T) {
	for link, want := range map[string]string{
		`</v1/events?after=42&limit=200>; rel="next"`: "42",
		`</v1/events?limit=200>; rel="next"`:          "",
		``:                                            "",
	} {
		got, err := nextAfter(link)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", link, got, err)
		}
	}
}

func TestServiceURL(t *testing.T) {
	for _, c := range []struct{ url, addr, want string }{
		{"https://strata.example", "127.0.0.1:8080", "https://strata.example"},
		{"", "127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"", ":8080", "http://127.0.0.1:8080"},
		{"", "0.0.0.0:8080", "http://127.0.0.1:8080"},
		{"", "[::]:8080", "http://127.0.0.1:8080"},
		{"", "strata:8080", "http://strata:8080"},
	} {
		if got := (config{URL: c.url, HTTPAddr: c.addr}).serviceURL(); got != c.want {
			t.Errorf("%q, %q: %s, want %s", c.url, c.addr, got, c.want)
		}
	}
}
