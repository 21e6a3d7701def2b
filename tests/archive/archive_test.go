package archive_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gopkg.in/yaml.v3"

	"strata.dev/strata/adapters/blob"
	"strata.dev/strata/adapters/postgres"
	core "strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }

const patience = 60 * time.Second

// archived drafts a strategy and repeats that, under its key, until the answer
// comes from the archive: on a machine that does other things, too, the 10 seconds
// of one request may not be enough.
func archived(t testing.TB, c *restclient.Client) (a restclient.Answer) {
	t.Helper()
	key := uuid.NewString()
	testenv.Eventually(t, patience, "a command is answered from the archive", func() error {
		a = send(t, c, key, "strata-durability=archived")
		if durability(a) != "archived" {
			return fmt.Errorf("%v", a.Header)
		}
		return nil
	})
	return a
}

// draft drafts a strategy and gives the answer.
func draft(t testing.TB, c *restclient.Client, prefer string) restclient.Answer {
	t.Helper()
	return send(t, c, uuid.NewString(), prefer)
}

func send(t testing.TB, c *restclient.Client, key, prefer string) restclient.Answer {
	t.Helper()
	header := http.Header{}
	if prefer != "" {
		header.Set("Prefer", prefer)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	a, err := c.Do(ctx, restclient.Request{
		Method: http.MethodPost, Path: "/v1/strategies", Key: key, Body: map[string]any{"frame": map[string]string{"name": "Ärger & <Spaß>"}}, Header: header,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func durability(a restclient.Answer) string { return a.Header.Get("Strata-Durability") }

func TestTheServiceArchivesToABucketThatRefusesDeletion(t *testing.T) {
	bucket := testenv.StartBucket(t, true)
	s, first := system.Start(t, system.Options{Queues: []string{"archive-test"}, Env: map[string]string{
		"STRATA_VERIFY_EVERY": "1s", "STRATA_ARCHIVE_URL": bucket.URL("&retain=1h"), "STRATA_ARCHIVE_ACCESS_KEY": bucket.AccessKey, "STRATA_ARCHIVE_SECRET_KEY": bucket.SecretKey,
	}})
	second := s.Service(nil)
	second.Start()
	second.Ready()

	// Under load, answers from the archive come within what is promised; how long
	// they take here is told, not judged: the machine does other things, too.
	var mu sync.Mutex
	var waits []time.Duration
	var last int64
	var clients sync.WaitGroup
	for n := range 8 {
		base := []string{first.Base, second.Base}[n%2] // one of them does not archive
		clients.Go(func() {
			c := s.Client(base, "sam")
			for range 4 {
				began := time.Now()
				a := archived(t, c)
				took := time.Since(began)
				mu.Lock()
				if a.Header.Get("Preference-Applied") != "strata-durability=archived" {
					t.Errorf("after %s: %v", took, a.Header)
				}
				waits, last = append(waits, took), max(last, a.Position)
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	slices.Sort(waits)
	t.Logf("answers from the archive: median %s, p99 %s of %d", waits[len(waits)/2], waits[len(waits)*99/100], len(waits))
	if a := draft(t, s.Client(first.Base, "sam"), ""); durability(a) != "local" {
		t.Errorf("without the preference: %v", a.Header)
	}

	store, err := blob.Open(t.Context(), bucket.URL(""), blob.Credentials{AccessKey: bucket.AccessKey, SecretKey: bucket.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	if tip := compare(t, s, store); tip.Last < last {
		t.Errorf("the archive ends at %d, and position %d was answered as archived", tip.Last, last)
	}
	object, err := store.Stat(t.Context(), core.SegmentKey(1, 1))
	if err != nil || object.RetentionMode != "COMPLIANCE" || object.RetainUntil.Before(time.Now()) {
		t.Errorf("the first segment is not locked: %+v %v", object, err)
	}

	healthy := func(want string) {
		t.Helper()
		testenv.Eventually(t, patience, "health is "+want, func() error {
			if h := first.Health(); h != want {
				return fmt.Errorf("health is %s", h)
			}
			return nil
		})
	}
	healthy("ok")

	// The store goes away. Commands are recorded, and say so; everything else goes on.
	bucket.Stop()
	a := draft(t, s.Client(first.Base, "sam"), "strata-durability=archived, wait=1")
	if durability(a) != "local" || a.Header.Get("Preference-Applied") != "" {
		t.Errorf("while the store is away: %v", a.Header)
	}
	system.MustGet(t, s.Client(first.Base, "arlo"), "/v1/strategies", a.Position, &struct{}{})
	healthy("degraded")

	// It comes back: what waited is archived, nothing twice, nothing left out.
	bucket.Restart()
	testenv.Eventually(t, patience, "the archive has caught up", func() error {
		if tip, err := core.Walk(t.Context(), store, core.WalkOptions{}, func(*eventlog.Event) error { return nil }); err != nil || tip.Last < a.Position {
			return fmt.Errorf("at %d of %d: %w", tip.Last, a.Position, err)
		}
		return nil
	})
	archived(t, s.Client(second.Base, "sam"))
	compare(t, s, store)
	healthy("ok")

	environ := s.Environ(nil)
	for _, command := range [][]string{{"archive", "status"}, {"archive", "list"}, {"archive", "verify", "--progress", "none"}} {
		r := system.CLI(t, environ, command...)
		if r.Code != 0 || !strings.Contains(r.Stdout, "1") {
			t.Errorf("%v: exit code %d\n%s%s", command, r.Code, r.Stdout, r.Stderr)
		}
	}
	checkAlerts(t, first.Metrics()+second.Metrics())
}

// compare reads the archive, proven, and holds it against the log.
func compare(t *testing.T, s *system.System, store core.Store) core.Tip {
	t.Helper()
	log, err := postgres.Open(t.Context(), s.Setting("STRATA_LOG_URL"), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	events, err := log.Read(t.Context(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	tip, err := core.Walk(t.Context(), store, core.WalkOptions{}, func(e *eventlog.Event) error {
		if eventlog.LeafHash(e) != eventlog.LeafHash(&events[e.Position-1]) {
			return fmt.Errorf("position %d: %+v in the archive, %+v in the log", e.Position, *e, events[e.Position-1])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tip
}

var metricName = regexp.MustCompile(`strata_[a-z_]+`)

// checkAlerts holds the alerting rules against what instances serve.
func checkAlerts(t *testing.T, served string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "monitoring", "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert       string
				Expr        string
				For         string
				Labels      struct{ Severity string }
				Annotations struct{ Summary string }
			}
		}
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if seen[r.Alert] || r.Annotations.Summary == "" || !slices.Contains([]string{"page", "ticket"}, r.Labels.Severity) {
				t.Errorf("alert %s: there twice, without a summary, or of severity %q", r.Alert, r.Labels.Severity)
			}
			seen[r.Alert] = true
			names := metricName.FindAllString(r.Expr, -1)
			if len(names) == 0 {
				t.Errorf("alert %s names no metric", r.Alert)
			}
			for _, name := range names {
				if !strings.Contains(served, "\n"+name+" ") && !strings.Contains(served, "\n"+name+"{") {
					t.Errorf("alert %s asks for %s, which no instance serves", r.Alert, name)
				}
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d alerts", len(seen))
	}
}

// TestATamperedArchiveIsNamed changes one byte of a segment in a directory.
func TestATamperedArchiveIsNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "archive")
	s, service := system.Start(t, system.Options{
		Env: map[string]string{"STRATA_ARCHIVE_URL": "file://" + dir}, Unsound: "a segment of the archive is damaged",
	})
	archived(t, s.Client(service.Base, "sam"))
	archived(t, s.Client(service.Base, "sam"))
	service.Kill()
	segments, err := filepath.Glob(filepath.Join(dir, "epoch-0001", "segments", "*"))
	if err != nil || len(segments) < 2 {
		t.Fatalf("%q %v", segments, err)
	}
	slices.Sort(segments)
	victim := segments[len(segments)-1]
	object, err := os.ReadFile(victim)
	if err != nil {
		t.Fatal(err)
	}
	object[len(object)/2] ^= 1
	if err := os.WriteFile(victim, object, 0o600); err != nil {
		t.Fatal(err)
	}
	first, err := strconv.ParseInt(strings.SplitN(filepath.Base(victim), ".", 2)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	r := system.CLI(t, s.Environ(nil), "archive", "verify", "--progress", "none")
	if r.Code != 3 || !strings.Contains(r.Stderr, core.SegmentKey(1, first)) {
		t.Errorf("exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if err := os.Remove(segments[1]); err != nil {
		t.Fatal(err)
	}
	r = system.CLI(t, s.Environ(nil), "archive", "verify", "--progress", "none")
	if r.Code != 3 || !strings.Contains(r.Stderr, filepath.Base(segments[1])) || !strings.Contains(r.Stderr, "missing") {
		t.Errorf("exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}
