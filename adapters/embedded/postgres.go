package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	startPostgresFailed = "cannot start PostgreSQL"

	// Superuser is the role URL connects as.
	Superuser = "postgres"

	stopPatience = 20 * time.Second // a fast shutdown writes one checkpoint
)

// PostgresOptions say where and how a private PostgreSQL runs.
type PostgresOptions struct {
	// Dir holds everything of the server: data, configuration, password, log.
	// It is created if missing.
	Dir string

	// Port on 127.0.0.1; 0 takes the one of the last start, or a free one.
	Port int

	// Throwaway skips flushing the files of a new cluster to disk, which saves
	// its creation half a second. The server itself always flushes: what it says
	// is committed survives a crash, as in production.
	Throwaway bool

	// Settings override or add to postgresql.conf, e.g. "shared_buffers": "1GB".
	Settings map[string]string

	// Log gets one line per start and stop; nil discards them.
	Log *slog.Logger
}

// Postgres is a private PostgreSQL server, a child of this process. Its methods
// are not for concurrent use, except URL, Port and Dir once it has been started.
type Postgres struct {
	opts     PostgresOptions
	log      *slog.Logger
	dir      directory
	bin      postgresBinaries
	user     serverUser
	data     string // the data directory as the kernel knows it
	port     int
	password string
	proc     *process
}

// NewPostgres describes a server; Start makes it run.
func NewPostgres(o PostgresOptions) *Postgres {
	return &Postgres{opts: o, log: logger(o.Log)}
}

// Start returns when the server answers queries. The first start creates the
// cluster; later ones find its data again. What a killed parent left running
// here is stopped first. ctx bounds the start only.
func (p *Postgres) Start(ctx context.Context) (err error) {
	if p.proc.running() {
		return nil
	}
	begin := time.Now()
	if p.dir, err = p.prepare(); err != nil {
		return err
	}
	if err := p.dir.acquire(startPostgresFailed); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.dir.release())
		}
	}()
	if err := p.ensureCluster(ctx); err != nil {
		return err
	}
	if err := p.endLeftovers(ctx); err != nil {
		return fmt.Errorf("%s: stop the server left over in %s: %w", startPostgresFailed, p.data, err)
	}
	if err := p.launch(ctx); err != nil {
		return err
	}
	p.log.InfoContext(ctx, "PostgreSQL ready", "port", p.port, "version", p.bin.version, "directory", p.dir.path, "duration", time.Since(begin))
	return nil
}

// Stop ends the server in order: sessions are cut off, the last checkpoint is
// written. When ctx ends first, or after 20 seconds, it is killed, and the
// next start recovers. A stopped server may be started again.
func (p *Postgres) Stop(ctx context.Context) error {
	if !p.proc.running() {
		return p.dir.release()
	}
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	err := p.proc.stop(ctx, syscall.SIGINT) // SIGINT: "fast"; SIGTERM would wait for every client to leave
	if err != nil {
		err = errors.Join(err, p.endChildren(syscall.SIGKILL))
	}
	p.log.InfoContext(ctx, "PostgreSQL stopped", "port", p.port)
	return errors.Join(err, p.dir.release())
}

// Kill ends the server and all its children with SIGKILL, as a crash would, and
// returns when none is left. Start recovers from it, on the same port.
func (p *Postgres) Kill() error {
	p.proc.kill()
	return p.endChildren(syscall.SIGKILL)
}

// Restart is Stop and Start, on the same port.
func (p *Postgres) Restart(ctx context.Context) error {
	if err := p.Stop(ctx); err != nil {
		return err
	}
	return p.Start(ctx)
}

// URL connects to the database as the superuser. It holds the password.
func (p *Postgres) URL(db string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(Superuser, p.password),
		Host: "127.0.0.1:" + strconv.Itoa(p.port), Path: "/" + db, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Port is the one the server listens on, at 127.0.0.1 only.
func (p *Postgres) Port() int { return p.port }

// Version is the server's, such as "15.18".
func (p *Postgres) Version() string { return p.bin.version.String() }

// Dir is where the server's files are: the one of the options or, if the
// server's user cannot enter that one, another (see doc.go).
func (p *Postgres) Dir() string { return p.dir.path }

// Bin is the path of another program of the same installation, such as pg_dump.
func (p *Postgres) Bin(name string) string { return filepath.Join(p.bin.dir, name) }

// PID is the server's process id, 0 when it does not run.
func (p *Postgres) PID() int {
	if !p.proc.running() {
		return 0
	}
	return p.proc.cmd.Process.Pid
}

func (p *Postgres) prepare() (directory, error) {
	if p.dir.path != "" { // started before: same directory, binaries and port again
		return p.dir, nil
	}
	var err error
	if p.user, err = postgresUser(); err != nil {
		return directory{}, err
	}
	d, err := openDirectory(p.opts.Dir)
	if err != nil {
		return directory{}, fmt.Errorf("%s: directory: %w", startPostgresFailed, err)
	}
	if where := p.user.shutOut(d.path); where != "" {
		if d, err = openDirectory(elsewhere(d.path)); err != nil {
			return directory{}, fmt.Errorf("%s: directory: %w", startPostgresFailed, err)
		}
		p.log.Warn("PostgreSQL keeps its files elsewhere, since it must not run as root and its user cannot enter the directory",
			"user", p.user.name, "closed", where, "directory", d.path)
	}
	p.data = d.file("data")
	if p.bin, err = findPostgres(clusterVersion(p.data)); err != nil {
		return directory{}, err
	}
	return d, nil
}

// ensureCluster creates the cluster unless there is one. It is made beside and
// moved into place, so that a kill meanwhile leaves none rather than half of one.
func (p *Postgres) ensureCluster(ctx context.Context) (err error) {
	if p.password, err = p.dir.secret("password", p.user.uid, p.user.gid); err != nil {
		return fmt.Errorf("%s: password: %w", startPostgresFailed, err)
	}
	if clusterVersion(p.data) != 0 {
		return nil
	}
	fresh := p.dir.file("data.new")
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := p.user.mkdir(fresh); err != nil {
		return err
	}
	args := []string{
		"-D", fresh, "-U", Superuser, "--pwfile", p.dir.file("password"), "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--locale", "C", "--data-checksums", "--no-instructions",
	}
	if p.opts.Throwaway {
		args = append(args, "--no-sync")
	}
	cmd := p.user.command(ctx, filepath.Join(p.bin.dir, "initdb"), args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return &Problem{
			Kind: ErrStart, What: "cannot create a PostgreSQL cluster in " + p.dir.path, Err: err,
			Why: lines[len(lines)-1], Next: "Remove that directory if it holds nothing of value, or choose another",
		}
	}
	return os.Rename(fresh, p.data)
}

// endLeftovers stops what a killed parent left running in our data directory.
// The lock has shown that no living process answers for it.
func (p *Postgres) endLeftovers(ctx context.Context) error {
	pids, err := processesIn(p.data)
	if err != nil {
		return err
	}
	if len(pids) > 0 {
		p.log.WarnContext(ctx, "stopping a PostgreSQL that its parent left behind", "pids", pids)
		if err := endAll(ctx, p.members, syscall.SIGINT, stopPatience); err != nil {
			return err
		}
	}
	return p.removeStaleLock()
}

// removeStaleLock removes the lock file of a server that is known not to run.
// PostgreSQL itself cannot know: to it a process that ended but was not reaped
// yet, or whoever has the number now, holds the lock, and it refuses to start.
func (p *Postgres) removeStaleLock() error {
	if !findsProcesses {
		return nil
	}
	err := os.Remove(filepath.Join(p.data, "postmaster.pid"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func (p *Postgres) endChildren(sig syscall.Signal) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	return endAll(ctx, p.members, sig, stopPatience)
}

func (p *Postgres) members() ([]int, error) { return processesIn(p.data) }

func (p *Postgres) launch(ctx context.Context) error {
	const tries = 5 // a chosen port can be taken by somebody else before the server binds it
	for try := 1; ; try++ {
		err := p.launchOnce(ctx)
		movable := p.opts.Port == 0 && p.port == 0
		if err == nil || !movable || !errors.Is(err, ErrPortTaken) || try == tries {
			return err
		}
	}
}

func (p *Postgres) launchOnce(ctx context.Context) error {
	want := max(p.opts.Port, p.port) // a restart keeps the port: clients hold our URL
	ports, err := p.dir.ports(startPostgresFailed, map[string]int{"postgres": want}, "postgres")
	if err != nil {
		return err
	}
	port := ports["postgres"]
	if err := writeFile(p.dir.file("postgresql.conf"), p.config(port), 0o644); err != nil {
		return fmt.Errorf("%s: configuration: %w", startPostgresFailed, err)
	}
	console, err := p.dir.openLog("log")
	if err != nil {
		return fmt.Errorf("%s: log: %w", startPostgresFailed, err)
	}
	// Not CommandContext: ctx bounds the start, the server outlives it.
	cmd := p.user.command(context.Background(), filepath.Join(p.bin.dir, "postgres"),
		"-D", p.data, "-c", "config_file="+p.dir.file("postgresql.conf"))
	cmd.Stdout, cmd.Stderr = console, console
	proc, err := startProcess(cmd, syscall.SIGINT)
	if err = errors.Join(err, console.Close()); err != nil {
		return fmt.Errorf("%s: %w", startPostgresFailed, err)
	}
	if err := p.awaitReady(ctx, proc, port); err != nil {
		proc.kill()
		return errors.Join(err, p.endChildren(syscall.SIGKILL))
	}
	p.proc, p.port = proc, port
	return nil
}

// awaitReady waits until a session as superuser opens, which also shows that
// the server on the port is ours and that crash recovery is over.
func (p *Postgres) awaitReady(ctx context.Context, proc *process, port int) error {
	candidate := *p
	candidate.port = port
	return waitFor(ctx, func() (bool, error) {
		if !proc.running() {
			return false, p.explain(proc, port)
		}
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		conn, err := pgconn.Connect(attempt, candidate.URL("postgres"))
		if err != nil {
			return false, nil // not yet: it starts, or recovers; the end of ctx or of the process ends the wait
		}
		return true, conn.Close(attempt)
	})
}

func (p *Postgres) explain(proc *process, port int) error {
	why := p.dir.tellingLine("log", "could not bind", "invalid value", "unrecognized", "PANIC", "FATAL")
	if strings.Contains(why, "could not bind") || strings.Contains(why, "could not create any TCP/IP sockets") {
		return portTaken(startPostgresFailed, port)
	}
	return &Problem{
		Kind: ErrStart, What: startPostgresFailed, Err: proc.err,
		Why: why, Next: "The whole story is in " + p.dir.file("log"),
	}
}

// config is the whole postgresql.conf: nothing comes from the distribution's.
func (p *Postgres) config(port int) []byte {
	settings := map[string]string{
		"port":             strconv.Itoa(port),
		"listen_addresses": "127.0.0.1",
		// No socket file: its path has a length limit that deep directories break.
		"unix_socket_directories": "",
		"password_encryption":     "scram-sha-256",

		// Durability as in production: an acknowledged commit survives kill -9.
		"fsync":              "on",
		"full_page_writes":   "on",
		"synchronous_commit": "on",
		"data_sync_retry":    "off",

		"max_connections":    "300",
		"shared_buffers":     "256MB",
		"max_wal_size":       "2GB",
		"checkpoint_timeout": "15min",

		// A client that died in a transaction must not hold the append lock for long,
		// nor one whose network went away.
		"idle_in_transaction_session_timeout": "10s",
		"tcp_keepalives_idle":                 "10",
		"tcp_keepalives_interval":             "5",
		"tcp_keepalives_count":                "3",

		"timezone":        "UTC",
		"log_timezone":    "UTC",
		"log_line_prefix": "%m [%p] %d ",
	}
	maps.Copy(settings, p.opts.Settings)
	var b strings.Builder
	b.WriteString("# Written at every start; change PostgresOptions.Settings instead.\n")
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "%s = '%s'\n", name, strings.ReplaceAll(settings[name], "'", "''"))
	}
	return []byte(b.String())
}

func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
