package rest_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"strata.dev/strata/ports/rest"
)

// archiveUpTo is an archive that holds the log up to a position, and remembers
// which positions were waited for.
type archiveUpTo struct {
	mu    sync.Mutex
	at    int64
	asked []int64
	long  time.Duration // the longest a caller would have waited
}

func (a *archiveUpTo) Wait(ctx context.Context, position int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if end, ok := ctx.Deadline(); ok {
		a.long = max(a.long, time.Until(end))
	}
	a.asked = append(a.asked, position)
	if position <= a.at {
		return nil
	}
	return context.DeadlineExceeded
}

func TestACommandSaysHowDurableItIs(t *testing.T) {
	archive := &archiveUpTo{at: 1 << 40}
	w := newWorld(t, func(o *rest.Options) { o.Archive = archive })
	o := w.register("Examples", author)
	draft := func(prefer ...string) answer {
		t.Helper()
		return w.do(request{
			path: "/v1/strategies", token: o.tokens[author], body: `{"frame":{"name":"x"}}`, header: http.Header{"Prefer": prefer},
		})
	}
	said := func(a answer, durability, applied string) {
		t.Helper()
		if d, p := a.header.Get("Strata-Durability"), a.header.Get("Preference-Applied"); d != durability || p != applied {
			t.Errorf("Strata-Durability %q, Preference-Applied %q; want %q, %q", d, p, durability, applied)
		}
	}

	said(draft().want(201, ""), "local", "")
	if len(archive.asked) != 0 {
		t.Errorf("the archive was asked without need: %d", archive.asked)
	}
	a := draft("strata-durability=archived").want(201, "")
	said(a, "archived", "strata-durability=archived")
	if want := a.header.Get("Strata-Position"); len(archive.asked) != 1 || strconv.FormatInt(archive.asked[0], 10) != want {
		t.Errorf("position %s was answered, and %d waited for", want, archive.asked)
	}
	said(draft("strata-durability=archived, return=minimal").want(204, ""), "archived", "return=minimal")

	// The archive is away: the command is recorded all the same, and says so.
	archive.at = 0
	archive.long = 0
	a = draft("strata-durability=archived", "wait=2")
	said(a.want(201, ""), "local", "")
	if archive.long > 2*time.Second || archive.long == 0 {
		t.Errorf("it would have waited %s", archive.long)
	}
	if read := w.do(request{method: "GET", path: "/v1/events?limit=50", token: o.tokens[author]}); !strings.Contains(string(read.body), a.header.Get("Location")[len("/v1/strategies/"):]) {
		t.Errorf("it is not in the log: %s", read.body)
	}
	said(draft("strata-durability=archived", "wait=60").want(201, ""), "local", "")
	if archive.long > 10*time.Second {
		t.Errorf("it would have waited %s", archive.long)
	}
	if refused := w.do(request{path: "/v1/strategies", token: o.tokens[author], body: `{}`}); refused.status != 422 || refused.header.Get("Strata-Durability") != "" {
		t.Errorf("a refusal says %q", refused.header.Get("Strata-Durability"))
	}
}

func TestWithoutAnArchiveNothingIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author)
	a := w.do(request{
		path: "/v1/strategies", token: o.tokens[author], body: `{"frame":{"name":"x"}}`, header: http.Header{"Prefer": {"strata-durability=archived"}},
	}).want(201, "")
	if a.header.Get("Strata-Durability") != "local" || a.header.Get("Preference-Applied") != "" {
		t.Errorf("%v", a.header)
	}
}
