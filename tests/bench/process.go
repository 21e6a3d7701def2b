package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/migrations"
)

// process is the real service, built from this tree, as a child.
type process struct {
	cmd       *exec.Cmd
	base      string
	admin     string
	issuer    *oidc.Issuer
	databases []string // names
}

// startStrata builds and starts `strata serve` on fresh databases.
// groups are the consumer groups it takes part in.
func (b *bench) startStrata(ctx context.Context, name, groups string) (*process, error) {
	dir, err := os.MkdirTemp("", "strata-bench-")
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(dir, "strata")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "strata.dev/strata/cmd/strata")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build strata: %w", err)
	}
	key := filepath.Join(dir, "issuer.key")
	p := &process{}
	if p.issuer, err = oidc.Open(oidc.Options{Env: "development", KeyFile: key}); err != nil {
		return nil, err
	}
	ports, err := freePorts(ctx, 2)
	if err != nil {
		return nil, err
	}
	p.base, p.admin = "http://127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[1]
	env := append(os.Environ(), "STRATA_ENV=development", "STRATA_DEV_KEY_FILE="+key, "STRATA_RATE_PER_MINUTE=0", "STRATA_LOG_LEVEL=error",
		"STRATA_HTTP_ADDR=127.0.0.1:"+ports[0], "STRATA_ADMIN_ADDR=127.0.0.1:"+ports[1], "STRATA_AMQP_URL="+b.servers.mq.URL(), "STRATA_DEMO_QUEUE=true", "STRATA_GROUPS="+groups)
	for _, db := range []struct {
		kind migrations.Database
		urls map[string]string
	}{
		{migrations.Log, map[string]string{"strata_log": "STRATA_LOG_URL"}},
		{migrations.Plans, map[string]string{"strata_plans_projector": "STRATA_PLANS_URL", "strata_plans_reader": "STRATA_PLANS_READ_URL"}},
		{migrations.Audit, map[string]string{"strata_audit_projector": "STRATA_AUDIT_URL", "strata_audit_reader": "STRATA_AUDIT_READ_URL"}},
	} {
		database := name + "_" + string(db.kind)
		urls, err := b.servers.database(ctx, db.kind, database)
		if err != nil {
			return nil, err
		}
		p.databases = append(p.databases, database)
		for role, variable := range db.urls {
			env = append(env, variable+"="+urls[role])
		}
	}
	p.cmd = exec.CommandContext(ctx, binary, "serve")
	p.cmd.Env, p.cmd.Stderr = env, os.Stderr
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	return p, waitReady(ctx, p.base+"/readyz")
}

var lag = regexp.MustCompile(`(?m)^strata_group_lag_events\{.*\} (\S+)$`)

// settle waits until the groups that run here have taken everything, so that the
// rest of one run's work does not fall into the next one's time.
func (p *process) settle(ctx context.Context) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.admin+"/metrics", nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			return err
		}
		behind := false
		for _, m := range lag.FindAllSubmatch(body, -1) {
			behind = behind || string(m[1]) != "0"
		}
		if !behind {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop ends the service in order.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

// rss is the resident memory in bytes.
func (p *process) rss() (int64, error) {
	body, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(body)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb * 1024, err
		}
	}
	return 0, fmt.Errorf("no VmRSS of process %d", p.cmd.Process.Pid)
}

func waitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", url, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func freePorts(ctx context.Context, n int) ([]string, error) {
	var ports []string
	for range n {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all open at once, so that all differ
		ports = append(ports, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}
