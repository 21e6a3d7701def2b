package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startRabbitFailed = "cannot start RabbitMQ"

	// brokerUser is the only account; RabbitMQ's guest is never created.
	brokerUser = "strata"

	// The node's name is part of its data's path, so it does not hold the port,
	// which may move. Each server has an epmd of its own: no two names meet.
	// "@localhost" makes it independent of the machine's name and of DNS.
	nodeName = "strata@localhost"

	// dirVariable marks all processes of one server, however far they wander.
	dirVariable = "STRATA_EMBEDDED_DIRECTORY"
)

// RabbitMQOptions say where and how a private RabbitMQ runs.
type RabbitMQOptions struct {
	// Dir holds everything of the broker: data, configuration, cookie, logs. It
	// is created if missing.
	Dir string

	// Port for AMQP on 127.0.0.1; 0 takes the one of the last start, or a free one.
	Port int

	// Management enables the HTTP API and console (about a second more to start).
	Management bool

	// Settings override or add to rabbitmq.conf, e.g. "vm_memory_high_watermark.absolute": "2GB".
	Settings map[string]string

	// Log gets one line per start and stop; nil discards them.
	Log *slog.Logger
}

// RabbitMQ is a private RabbitMQ broker with an epmd of its own, children of
// this process. Its methods are not for concurrent use, except URL,
// ManagementURL, Port and Ctl once it has been started.
type RabbitMQ struct {
	opts     RabbitMQOptions
	log      *slog.Logger
	dir      directory
	scripts  string // where rabbitmq-server and rabbitmqctl are
	password string
	cookie   string
	at       map[string]int // the ports by name
	epmd     *process
	broker   *process
}

// NewRabbitMQ describes a broker; Start makes it run.
func NewRabbitMQ(o RabbitMQOptions) *RabbitMQ {
	return &RabbitMQ{opts: o, log: logger(o.Log)}
}

// Start returns when the broker greets AMQP clients (and its management API
// answers, if enabled). Later starts find its data again. What a killed parent
// left running here is stopped first. ctx bounds the start only.
func (r *RabbitMQ) Start(ctx context.Context) (err error) {
	if r.broker.running() {
		return nil
	}
	begin := time.Now()
	if err := r.prepare(); err != nil {
		return err
	}
	if err := r.dir.acquire(startRabbitFailed); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.dir.release())
		}
	}()
	if r.password, err = r.dir.secret("password", 0, 0); err != nil {
		return fmt.Errorf("%s: password: %w", startRabbitFailed, err)
	}
	if r.cookie, err = r.dir.secret("cookie", 0, 0); err != nil {
		return fmt.Errorf("%s: cookie: %w", startRabbitFailed, err)
	}
	if err := r.endLeftovers(ctx); err != nil {
		return fmt.Errorf("%s: stop the broker left over in %s: %w", startRabbitFailed, r.dir.path, err)
	}
	if err := r.launch(ctx); err != nil {
		return err
	}
	r.log.InfoContext(ctx, "RabbitMQ ready", "port", r.Port(), "directory", r.dir.path, "duration", time.Since(begin))
	return nil
}

// Stop ends the broker in order: queues are flushed, clients are told. When ctx
// ends first, or after 30 seconds, it is killed. A stopped broker may be started again.
func (r *RabbitMQ) Stop(ctx context.Context) error {
	if !r.broker.running() && !r.epmd.running() {
		return r.dir.release()
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := r.broker.stop(ctx, syscall.SIGTERM)
	r.epmd.kill() // it keeps nothing; the broker has left it already
	err = errors.Join(err, r.endChildren(), r.dir.release())
	r.log.InfoContext(ctx, "RabbitMQ stopped", "port", r.Port())
	return err
}

// Kill ends the broker, its children and its epmd with SIGKILL, as a crash
// would, and returns when none is left. Start recovers from it, on the same ports.
//
// RabbitMQ 3.10 keeps what it was told in files that it flushes seconds later. A
// quorum queue that is killed before has lost its log, confirmed messages
// included, and never elects a leader again; a binding is gone as if it had never
// been made, and on a busy machine one in fifty was. Settle closes that window for
// tests that declare and kill.
func (r *RabbitMQ) Kill() error {
	r.broker.kill()
	r.epmd.kill()
	return r.endChildren()
}

// Restart is Stop and Start, on the same ports.
func (r *RabbitMQ) Restart(ctx context.Context) error {
	if err := r.Stop(ctx); err != nil {
		return err
	}
	return r.Start(ctx)
}

// URL connects to the vhost "/" with all rights. It holds the password.
func (r *RabbitMQ) URL() string {
	u := url.URL{Scheme: "amqp", User: url.UserPassword(brokerUser, r.password), Host: r.host("amqp"), Path: "/"}
	return u.String()
}

// ManagementURL is the base of the HTTP API and the console, with the password;
// "" if it is not enabled.
func (r *RabbitMQ) ManagementURL() string {
	if !r.opts.Management {
		return ""
	}
	u := url.URL{Scheme: "http", User: url.UserPassword(brokerUser, r.password), Host: r.host("management")}
	return u.String()
}

// Port is the one for AMQP, at 127.0.0.1 only.
func (r *RabbitMQ) Port() int { return r.at["amqp"] }

// Dir is where the broker's files are.
func (r *RabbitMQ) Dir() string { return r.dir.path }

// PID is the broker's process id, 0 when it does not run.
func (r *RabbitMQ) PID() int {
	if !r.broker.running() {
		return 0
	}
	return r.broker.cmd.Process.Pid
}

// Ctl runs rabbitmqctl against this broker and returns what it printed (half a
// second per call: the management API is faster).
func (r *RabbitMQ) Ctl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, r.script("rabbitmqctl"), args...)
	cmd.Env, cmd.Dir = r.environment(), r.dir.path
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("rabbitmqctl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// Settle makes what was declared so far, queues and bindings, survive a Kill: see there.
func (r *RabbitMQ) Settle(ctx context.Context) error {
	_, err := r.Ctl(ctx, "-q", "eval", "case mnesia:system_info(is_running) of yes -> ok = mnesia:sync_log(); no -> ok end, [ok = dets:sync(T) || T <- dets:all()].")
	return err
}

func (r *RabbitMQ) prepare() (err error) {
	if r.dir.path != "" { // started before: same directory, scripts and ports again
		return nil
	}
	if r.scripts, err = findRabbitMQ(); err != nil {
		return err
	}
	if r.dir, err = openDirectory(r.opts.Dir); err != nil {
		return fmt.Errorf("%s: directory: %w", startRabbitFailed, err)
	}
	return nil
}

func (r *RabbitMQ) host(port string) string { return "127.0.0.1:" + strconv.Itoa(r.at[port]) }

func (r *RabbitMQ) script(name string) string { return r.scripts + string(os.PathSeparator) + name }

// endLeftovers stops what a killed parent left running on our data. The lock
// has shown that no living process answers for it.
func (r *RabbitMQ) endLeftovers(ctx context.Context) error {
	pids, err := r.members()
	if err != nil || len(pids) == 0 {
		return err
	}
	r.log.WarnContext(ctx, "stopping a RabbitMQ that its parent left behind", "pids", pids)
	return endAll(ctx, r.members, syscall.SIGTERM, 20*time.Second)
}

func (r *RabbitMQ) endChildren() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return endAll(ctx, r.members, syscall.SIGKILL, 20*time.Second)
}

func (r *RabbitMQ) members() ([]int, error) { return processesWith(dirVariable, r.dir.path) }
