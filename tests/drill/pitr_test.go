package drill_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/embedded"
	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/restore"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

// server is a PostgreSQL whose write-ahead log is archived, with the event log alone.
type server struct {
	t        *testing.T
	dir, wal string
	port     int
	*embedded.Postgres
}

func (s *server) start(settings map[string]string) {
	s.t.Helper()
	all := map[string]string{
		"shared_buffers": "64MB", "wal_level": "replica", "archive_mode": "on", "archive_command": fmt.Sprintf("test ! -f %[1]s/%%f && cp %%p %[1]s/%%f", s.wal),
	}
	for k, v := range settings {
		all[k] = v
	}
	s.Postgres = embedded.NewPostgres(embedded.PostgresOptions{Dir: s.dir, Port: s.port, Throwaway: true, Settings: all})
	if err := s.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.port = s.Port()
}

func newServer(t *testing.T) *server {
	t.Helper()
	root, err := os.MkdirTemp("", "strata-pitr-")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, dir: filepath.Join(root, "pg"), wal: filepath.Join(root, "wal")}
	t.Cleanup(func() {
		if err := s.Kill(); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	// PostgreSQL does not run as root: both directories are its user's, too.
	for _, dir := range []string{root, s.wal} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	s.start(nil)
	return s
}

// query asks the server for one text.
func (s *server) query(sql string) (answer string) {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.URL("postgres"))
	if err == nil {
		defer conn.Close(s.t.Context())
		err = conn.QueryRow(s.t.Context(), sql).Scan(&answer)
	}
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return answer
}

// backup takes a base backup beside the data.
func (s *server) backup() (dir string) {
	s.t.Helper()
	dir = filepath.Join(filepath.Dir(s.wal), "base")
	out, err := exec.CommandContext(s.t.Context(), s.Bin("pg_basebackup"), "--dbname", s.URL("postgres"), "--pgdata", dir, "--checkpoint=fast", "--wal-method=none").CombinedOutput()
	if err != nil {
		s.t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	return dir
}

// rewind puts the backup in the place of the data and recovers up to a place in
// the write-ahead log.
func (s *server) rewind(backup, lsn string) {
	s.t.Helper()
	if err := s.Stop(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	data := filepath.Join(s.Dir(), "data")
	info, err := os.Stat(data)
	if err == nil {
		err = os.RemoveAll(data)
	}
	if err == nil {
		err = os.Rename(backup, data)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(data, "recovery.signal"), nil, 0o600)
	}
	if err == nil {
		err = sameOwner(data, info)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.start(map[string]string{
		"restore_command": fmt.Sprintf("cp %s/%%f %%p", s.wal), "recovery_target_lsn": lsn, "recovery_target_action": "promote",
	})
	testenv.Eventually(s.t, patience, "recovery has ended", func() error {
		if s.query(`SELECT pg_is_in_recovery()::text`) != "false" {
			return fmt.Errorf("it is under way")
		}
		return nil
	})
}

// The log database is set back to an earlier moment, as PostgreSQL does it, while
// everything else has seen what came after: that is found out, nobody goes on with
// another history unnoticed, and after an epoch was begun all of it works again.
func TestPointInTime(t *testing.T) {
	pg := newServer(t)
	if pg.query(`SELECT 'created' FROM pg_database LIMIT 1`) != "created" {
		t.Fatal("no server")
	}
	admin := pg.database("strata_log")
	env := archived(t, map[string]string{"STRATA_LOG_ADMIN_URL": admin, "STRATA_LOG_URL": asRole(t, admin, "strata_log")})
	w := newWorld(t, system.Options{Env: env, Queues: []string{"team.plans"}, Unsound: "its log is set back; fsck looks at it in the end"})
	w.LogAdmin = admin
	team := w.Consume(t, "team.plans")
	backup := pg.backup()
	indicator := w.define("Goal", "One", nil)
	record := func(day int) int64 {
		date := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -day).Format(time.DateOnly)
		w.post("ines", "/v1/indicators/"+indicator+"/commands/record", map[string]any{"period": map[string]string{"start": date, "end": date}, "value": fmt.Sprint(day)}, nil)
		return w.head
	}
	for day := range 20 {
		record(day)
	}
	kept := w.settle()
	lsn := pg.query(`SELECT pg_current_wal_insert_lsn()::text`)
	for day := range 15 {
		record(100 + day)
	}
	lost := w.settle()
	team.Await(t, lost, patience)
	pg.query(`SELECT pg_switch_wal()::text`)
	if code := w.service.Stop(); code != 0 {
		t.Errorf("the service ended with %d", code)
	}
	testenv.Eventually(t, patience, "the write-ahead log is archived", func() error {
		if pending := pg.query(`SELECT count(*)::text FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'`); pending != "0" {
			return fmt.Errorf("%s files are not", pending)
		}
		return nil
	})
	pg.rewind(backup, lsn)

	// The service comes up, says what is wrong, answers reads of nothing that never
	// was, and takes no commands.
	w.service = w.Service(nil)
	w.service.Start()
	w.service.Ready()
	log := w.copyOf()
	if head, err := log.Head(t.Context()); err != nil || head != kept {
		t.Fatalf("the log was set back to %d, %v; want %d", head, err, kept)
	}
	log.Close()
	if got := w.service.Health(); got != "degraded" {
		t.Errorf("it says it is %s", got)
	}
	refused := w.tryRecord(indicator)
	if refused == nil || !strings.Contains(refused.Error(), "log-behind") {
		t.Errorf("a command: %v", refused)
	}
	var status struct {
		Epoch  int
		Head   int64 `json:",string"`
		Places []struct{ Who, State, Remedy string }
	}
	w.run(&status, "epoch", "status")
	var wrong []string
	for _, p := range status.Places {
		if p.State != "ok" {
			wrong = append(wrong, p.Who)
		}
	}
	if want := []string{"read model audit", "read model plans", "the archive"}; status.Head != kept || !slices.Equal(wrong, want) {
		t.Errorf("status %+v: beyond the log are %v, want %v", status, wrong, want)
	}
	if err := w.try(nil, "epoch", "start", "--reason", "r"); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("an epoch beside a service: %v", err)
	}
	if code := w.service.Stop(); code != 0 {
		t.Errorf("the service ended with %d", code)
	}

	// What came after is lost for good: another history begins.
	var begun struct {
		Number     int
		First      int64
		RestoredTo int64
		LostHead   int64
		Diverged   []restore.Divergence
	}
	testenv.Eventually(t, patience, "the service's sessions are gone", func() error {
		return w.try(&begun, "epoch", "start", "--reason", "Somebody deleted a table.")
	})
	if begun.Number != 2 || begun.First != kept+1 || begun.RestoredTo != kept || begun.LostHead != lost || len(begun.Diverged) != 3 {
		t.Errorf("epoch %+v; %d positions were kept of %d", begun, kept, lost)
	}
	w.service = w.Service(nil)
	w.service.Start()
	w.service.Ready()
	position := record(500)
	if position != kept+2 {
		t.Errorf("the first command of the new epoch is at %d", position)
	}
	// Read models that hold what never happened are not read, until they are rebuilt.
	_, err := system.Get(t.Context(), w.Client(w.service.Base, "arlo"), "/v1/indicators/"+indicator, 0)
	if err == nil || !strings.Contains(err.Error(), "has to be rebuilt") {
		t.Errorf("a model of the lost history was read: %v", err)
	}
	for _, name := range []string{"plans", "audit"} {
		w.run(nil, "projections", "rebuild", name)
	}
	head := w.settle()
	testenv.Eventually(t, patience, "the service is well", func() error {
		if got := w.service.Health(); got != "ok" {
			return fmt.Errorf("it says it is %s", got)
		}
		return nil
	})
	if err := w.tryRecord(indicator); err != nil {
		t.Errorf("a command: %v", err)
	}
	// The other team got the new history behind the old one, and can tell.
	testenv.Eventually(t, patience, "the new history is announced", func() error {
		for _, d := range team.Deliveries(t) {
			if d.Position == position && d.Stream == "indicator-"+indicator && slices.ContainsFunc(team.Deliveries(t), func(o system.Delivery) bool {
				return o.Position == kept+1 && o.Stream != d.Stream
			}) {
				return nil
			}
		}
		return fmt.Errorf("not yet")
	})
	if epoch, err := archive.LastEpoch(t.Context(), w.store); err != nil || epoch != 2 {
		t.Errorf("the archive is in epoch %d, %v", epoch, err)
	}
	// The archive gives the new history, through what both have in common.
	fromLog, root := w.fold(restore.FromLog(w.copyOf()), head)
	fromArchive, archived := w.fold(restore.FromArchive(w.store), head)
	if fromLog.SHA256 != fromArchive.SHA256 || root != archived {
		t.Errorf("the archive holds another history than the log")
	}
	w.settle()
	w.Fsck(t)
}
