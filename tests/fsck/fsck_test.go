package fsck

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/fsck"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }

// patience is for a machine that does a lot besides.
const patience = 60 * time.Second

// plan is a document of StratML Part 1.
const plan = `<?xml version="1.0" encoding="UTF-8"?>
<StrategicPlan xmlns="urn:ISO:std:iso:17469:tech:xsd:stratml_core">
  <Name>Looked after</Name>
  <StrategicPlanCore>
    <Organization><Name>Exampleland</Name><Identifier>_o1</Identifier></Organization>
    <Vision><Description>Nothing is lost</Description></Vision>
    <Mission><Description>Look again</Description></Mission>
    <Goal><Name>Truth</Name><Identifier>_g1</Identifier><Objective><Name>Every row</Name><Identifier>_x1</Identifier></Objective></Goal>
  </StrategicPlanCore>
</StrategicPlan>
`

// world is an installation at rest: its service has done all there is to do, and
// has ended.
type world struct {
	*system.System
	archive string // directory
	keys    string // directory
	grant   int64  // position of a grant that ends, so that there is a timer
	drafted int64  // position of the strategy
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, service := system.Start(t, system.Options{Queues: []string{"tests.fsck"}})
	dir := filepath.Dir(s.Setting("STRATA_DEV_KEY_FILE"))
	w := &world{System: s, archive: filepath.Join(dir, "archive"), keys: filepath.Join(dir, "keys")}
	file := filepath.Join(t.TempDir(), "plan.xml")
	if err := os.WriteFile(file, []byte(plan), 0o600); err != nil {
		t.Fatal(err)
	}
	r := system.CLI(t, s.Environ(map[string]string{"STRATA_URL": service.Base, "STRATA_TOKEN": s.Organization.Tokens["sam"]}), "import", "stratml", file, "-o", "json")
	if r.Code != 0 {
		t.Fatalf("import: %s%s", r.Stdout, r.Stderr)
	}
	ada := s.Client(service.Base, "ada")
	var enrolled struct{ MemberID string }
	system.MustPost(t, ada, "/v1/organization/commands/enrol-member", map[string]string{"issuer": "https://elsewhere.example", "subject": "late", "kind": "person"}, &enrolled)
	w.grant = system.MustPost(t, ada, "/v1/organization/commands/grant-role", map[string]any{
		"memberId": enrolled.MemberID, "role": "viewer", "expiresAt": time.Now().Add(90 * 24 * time.Hour).UTC().Format(time.RFC3339),
	}, nil)
	w.drafted = w.number(t, s.LogAdmin, `SELECT position FROM events WHERE type = 'strategy.drafted'`)
	testenv.Eventually(t, patience, "everything is done", func() error {
		head := s.Head(t)
		for what, at := range map[string]int64{
			"relay":     w.number(t, s.LogAdmin, `SELECT coalesce(max(position), 0) FROM cursors WHERE consumer_group = 'relay'`),
			"processes": w.number(t, s.LogAdmin, `SELECT coalesce(max(position), 0) FROM cursors WHERE consumer_group = 'processes'`),
			"plans":     w.number(t, s.PlansAdmin, `SELECT max(position) FROM generations WHERE state = 'live'`),
			"audit":     w.number(t, s.AuditAdmin, `SELECT max(position) FROM generations WHERE state = 'live'`),
			"archive":   archived(service.Metrics()),
		} {
			if at < head {
				return fmt.Errorf("%s is at %d of %d", what, at, head)
			}
		}
		if signed := w.number(t, s.LogAdmin, `SELECT coalesce(max(size), 0) FROM ledger.checkpoints`); signed < head {
			return fmt.Errorf("%d of %d are signed", signed, head)
		}
		return nil
	})
	service.Stop()
	// As an administrator who wants to, and may.
	w.do(t, s.LogAdmin, `ALTER TABLE events DISABLE TRIGGER ALL; ALTER TABLE timers DISABLE TRIGGER ALL; ALTER TABLE inbox DISABLE TRIGGER ALL;
ALTER TABLE originals DISABLE TRIGGER ALL; ALTER TABLE originals DROP CONSTRAINT originals_are_what_they_are_called; ALTER TABLE sealed_originals DISABLE TRIGGER ALL;
ALTER TABLE epochs DISABLE TRIGGER ALL; ALTER TABLE ledger.tiles DISABLE TRIGGER ALL; ALTER TABLE ledger.checkpoints DISABLE TRIGGER ALL`)
	return w
}

// archived is how far the archive is, by a scrape; 0 if it does not say.
func archived(metrics string) int64 {
	for line := range strings.Lines(metrics) {
		if text, ok := strings.CutPrefix(line, "strata_archive_position "); ok {
			if n, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil {
				return int64(n)
			}
		}
	}
	return 0
}

func (w *world) with(t *testing.T, url string, do func(ctx context.Context, conn *pgx.Conn) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err == nil {
		defer conn.Close(ctx)
		err = do(ctx, conn)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) do(t *testing.T, url, sql string) {
	t.Helper()
	w.with(t, url, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql)
		return err
	})
}

func (w *world) number(t *testing.T, url, sql string) (n int64) {
	t.Helper()
	w.with(t, url, func(ctx context.Context, conn *pgx.Conn) error { return conn.QueryRow(ctx, sql).Scan(&n) })
	return n
}

// live is the schema of a read database's live model.
func (w *world) live(t *testing.T, url string) (schema string) {
	t.Helper()
	w.with(t, url, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT schema_name FROM generations WHERE state = 'live'`).Scan(&schema)
	})
	return schema
}

// fsck is `strata fsck` with its report.
func (w *world) fsck(t *testing.T, args ...string) (fsck.Report, int) {
	t.Helper()
	r := system.CLI(t, w.Environ(nil), append([]string{"fsck", "-o", "json", "--progress", "none"}, args...)...)
	var report fsck.Report
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil {
		t.Fatalf("%v: exit code %d\n%s%s", err, r.Code, r.Stdout, r.Stderr)
	}
	return report, r.Code
}

// spoil is one change past the service, and the way back. What does not get in
// the way of one another is changed in one round.
type spoil struct {
	round        int
	name         string
	url          string // of the database
	do, undo     string
	section      string // that must name it,
	kind         string // as this,
	table        string // there
	key          string // which the key contains
	position     int64
	organization bool     // it is named
	also         []string // sections that may see it, too
}

// Each thing that is changed is named by the section whose it is.
func TestWhatIsChangedIsNamed(t *testing.T) {
	w := newWorld(t)
	report, code := w.fsck(t, "--all-streams-twice")
	if code != 0 || !report.OK() {
		t.Fatalf("before anything is changed: exit code %d, %+v", code, report)
	}
	for _, name := range []string{fsck.LogSection, fsck.StreamsSection, fsck.PlansSection, fsck.AuditSection, fsck.ArchiveSection, fsck.LedgerSection, fsck.OriginalsSection, fsck.StateSection} {
		if s, _ := report.Section(name); s.State != fsck.OK || s.Checked == 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if t.Failed() {
		return
	}
	head := report.Head
	plans, audit := w.live(t, w.PlansAdmin), w.live(t, w.AuditAdmin)
	readModels := []string{fsck.PlansSection, fsck.AuditSection}
	spoils := []spoil{
		{
			round: 1, name: "an event", url: w.LogAdmin, section: fsck.LedgerSection, kind: "log differs", position: w.drafted,
			do:   fmt.Sprintf(`UPDATE events SET data = convert_to(replace(convert_from(data, 'UTF8'), 'Looked after', 'Looked afar!'), 'UTF8') WHERE position = %d`, w.drafted),
			undo: fmt.Sprintf(`UPDATE events SET data = convert_to(replace(convert_from(data, 'UTF8'), 'Looked afar!', 'Looked after'), 'UTF8') WHERE position = %d`, w.drafted),
			also: append([]string{fsck.ArchiveSection}, readModels...),
		},
		{
			round: 2, name: "an event, for the archive", url: w.LogAdmin, section: fsck.ArchiveSection, kind: "differs", table: "events", position: w.drafted, organization: true,
			do:   fmt.Sprintf(`UPDATE events SET recorded_at = recorded_at + interval '1 microsecond' WHERE position = %d`, w.drafted),
			undo: fmt.Sprintf(`UPDATE events SET recorded_at = recorded_at - interval '1 microsecond' WHERE position = %d`, w.drafted),
			also: []string{fsck.LogSection, fsck.LedgerSection, fsck.PlansSection, fsck.AuditSection, fsck.StateSection},
		},
		{
			round: 3, name: "a row of plans", url: w.PlansAdmin, section: fsck.PlansSection, kind: "tampered", table: "strategies", key: "strategy_id=", organization: true,
			do:   `UPDATE ` + plans + `.strategies SET state = 'closed'`,
			undo: `UPDATE ` + plans + `.strategies SET state = 'preparing'`,
		},
		{
			round: 3, name: "a row of audit", url: w.AuditAdmin, section: fsck.AuditSection, kind: "tampered", table: "events", key: "position=", organization: true,
			do:   fmt.Sprintf(`UPDATE %s.events SET actor_id = actor_id || 'x' WHERE position = %d`, audit, w.drafted),
			undo: fmt.Sprintf(`UPDATE %s.events SET actor_id = left(actor_id, -1) WHERE position = %d`, audit, w.drafted),
		},
		{
			round: 3, name: "a tile", url: w.LogAdmin, section: fsck.LedgerSection, kind: "tile differs", table: "ledger.tiles", key: "level=0, n=0", position: 3,
			do:   `UPDATE ledger.tiles SET hashes = set_byte(hashes, 64, get_byte(hashes, 64) # 1) WHERE level = 0 AND n = 0`,
			undo: `UPDATE ledger.tiles SET hashes = set_byte(hashes, 64, get_byte(hashes, 64) # 1) WHERE level = 0 AND n = 0`,
		},
		{
			round: 4, name: "a checkpoint", url: w.LogAdmin, section: fsck.LedgerSection, kind: "changed", table: "ledger.checkpoints", key: "size=",
			do:   `UPDATE ledger.checkpoints SET root = set_byte(root, 0, get_byte(root, 0) # 1) WHERE size = (SELECT max(size) FROM ledger.checkpoints)`,
			undo: `UPDATE ledger.checkpoints SET root = set_byte(root, 0, get_byte(root, 0) # 1) WHERE size = (SELECT max(size) FROM ledger.checkpoints)`,
		},
		{
			round: 3, name: "a timer made up", url: w.LogAdmin, section: fsck.StateSection, kind: "not explained", table: "timers", key: "finding-overdue", position: w.drafted, organization: true,
			do: fmt.Sprintf(`INSERT INTO timers (organization_id, timer_id, kind, subject, due_at, try_at, cause_event_id, cause_position, correlation_id)
				SELECT organization_id, '11111111-1111-4111-8111-111111111111', 'finding-overdue', 'finding-11111111-1111-4111-8111-111111111111', now(), now(), event_id, position, 'x' FROM events WHERE position = %d`, w.drafted),
			undo: `DELETE FROM timers WHERE timer_id = '11111111-1111-4111-8111-111111111111'`,
		},
		{
			round: 4, name: "a timer moved", url: w.LogAdmin, section: fsck.StateSection, kind: "changed", table: "timers", key: "grant-expiry", position: w.grant, organization: true,
			do:   `UPDATE timers SET due_at = due_at + interval '1 year' WHERE kind = 'grant-expiry'`,
			undo: `UPDATE timers SET due_at = due_at - interval '1 year' WHERE kind = 'grant-expiry'`,
		},
		{
			round: 2, name: "a timer cancelled", url: w.LogAdmin, section: fsck.StateSection, kind: "changed", table: "timers", key: "grant-expiry", position: w.grant, organization: true,
			do:   `UPDATE timers SET state = 'cancelled' WHERE kind = 'grant-expiry'`,
			undo: `UPDATE timers SET state = 'pending' WHERE kind = 'grant-expiry'`,
		},
		{
			round: 5, name: "a timer taken away", url: w.LogAdmin, section: fsck.StateSection, kind: "missing", table: "timers", key: "grant-expiry", position: w.grant, organization: true,
			do:   `CREATE TABLE kept AS SELECT * FROM timers; DELETE FROM timers`,
			undo: `INSERT INTO timers SELECT * FROM kept; DROP TABLE kept`,
		},
		{
			round: 3, name: "a cursor ahead", url: w.LogAdmin, section: fsck.StateSection, kind: "ahead", table: "cursors", key: "consumer_group=relay", position: head + 5,
			do:   fmt.Sprintf(`UPDATE cursors SET position = %d WHERE consumer_group = 'relay'`, head+5),
			undo: fmt.Sprintf(`UPDATE cursors SET position = %d WHERE consumer_group = 'relay'`, head),
		},
		{
			round: 3, name: "a stream set aside by hand", url: w.LogAdmin, section: fsck.StateSection, kind: "not explained", table: "parked", key: "consumer_group=relay", position: 2,
			do:   `INSERT INTO parked (consumer_group, stream_id, position, event_id, reason) VALUES ('relay', 'strategy-x', 2, gen_random_uuid(), 'x')`,
			undo: `DELETE FROM parked`,
		},
		{
			round: 3, name: "an import that never was", url: w.LogAdmin, section: fsck.StateSection, kind: "not explained", table: "import_runs", key: "import_id=11111111", organization: true,
			do:   fmt.Sprintf(`INSERT INTO import_runs (organization_id, import_id, state) VALUES ('%s', '11111111-1111-4111-8111-111111111111', 'applied')`, w.Organization.ID),
			undo: `DELETE FROM import_runs WHERE import_id = '11111111-1111-4111-8111-111111111111'`,
		},
		{
			round: 3, name: "a message that never came", url: w.LogAdmin, section: fsck.StateSection, kind: "not explained", table: "inbox", key: "message_id=m-1", organization: true,
			do: fmt.Sprintf(`INSERT INTO inbox (source_id, message_id, organization_id, sha256, refused, answer)
				VALUES ('11111111-1111-4111-8111-111111111111', 'm-1', '%s', sha256('x'), false, '{}')`, w.Organization.ID),
			undo: `DELETE FROM inbox`,
		},
	}
	for round := 1; round <= 5; round++ {
		in := slices.DeleteFunc(slices.Clone(spoils), func(c spoil) bool { return c.round != round })
		var may []string // sections that may see something
		for _, c := range in {
			may = append(append(may, c.section), c.also...)
			w.do(t, c.url, c.do)
		}
		report, code := w.fsck(t)
		for _, c := range slices.Backward(in) {
			w.do(t, c.url, c.undo)
			c.also = may
			t.Run(c.name, func(t *testing.T) { w.named(t, c, report, code) })
		}
	}
	t.Run("a segment of the archive", func(t *testing.T) { w.segment(t) })
	t.Run("a document", func(t *testing.T) { w.document(t) })
	t.Run("the table for people", func(t *testing.T) { w.table(t) })
}

// named judges a report.
func (w *world) named(t *testing.T, c spoil, r fsck.Report, code int) {
	t.Helper()
	s, _ := r.Section(c.section)
	if code != 3 || s.State != fsck.Found {
		t.Fatalf("exit code %d, %s: %+v", code, c.section, r)
	}
	i := slices.IndexFunc(s.Wrong, func(f fsck.Wrong) bool {
		return f.Kind == c.kind && (c.table == "" || f.Table == c.table) && strings.Contains(f.Key, c.key) && (c.position == 0 || f.Position == c.position) &&
			(!c.organization || f.Organization == w.Organization.ID.String())
	})
	if i < 0 {
		t.Fatalf("not named: %+v", s.Wrong)
	}
	if f := s.Wrong[i]; f.Detail == "" || f.Do == "" {
		t.Errorf("it does not say what to do: %+v", f)
	}
	for _, name := range r.Wrong() {
		if name != c.section && !slices.Contains(c.also, name) {
			other, _ := r.Section(name)
			t.Errorf("%s is blamed, too: %+v", name, other.Wrong)
		}
	}
	if failed := r.Failed(); len(failed) > 0 {
		t.Errorf("could not be checked: %v", failed)
	}
}

// segment changes a byte of the archive.
func (w *world) segment(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(w.archive, "epoch-0001", "segments", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v: no segments in %s", err, w.archive)
	}
	slices.Sort(files)
	at := files[len(files)/2]
	body, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(body)
	changed[len(changed)/2] ^= 1
	overwrite(t, at, changed)
	report, code := w.fsck(t)
	overwrite(t, at, body)
	w.named(t, spoil{section: fsck.ArchiveSection, kind: "damaged", table: "archive", key: filepath.Base(at)}, report, code)
	if err := os.Remove(at); err != nil {
		t.Fatal(err)
	}
	report, code = w.fsck(t)
	overwrite(t, at, body)
	w.named(t, spoil{section: fsck.ArchiveSection, kind: "missing", table: "archive"}, report, code)
}

func overwrite(t *testing.T, path string, body []byte) {
	t.Helper()
	if err := os.Chmod(path, 0o600); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
}

// document changes what is kept of an imported file, and takes it away.
func (w *world) document(t *testing.T) {
	for _, c := range []struct{ kind, table, do string }{
		{"changed", "sealed_originals", `UPDATE sealed_originals SET ciphertext = set_byte(ciphertext, 20, get_byte(ciphertext, 20) # 1)`},
		{"changed", "originals", `UPDATE originals SET bytes = set_byte(bytes, 20, get_byte(bytes, 20) # 1)`},
		{"missing", "sealed_originals", `DELETE FROM sealed_originals`},
		{"missing", "originals", `DELETE FROM originals`},
	} {
		if w.number(t, w.LogAdmin, `SELECT count(*) FROM `+c.table) == 0 {
			continue // it is in the other one
		}
		columns := map[string]string{"originals": "organization_id, sha256, bytes, kept_at", "sealed_originals": "organization_id, sha256, size, ciphertext, kept_at"}[c.table]
		w.do(t, w.LogAdmin, `CREATE TABLE kept AS SELECT `+columns+` FROM `+c.table+`; `+c.do)
		report, code := w.fsck(t)
		w.do(t, w.LogAdmin, `DELETE FROM `+c.table+`; INSERT INTO `+c.table+` (`+columns+`) SELECT * FROM kept; DROP TABLE kept`)
		w.named(t, spoil{section: fsck.OriginalsSection, kind: c.kind, table: "originals", key: "sha256=", organization: true}, report, code)
	}
}

// table is what an operator sees.
func (w *world) table(t *testing.T) {
	w.do(t, w.LogAdmin, `UPDATE timers SET state = 'cancelled' WHERE kind = 'grant-expiry'`)
	r := system.CLI(t, w.Environ(nil), "fsck", "--only", "state,log", "--progress", "none")
	w.do(t, w.LogAdmin, `UPDATE timers SET state = 'pending' WHERE kind = 'grant-expiry'`)
	for _, want := range []string{"SECTION", "log", "ok", "state", "wrong", "grant-expiry", "to do:", fmt.Sprintf("position %d", w.grant)} {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	if strings.Contains(r.Stdout, "plans") || r.Code != 3 || !strings.Contains(r.Stderr, "not what the log says") {
		t.Errorf("exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if r := system.CLI(t, w.Environ(nil), "fsck", "--only", "everything"); r.Code != 2 {
		t.Errorf("a section that there is none of: exit code %d", r.Code)
	}
	if r := system.CLI(t, w.Environ(map[string]string{"STRATA_PLANS_URL": ""}), "fsck", "--only", "plans"); r.Code != 0 || !strings.Contains(r.Stdout, "not configured") {
		t.Errorf("without a plans database: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if r := system.CLI(t, w.Environ(map[string]string{"STRATA_AUDIT_URL": "postgres://strata_audit_projector:x@127.0.0.1:1/x"}), "fsck", "--only", "audit,state"); r.Code != 1 || !strings.Contains(r.Stdout, "failed") {
		t.Errorf("with an audit database that is away: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}
