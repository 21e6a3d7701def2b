package embedded

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

func runPostgres(t *testing.T, o PostgresOptions) *Postgres {
	t.Helper()
	o.Throwaway = true
	if o.Settings == nil {
		o.Settings = map[string]string{"shared_buffers": "16MB"}
	}
	p := NewPostgres(o)
	if err := p.Start(testContext(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// query runs one statement and returns its value as text.
func query(t *testing.T, p *Postgres, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(testContext(t), p.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }() // the answer is here already
	var answer string
	if err := conn.QueryRow(testContext(t), sql).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return answer
}

const (
	createSum = `WITH made AS (SELECT lo_from_bytea(42, 'kept')) SELECT count(*)::text FROM made`
	readSum   = `SELECT convert_from(lo_get(42), 'UTF8')`
)

func TestPostgresKeepsDataThroughStopAndKill(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	p := runPostgres(t, PostgresOptions{Dir: dir})
	query(t, p, createSum)
	port, url := p.Port(), p.URL("postgres")

	for _, again := range []struct {
		name string
		how  func() error
	}{
		{"restart", func() error { return p.Restart(testContext(t)) }},
		{"kill", func() error {
			if err := p.Kill(); err != nil {
				return err
			}
			if pids, err := p.members(); err != nil || len(pids) != 0 {
				t.Errorf("after Kill there are still %v, %v", pids, err)
			}
			return p.Start(testContext(t))
		}},
	} {
		if err := again.how(); err != nil {
			t.Fatalf("%s: %v", again.name, err)
		}
		if got := query(t, p, readSum); got != "kept" {
			t.Errorf("after %s the data read %q", again.name, got)
		}
		if p.Port() != port || p.URL("postgres") != url {
			t.Errorf("after %s the URL is another one", again.name)
		}
	}

	if err := p.Stop(testContext(t)); err != nil {
		t.Fatal(err)
	}
	next := runPostgres(t, PostgresOptions{Dir: dir})
	if got := query(t, next, readSum); got != "kept" || next.Port() != port {
		t.Errorf("the next program reads %q on port %d, was %d", got, next.Port(), port)
	}
}

func TestPostgresIsDurableAndPrivate(t *testing.T) {
	t.Parallel()
	p := runPostgres(t, PostgresOptions{Dir: serverDir(t), Settings: map[string]string{"shared_buffers": "32MB"}})
	for setting, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on",
		"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "shared_buffers": "32MB",
		"idle_in_transaction_session_timeout": "10s", "password_encryption": "scram-sha-256",
	} {
		if got := query(t, p, "SELECT current_setting('"+setting+"')"); got != want {
			t.Errorf("%s is %q, want %q", setting, got, want)
		}
	}
	info, err := os.Stat(filepath.Join(p.Dir(), "password"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the password file has mode %v, %v", info.Mode(), err)
	}
	onlyLoopback(t, "postgres", p.Port())
	wrong := *p
	wrong.password = "guess"
	if conn, err := pgx.Connect(testContext(t), wrong.URL("postgres")); err == nil {
		t.Errorf("a wrong password opens a session; close: %v", conn.Close(context.Background()))
	}
}

func TestPostgresSurvivesItsParentsDeath(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	data := func() ([]int, error) { return processesIn(filepath.Join(dir, "data")) }

	parent := startHelper(t, "postgres", dir)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	awaitNone(t, "the server ends when its parent is killed", data)

	t.Run("everything killed at once", func(t *testing.T) {
		parent := startHelper(t, "postgres", dir)
		if err := parent.Process.Signal(syscall.SIGSTOP); err != nil { // so that it cannot react
			t.Fatal(err)
		}
		killAll(t, data)
		if err := parent.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = parent.Wait() // killed is how it should end; until then it holds the lock
		p := runPostgres(t, PostgresOptions{Dir: dir})
		query(t, p, "SELECT 'answers'")
		if err := p.Stop(testContext(t)); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("a server left behind is ended first", func(t *testing.T) {
		p := runPostgres(t, PostgresOptions{Dir: dir})
		if err := p.Stop(testContext(t)); err != nil {
			t.Fatal(err)
		}
		orphan := p.user.command(context.Background(), p.Bin("postgres"), "-D", p.data, "-c", "config_file="+p.dir.file("postgresql.conf"))
		if err := orphan.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- orphan.Wait() }()
		ctx := testContext(t)
		if err := waitFor(ctx, func() (bool, error) { return !portFree(p.Port()), nil }); err != nil {
			t.Fatal(err)
		}
		next := runPostgres(t, PostgresOptions{Dir: dir})
		if err := <-ended; err != nil {
			t.Errorf("the left-over was not stopped in order: %v", err)
		}
		if next.Port() != p.Port() {
			t.Errorf("port %d, was %d: the left-over still held it", next.Port(), p.Port())
		}
		query(t, next, "SELECT 'answers'")
	})
}

func TestPostgresDirectoryHasOneOwner(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	first := runPostgres(t, PostgresOptions{Dir: dir})
	second := NewPostgres(PostgresOptions{Dir: dir})
	line := problemLine(t, second.Start(testContext(t)), ErrInUse)
	if !strings.Contains(line, dir) {
		t.Errorf("%q does not name the directory", line)
	}
	if got := query(t, first, "SELECT 'alive'"); got != "alive" {
		t.Error("the first server was harmed")
	}
}

func TestPostgresPorts(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := taken.Addr().(*net.TCPAddr).Port
	dir := serverDir(t)

	line := problemLine(t, NewPostgres(PostgresOptions{Dir: dir, Port: port, Throwaway: true}).Start(testContext(t)), ErrPortTaken)
	if !strings.Contains(line, strconv.Itoa(port)) {
		t.Errorf("%q does not name port %d", line, port)
	}

	// What was only remembered may move.
	if err := writeFile(filepath.Join(dir, "ports"), fmt.Appendf(nil, `{"postgres":%d}`, port), 0o644); err != nil {
		t.Fatal(err)
	}
	moved := runPostgres(t, PostgresOptions{Dir: dir})
	if moved.Port() == port {
		t.Error("the taken port was used")
	}

	// A running program's clients hold the URL: its port does not move.
	if err := moved.Stop(testContext(t)); err != nil {
		t.Fatal(err)
	}
	squatter, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(moved.Port()))
	if err != nil {
		t.Fatal(err)
	}
	problemLine(t, moved.Start(testContext(t)), ErrPortTaken)
	if err := squatter.Close(); err != nil {
		t.Fatal(err)
	}
	if err := moved.Start(testContext(t)); err != nil {
		t.Errorf("after the port was free again: %v", err)
	}
	if err := taken.Close(); err != nil {
		t.Error(err)
	}
}

func TestPostgresHalfMadeClusterIsMadeAgain(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	if err := os.MkdirAll(filepath.Join(dir, "data.new", "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	query(t, runPostgres(t, PostgresOptions{Dir: dir}), "SELECT 'answers'")
}

func TestPostgresSaysWhyItDoesNotStart(t *testing.T) {
	t.Parallel()
	p := NewPostgres(PostgresOptions{Dir: serverDir(t), Throwaway: true, Settings: map[string]string{"shared_buffers": "many"}})
	got := problemLine(t, p.Start(testContext(t)), ErrStart)
	if !strings.Contains(got, "shared_buffers") {
		t.Errorf("the line is %q", got)
	}
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	p := NewPostgres(PostgresOptions{Dir: serverDir(t), Throwaway: true})
	if err := p.Start(ctx); err == nil {
		t.Error("started", p.Stop(testContext(t)))
	}
	if pids, err := p.members(); err != nil || len(pids) != 0 {
		t.Errorf("left %v, %v", pids, err)
	}
}

func TestRootsDirectoryIsNotForTheServersUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("SKIP-LOUD: only root has a directory that PostgreSQL's user cannot enter")
	}
	closed := serverDir(t) // mode 0700, root's
	p := runPostgres(t, PostgresOptions{Dir: filepath.Join(closed, "inner", "postgres")})
	t.Cleanup(func() {
		if err := os.RemoveAll(p.Dir()); err != nil {
			t.Error(err)
		}
	})
	if err := p.Stop(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(p.Dir(), closed) {
		t.Errorf("the files are in %s", p.Dir())
	}
	again := runPostgres(t, PostgresOptions{Dir: filepath.Join(closed, "inner", "postgres")})
	if again.Dir() != p.Dir() {
		t.Errorf("the second start looks in %s, the first wrote to %s", again.Dir(), p.Dir())
	}
}

func TestShutOutNamesTheClosedDirectory(t *testing.T) {
	closed := serverDir(t)
	open := filepath.Join(closed, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	stranger := serverUser{name: "stranger", uid: 54_321, gid: 54_321}
	if got := stranger.shutOut(open); got != closed {
		t.Errorf("closed is %q, want %q", got, closed)
	}
	if err := os.Chmod(closed, 0o711); err != nil {
		t.Fatal(err)
	}
	if got := stranger.shutOut(open); got != "" {
		t.Errorf("%q counts as closed", got)
	}
}

func TestFindPostgres(t *testing.T) {
	fake := func(version string) string {
		dir := t.TempDir()
		for _, name := range []string{"postgres", "initdb"} {
			script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
			if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	v14, v15, v18, v18new := fake("14.9 (Debian 14.9-1)"), fake("15.18 (Debian 15.18-0+deb12u1)"), fake("18beta1"), fake("18.3")
	for _, c := range []struct {
		name  string
		dirs  []string
		major int
		want  string
		kind  error
		says  string
	}{
		{"the newest wins", []string{v15, v18new, v18, v14}, 0, v18new, nil, ""},
		{"old data need their own version", []string{v18, v15}, 15, v15, nil, ""},
		{"data of a version that is not installed", []string{v18new}, 15, "", ErrBinaryMissing, "postgresql-15"},
		{"too old", []string{v14}, 0, "", ErrTooOld, "14.9"},
		{"none", []string{t.TempDir()}, 0, "", ErrBinaryMissing, "apt-get install"},
	} {
		got, err := choosePostgres(c.dirs, c.major)
		if c.kind != nil {
			if line := problemLine(t, err, c.kind); !strings.Contains(line, c.says) {
				t.Errorf("%s: %q", c.name, line)
			}
			continue
		}
		if err != nil || got.dir != c.want {
			t.Errorf("%s: %+v, %v; want %s", c.name, got, err, c.want)
		}
	}
}

func TestBinKnowsTheSiblings(t *testing.T) {
	found, err := findPostgres(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath(filepath.Join(found.dir, "pg_dump")); err != nil {
		t.Error(err)
	}
}
