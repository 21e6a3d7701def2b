package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

const installFailed = "cannot install what is missing"

// Program is something else that Install sees to: if no program of the name is
// in the PATH, the Debian packages are installed.
type Program struct {
	Name     string
	Packages []string
}

// Install installs PostgreSQL and RabbitMQ, and the other programs named, with
// apt-get if they are missing, and tells out what it does. It does nothing when
// all are there. It needs root and apt-get; without them the error says what to
// install by hand.
//
// The packages' own services are not started: what Strata uses are private
// instances. (They are enabled as the distribution does it, so that a machine
// with systemd starts them at its next boot.)
func Install(ctx context.Context, out io.Writer, others ...Program) error {
	return installer{
		missing: func() []string { return append(missingServers(), missingPrograms(others)...) }, root: os.Geteuid() == 0, out: out,
		policy: "/usr/sbin/policy-rc.d",
	}.run(ctx)
}

func missingPrograms(programs []Program) []string {
	var names []string
	for _, p := range programs {
		if _, err := exec.LookPath(p.Name); err != nil {
			names = append(names, p.Packages...)
		}
	}
	return names
}

type installer struct {
	missing func() []string
	root    bool
	out     io.Writer
	policy  string // Debian asks this program whether a package may start its service
}

func missingServers() []string {
	var names []string
	if _, err := findPostgres(0); err != nil {
		names = append(names, "postgresql", "postgresql-client")
	}
	_, err := findRabbitMQ()
	if _, epmdErr := findEpmd(); err != nil || epmdErr != nil {
		names = append(names, "rabbitmq-server")
	}
	return names
}

func (i installer) run(ctx context.Context) (err error) {
	names := i.missing()
	if len(names) == 0 {
		return nil
	}
	byHand := "Install it by hand (Debian, Ubuntu: sudo apt-get install " + strings.Join(names, " ") + ") or give the addresses of running servers in STRATA_LOG_URL, STRATA_PLANS_URL, STRATA_AUDIT_URL and STRATA_AMQP_URL"
	apt, lookErr := exec.LookPath("apt-get")
	switch {
	case lookErr != nil:
		return &Problem{Kind: ErrBinaryMissing, What: installFailed, Err: lookErr, Why: strings.Join(names, ", ") + " and there is no apt-get here", Next: byHand}
	case !i.root:
		return &Problem{Kind: ErrNotAllowed, What: installFailed, Why: strings.Join(names, ", ") + " and only root may install it", Next: byHand}
	}
	restore, err := i.forbidServices()
	if err != nil {
		return fmt.Errorf("%s: %w", installFailed, err)
	}
	defer func() { err = errors.Join(err, restore()) }()
	if _, err := fmt.Fprintf(i.out, "Installing %s with apt-get (once; a minute or two)\n", strings.Join(names, ", ")); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"update", "-q"},
		append([]string{"install", "-y", "-q", "--no-install-recommends"}, names...),
	} {
		cmd := exec.CommandContext(ctx, apt, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		output, err := cmd.CombinedOutput()
		if err != nil {
			return &Problem{
				Kind: ErrBinaryMissing, What: installFailed, Err: err,
				Why:  "apt-get " + args[0] + " said: " + lastError(string(output)),
				Next: byHand,
			}
		}
	}
	if still := i.missing(); len(still) > 0 {
		return &Problem{Kind: ErrBinaryMissing, What: installFailed, Why: "apt-get has installed " + strings.Join(names, ", ") + " but no usable version of it was found", Next: byHand}
	}
	return nil
}

// forbidServices keeps the packages from starting their services, unless the
// machine has a policy of its own, which then holds.
func (i installer) forbidServices() (restore func() error, err error) {
	f, err := os.OpenFile(i.policy, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if errors.Is(err, os.ErrExist) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString("#!/bin/sh\nexit 101\n") // 101: action forbidden by policy
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(i.policy))
	}
	return func() error { return os.Remove(i.policy) }, nil
}

// lastError is apt-get's last line beginning with "E:", or its last line.
func lastError(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	for j := len(lines) - 1; j >= 0; j-- {
		if e, ok := strings.CutPrefix(lines[j], "E: "); ok {
			return e
		}
	}
	return lines[len(lines)-1]
}
