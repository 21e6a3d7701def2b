package rest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/app/eventlog"
)

// Whoever may read events, but not the journal, sees that there are entries, and
// not what they say: in the feed, on the live stream, in the activity, one by one.
func TestEntriesOfTheJournalAreForThoseWhoWatch(t *testing.T) {
	w := newReadWorld(t)
	o := w.register("O", author, approver, "viewer", "auditor")
	recording(t, w.world)
	w.do(request{path: "/v1/strategies/" + uuid.NewString() + "/commands/add-goal", token: o.tokens[approver], body: `{"name":"G"}`}).want(403, "")
	w.project()
	denied := w.member(o, approver)
	for _, c := range []struct {
		token string
		sees  bool
	}{{o.tokens["viewer"], false}, {o.tokens["auditor"], true}, {o.tokens["officer"], true}, {o.tokens[author], false}} {
		feed := w.do(request{method: "GET", path: "/v1/events?types=journal.command-denied", token: c.token}).want(200, "")
		var documents []json.RawMessage
		if err := json.Unmarshal(feed.body, &documents); err != nil || len(documents) != 1 {
			t.Fatalf("%d documents, %v", len(documents), err)
		}
		m, err := cloudevents.Decode(documents[0])
		if err != nil {
			t.Fatal(err)
		}
		if sees := strings.Contains(string(m.Data), denied); sees != c.sees || strings.Contains(string(m.Data), "add-goal") != c.sees {
			t.Errorf("the feed shows %s", m.Data)
		}
		events, err := w.log.Read(t.Context(), m.Position-1, 1)
		if err != nil {
			t.Fatal(err)
		}
		if hash := eventlog.LeafHash(&events[0]); string(hash[:]) != string(m.LeafHash) {
			t.Error("the leaf hash is not that of the event in the log")
		}
		for _, path := range []string{"/v1/activity?types=journal.command-denied", "/v1/events/" + m.ID.String()} {
			a := w.do(request{method: "GET", path: path, token: c.token}).want(200, "")
			if sees := strings.Contains(string(a.body), denied); sees != c.sees || !strings.Contains(string(a.body), `"count":1`) {
				t.Errorf("%s shows %s", path, a.body)
			}
		}
		status := 403
		if c.sees {
			status = 200
		}
		w.do(request{method: "GET", path: "/v1/activity?streamId=journal-" + o.id.String() + "&subjectId=" + denied, token: c.token}).want(status, "")
	}
}

func TestLiveEntriesOfTheJournal(t *testing.T) {
	s := newStreams(t)
	o := s.register("O", author, approver, "viewer", "auditor")
	recording(t, s.world)
	// The server was made before the journal: its API is the world's now.
	s.server.Config.Handler = s.api
	watcher, viewer := s.open(t, o.tokens["auditor"], "?types=journal.command-denied", ""), s.open(t, o.tokens["viewer"], "?types=journal.command-denied", "")
	s.do(request{path: "/v1/strategies/" + uuid.NewString() + "/commands/add-goal", token: o.tokens[approver], body: `{"name":"G"}`}).want(403, "")
	denied := s.member(o, approver)
	for l, sees := range map[*live]bool{watcher: true, viewer: false} {
		m := l.event()
		if m.event != "journal.command-denied" || strings.Contains(m.data, denied) != sees || !strings.Contains(m.data, `"count":1`) {
			t.Errorf("sees %t: %+v", sees, m)
		}
	}
}
