package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

// smallPlan is a document of StratML Part 1.
const smallPlan = `<?xml version="1.0" encoding="UTF-8"?>
<StrategicPlan xmlns="urn:ISO:std:iso:17469:tech:xsd:stratml_core">
  <Name>Tools</Name>
  <StrategicPlanCore>
    <Organization><Name>Exampleland</Name><Identifier>_o1</Identifier></Organization>
    <Vision><Description>Seen from a shell</Description></Vision>
    <Mission><Description>Everything by command</Description></Mission>
    <Goal><Name>Reach</Name><Identifier>_g1</Identifier><Objective><Name>Every command</Name><Identifier>_x1</Identifier></Objective></Goal>
  </StrategicPlanCore>
</StrategicPlan>
`

// The operator's tools and the client commands, as one types them.
func TestTools(t *testing.T) {
	s, service := system.Start(t, system.Options{Queues: []string{"tests.tools"}})
	tool := func(t *testing.T, subject string, env map[string]string, args ...string) system.Result {
		t.Helper()
		settings := map[string]string{"STRATA_URL": service.Base, "STRATA_TOKEN": s.Organization.Tokens[subject]}
		maps.Copy(settings, env)
		return system.CLI(t, s.Environ(settings), args...)
	}
	must := func(t *testing.T, subject string, args ...string) string {
		t.Helper()
		r := tool(t, subject, nil, args...)
		if r.Code != 0 {
			t.Fatalf("strata %v: exit code %d: %s%s", args, r.Code, r.Stdout, r.Stderr)
		}
		return r.Stdout
	}
	t.Run("import, export, and what it leaves behind", func(t *testing.T) { planByCommand(t, must) })
	t.Run("doctor", func(t *testing.T) { doctor(t, s, tool) })
	t.Run("what is recorded", func(t *testing.T) { events(t, s, service, must) })
	t.Run("tail over a restart", func(t *testing.T) { tailOverRestart(t, s, service) })
	t.Run("read models compared with the log", func(t *testing.T) { verify(t, s, tool) })
	t.Run("read models compared by the service", func(t *testing.T) { verifiesItself(t, s, service) })
	t.Run("operator's views as JSON", func(t *testing.T) {
		for _, args := range [][]string{
			{"projections", "list"}, {"projections", "status", "plans"}, {"relay", "list"}, {"migrate", "status"}, {"config", "print"}, {"version"},
		} {
			out := must(t, "arlo", append(args, "-o", "json")...)
			if !json.Valid([]byte(out)) || strings.Contains(out, "strata-test") || strings.Contains(out, s.Organization.Tokens["arlo"]) {
				t.Errorf("strata %v printed, with its secrets or not as JSON:\n%s", args, out)
			}
		}
	})
}

// planByCommand imports a document, twice, and gets it back.
func planByCommand(t *testing.T, must func(t *testing.T, subject string, args ...string) string) {
	file := filepath.Join(t.TempDir(), "plan.xml")
	if err := os.WriteFile(file, []byte(smallPlan), 0o600); err != nil {
		t.Fatal(err)
	}
	var first, second struct{ StrategyID string }
	for _, into := range []any{&first, &second} {
		out := must(t, "sam", "import", "stratml", file, "-o", "json")
		if err := json.Unmarshal([]byte(out), into); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if first != second || first.StrategyID == "" {
		t.Errorf("imported as %q, and when the command is repeated as %q", first.StrategyID, second.StrategyID)
	}
	exported := must(t, "sam", "export", "stratml", first.StrategyID, "--part", "1")
	for _, want := range []string{"<Name>Tools</Name>", "<Name>Every command</Name>", "Seen from a shell"} {
		if !strings.Contains(exported, want) {
			t.Errorf("the export lacks %q:\n%s", want, exported)
		}
	}
}

// finding is a line of the doctor's.
type finding struct{ Check, Status, Detail, Advice string }

// doctor finds nothing wrong with a whole installation, and what is broken in others.
func doctor(t *testing.T, s *system.System, tool func(t *testing.T, subject string, env map[string]string, args ...string) system.Result) {
	for _, c := range []struct {
		name   string
		env    map[string]string
		code   int
		check  string // the first that fails
		detail string
	}{
		{"whole", nil, 0, "", ""},
		{"a superuser for the service", map[string]string{"STRATA_LOG_URL": s.LogAdmin}, 1, "role strata_log", "connects as postgres"},
		{"the writer for the reader", map[string]string{"STRATA_PLANS_READ_URL": s.Setting("STRATA_PLANS_URL")}, 1, "role strata_plans_reader", "connects as strata_plans_projector"},
		{"no broker", map[string]string{"STRATA_AMQP_URL": "amqp://guest:guest@127.0.0.1:1/"}, 4, "rabbitmq", "cannot reach RabbitMQ at 127.0.0.1:1"},
		{"no database", map[string]string{"STRATA_AUDIT_URL": "postgres://strata_audit_projector:x@127.0.0.1:1/x"}, 4, "postgres audit", "connection refused"},
		{"no issuer in production", map[string]string{"STRATA_ENV": "production"}, 1, "token issuer", "nobody's token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := tool(t, "arlo", c.env, "doctor", "-o", "json")
			var findings []finding
			if err := json.Unmarshal([]byte(r.Stdout), &findings); err != nil {
				t.Fatalf("%v: %s%s", err, r.Stdout, r.Stderr)
			}
			var failing finding
			for _, f := range findings {
				if f.Status == "fail" && failing.Check == "" {
					failing = f
				}
				if f.Status == "warn" && f.Advice == "" {
					t.Errorf("%+v does not say what to do", f)
				}
			}
			if r.Code != c.code || failing.Check != c.check || !strings.Contains(failing.Detail, c.detail) || len(findings) < 15 {
				t.Errorf("exit code %d, want %d; the first of %d that fails is %+v\n%s", r.Code, c.code, len(findings), failing, r.Stderr)
			}
		})
	}
}

// events shows the same as the API, byte for byte.
func events(t *testing.T, s *system.System, service *system.Service, must func(t *testing.T, subject string, args ...string) string) {
	answer, err := s.Client(service.Base, "arlo").Do(t.Context(), restclient.Request{Method: http.MethodGet, Path: "/v1/events?after=0&limit=200"})
	if err != nil {
		t.Fatal(err)
	}
	var batch []json.RawMessage
	if err := answer.Decode(&batch); err != nil {
		t.Fatal(err)
	}
	if len(batch) < 10 {
		t.Fatalf("only %d events", len(batch))
	}
	out := must(t, "arlo", "events", "tail", "--after", "0", "--limit", strconv.Itoa(len(batch)), "-o", "json")
	for i, line := range strings.Split(strings.TrimSpace(out), "\n") {
		if i >= len(batch) || line != string(batch[i]) {
			t.Fatalf("line %d is\n%s", i, line)
		}
	}
	var last struct{ ID, Type string }
	if err := json.Unmarshal(batch[len(batch)-1], &last); err != nil {
		t.Fatal(err)
	}
	shown := must(t, "arlo", "events", "show", last.ID)
	name := strings.TrimSuffix(strings.TrimPrefix(last.Type, "dev.strata."), ".v1")
	if !strings.Contains(shown, last.ID) || !strings.Contains(shown, name) {
		t.Errorf("events show %s (%s):\n%s", last.ID, name, shown)
	}
}

// tailOverRestart follows the feed while the service is killed and started
// again: what is recorded after that is printed, and nothing twice.
func tailOverRestart(t *testing.T, s *system.System, service *system.Service) {
	cmd := exec.Command(system.Binary(t), "events", "tail", "-o", "json")
	cmd.Env = s.Environ(map[string]string{"STRATA_URL": service.Base, "STRATA_TOKEN": s.Organization.Tokens["arlo"]})
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // has ended, unless the test failed
	lines := make(chan string)
	go func() {
		defer close(lines)
		for decoder := json.NewDecoder(out); ; {
			var event struct{ Type string }
			if err := decoder.Decode(&event); err != nil {
				if err != io.EOF {
					lines <- err.Error()
				}
				return
			}
			if !strings.HasPrefix(event.Type, "dev.strata.journal.") { // that the feed is read is recorded, too
				lines <- event.Type
			}
		}
	}()
	// It begins with the next event, from when it has asked where the end is: draft until one shows.
	draft := func() {
		system.MustPost(t, s.Client(service.Base, "sam"), "/v1/strategies", map[string]any{"frame": map[string]string{"name": "Tail"}}, nil)
	}
	testenv.Eventually(t, 20*time.Second, "the tail prints", func() error {
		draft()
		select {
		case typ := <-lines:
			if typ != "dev.strata.strategy.drafted.v1" {
				t.Errorf("printed %s", typ)
			}
			return nil
		case <-time.After(300 * time.Millisecond):
			return io.ErrNoProgress
		}
	})
	service.Kill()
	service.Start()
	service.Ready()
	draft()
	select {
	case typ, open := <-lines:
		if !open || typ != "dev.strata.strategy.drafted.v1" {
			t.Errorf("printed %s: %s", typ, said.String())
		}
	case <-time.After(30 * time.Second):
		t.Error("prints nothing after the restart")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for range lines { // what was drafted before it began to print
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(said.String(), "asking again") || !strings.Contains(said.String(), "--after ") {
		t.Errorf("%v; it said\n%s", err, said.String())
	}
}
