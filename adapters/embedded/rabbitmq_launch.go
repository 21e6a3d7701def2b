package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func (r *RabbitMQ) launch(ctx context.Context) error {
	const tries = 5 // a chosen port can be taken by somebody else before the broker binds it
	for try := 1; ; try++ {
		first := r.at == nil
		err := r.launchOnce(ctx)
		if err == nil || !first || r.opts.Port != 0 || !errors.Is(err, ErrPortTaken) || try == tries {
			return err
		}
		r.at = nil
	}
}

func (r *RabbitMQ) launchOnce(ctx context.Context) (err error) {
	want := r.at // a restart keeps the ports: clients hold our URL
	if want == nil {
		want = map[string]int{"amqp": r.opts.Port}
	}
	names := []string{"amqp", "distribution", "epmd"}
	if r.opts.Management {
		names = append(names, "management")
	}
	if r.at, err = r.dir.ports(startRabbitFailed, want, names...); err != nil {
		return err
	}
	if err := r.configure(); err != nil {
		return fmt.Errorf("%s: configuration: %w", startRabbitFailed, err)
	}
	console, err := r.dir.openLog("log")
	if err != nil {
		return fmt.Errorf("%s: log: %w", startRabbitFailed, err)
	}
	defer func() { err = errors.Join(err, console.Close()) }()

	epmd, err := findEpmd()
	if err != nil {
		return err
	}
	// An epmd started by us has a known pid; one started by the broker would
	// outlive it and serve whoever asks.
	if r.epmd, err = r.child(console, epmd, syscall.SIGKILL, "-port", strconv.Itoa(r.at["epmd"]), "-address", "127.0.0.1"); err != nil {
		return fmt.Errorf("%s: epmd: %w", startRabbitFailed, err)
	}
	r.broker, err = r.child(console, r.script("rabbitmq-server"), syscall.SIGTERM)
	if err == nil {
		err = r.awaitReady(ctx)
	}
	if err != nil {
		return errors.Join(err, r.Kill())
	}
	return nil
}

func (r *RabbitMQ) child(console *os.File, name string, death syscall.Signal, args ...string) (*process, error) {
	// Not CommandContext: ctx bounds the start, the broker outlives it.
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir = r.environment(), r.dir.path
	cmd.Stdout, cmd.Stderr = console, console
	return startProcess(cmd, death)
}

// environment is all the broker and its tools know of the world: no RABBITMQ_…
// or ERL_… variable of the caller, no file below /etc.
func (r *RabbitMQ) environment() []string {
	return []string{
		dirVariable + "=" + r.dir.path,
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + r.dir.path, // Erlang looks for its cookie there
		"LC_ALL=C.UTF-8",
		"RABBITMQ_NODENAME=" + nodeName,
		"RABBITMQ_BASE=" + r.dir.path,
		"RABBITMQ_MNESIA_BASE=" + r.dir.file("data"),
		"RABBITMQ_LOG_BASE=" + r.dir.file("logs"),
		"RABBITMQ_CONFIG_FILE=" + r.dir.file("rabbitmq.conf"),
		"RABBITMQ_ADVANCED_CONFIG_FILE=" + r.dir.file("advanced.config"),
		"RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + r.dir.file("enabled_plugins"),
		"RABBITMQ_PID_FILE=" + r.dir.file("pid"),
		"RABBITMQ_DIST_PORT=" + strconv.Itoa(r.at["distribution"]),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
		"ERL_EPMD_PORT=" + strconv.Itoa(r.at["epmd"]),
		"ERL_EPMD_ADDRESS=127.0.0.1",
		// The script then becomes the Erlang machine instead of waiting for it, so
		// that our signals reach it; -noinput takes the shell away again.
		"RABBITMQ_ALLOW_INPUT=1",
		"RABBITMQ_SERVER_START_ARGS=-noinput",
	}
}

// tuning is for one publisher that sends as fast as it is confirmed, which is what
// the relay is: how many messages a channel may have on their way into a quorum
// queue before it stops listening (32 by default, "could be increased" for a
// single publisher, says RabbitMQ's guide), and how many the reader of a socket
// may be ahead of the channel. docker/rabbitmq has the same.
const tuning = `[{rabbit, [{quorum_commands_soft_limit, 512}, {credit_flow_default_credit, {2000, 1000}}]}].
`

// configure writes the files the broker reads. Passwords are in one of them, so
// they are for the owner only.
func (r *RabbitMQ) configure() error {
	settings := map[string]string{
		"listeners.tcp.default": r.host("amqp"),
		"default_user":          brokerUser,
		"default_pass":          r.password,
		"log.console":           "false",
		"log.file.level":        "info",
		// Absolute, since the broker may share the machine with a whole test suite
		// and must neither take it all nor be blocked by what others take.
		"vm_memory_high_watermark.absolute": "1GB",
		"disk_free_limit.absolute":          "200MB",
	}
	plugins := "[]."
	if r.opts.Management {
		plugins = "[rabbitmq_management]."
		settings["management.tcp.ip"] = "127.0.0.1"
		settings["management.tcp.port"] = strconv.Itoa(r.at["management"])
	}
	maps.Copy(settings, r.opts.Settings)
	var conf strings.Builder
	conf.WriteString("# Written at every start; change RabbitMQOptions.Settings instead.\n")
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&conf, "%s = %s\n", name, settings[name])
	}
	for _, dir := range []string{"data", "logs"} {
		if err := os.MkdirAll(r.dir.file(dir), 0o700); err != nil {
			return err
		}
	}
	return errors.Join(
		writeFile(r.dir.file("rabbitmq.conf"), []byte(conf.String()), 0o600),
		writeFile(r.dir.file("advanced.config"), []byte(tuning), 0o600),
		writeFile(r.dir.file("enabled_plugins"), []byte(plugins+"\n"), 0o600),
		writeFile(r.dir.file(".erlang.cookie"), []byte(r.cookie), 0o400),
	)
}

// awaitReady waits for the AMQP greeting. A client must speak first: the
// listener opens late in the boot, and the first byte of the answer is the type
// of a method frame, Connection.Start.
func (r *RabbitMQ) awaitReady(ctx context.Context) error {
	return waitFor(ctx, func() (bool, error) {
		if !r.broker.running() {
			return false, r.explain()
		}
		return greets(ctx, r.host("amqp")) && (!r.opts.Management || r.manages(ctx)), nil
	})
}

func greets(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }() // only looked at
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return false
	}
	if _, err := conn.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return false
	}
	var answer [1]byte
	_, err = io.ReadFull(conn, answer[:])
	return err == nil && answer[0] == 1
}

// manages asks the management API for something it knows only when it is up.
func (r *RabbitMQ) manages(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.ManagementURL()+"/api/overview", http.NoBody)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }() // only looked at
	return resp.StatusCode == http.StatusOK
}

func (r *RabbitMQ) explain() error {
	for name, port := range r.at { // the broker has ended: whoever listens there is somebody else
		if name != "epmd" && !portFree(port) {
			return portTaken(startRabbitFailed, port)
		}
	}
	return &Problem{
		Kind: ErrStart, What: startRabbitFailed, Err: r.broker.err,
		Why:  r.dir.tellingLine("log", "[error]", "failed", "rror"),
		Next: "The whole story is in " + r.dir.file("log") + " and " + r.dir.file("logs"),
	}
}

// findRabbitMQ returns the directory of the broker's own scripts. Debian's
// wrappers in /usr/sbin switch to another user and to fixed paths: of no use here.
func findRabbitMQ() (string, error) {
	dirs := []string{"/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin"}
	for _, pattern := range []string{"/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin", "/opt/homebrew/opt/rabbitmq/sbin", "/usr/local/opt/rabbitmq/sbin"} {
		found, _ := filepath.Glob(pattern) // the only error is a bad pattern
		dirs = append(dirs, found...)
	}
	if path, err := exec.LookPath("rabbitmq-server"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil && filepath.Dir(path) != "/usr/sbin" {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	return chooseRabbitMQ(dirs)
}

func chooseRabbitMQ(dirs []string) (string, error) {
	for _, dir := range dirs {
		if executable(filepath.Join(dir, "rabbitmq-server")) && executable(filepath.Join(dir, "rabbitmqctl")) {
			return dir, nil
		}
	}
	return "", &Problem{
		Kind: ErrBinaryMissing, What: startRabbitFailed,
		Why: "the program rabbitmq-server is not installed", Next: installHint,
	}
}

// findEpmd returns Erlang's port mapper, which is in the PATH on Debian and
// inside the runtime elsewhere.
func findEpmd() (string, error) {
	if path, err := exec.LookPath("epmd"); err == nil {
		return path, nil
	}
	for _, pattern := range []string{"/usr/lib/erlang/erts-*/bin/epmd", "/usr/lib/erlang/bin/epmd", "/opt/erlang/lib/erlang/erts-*/bin/epmd", "/usr/local/lib/erlang/erts-*/bin/epmd"} {
		found, _ := filepath.Glob(pattern) // the only error is a bad pattern
		if len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", &Problem{
		Kind: ErrBinaryMissing, What: startRabbitFailed,
		Why: "Erlang's program epmd is not installed", Next: installHint,
	}
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
