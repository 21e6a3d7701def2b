package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"strata.dev/strata/adapters/embedded"
	"strata.dev/strata/cmd/strata/demo"
	"strata.dev/strata/migrations"
)

// dev is a whole installation on this machine.
func (c *cli) dev() *cobra.Command {
	var noDemo bool
	cmd := &cobra.Command{
		Use: "dev", Short: "Run everything on this machine: private PostgreSQL and RabbitMQ, the service, demo data", Args: noArgs,
		Long: `Starts a private PostgreSQL and a private RabbitMQ under STRATA_DIR (.strata), installing them first where they are
missing, creates and migrates the databases, runs the service, and loads a demo organization through the public API.
The data stays; a second start takes seconds. Ctrl-C stops everything. Servers that STRATA_* URLs name are used instead.
Not for production: tokens come from a key on this machine.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			environ := append([]string{"STRATA_ENV=" + development, "STRATA_DEMO_QUEUE=true"}, c.environ...)
			environ = append(environ, "STRATA_ENV="+development) // not to be overridden: production has `serve`
			cfg, err := loadConfig(environ)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(cfg.DataDir, 0o755); err != nil {
				return fmt.Errorf("cannot make the data directory: %w", err)
			}
			logFile, err := os.OpenFile(filepath.Join(cfg.DataDir, "strata.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
			if err != nil {
				return fmt.Errorf("cannot write the log: %w", err)
			}
			defer logFile.Close()
			return runDev(cmd.Context(), cfg, cmd.OutOrStdout(), slog.New(slog.NewJSONHandler(logFile, nil)), !noDemo)
		},
	}
	cmd.Flags().BoolVar(&noDemo, "no-demo", false, "do not load the demo organization")
	cmd.AddCommand(c.reset())
	return cmd
}

func runDev(ctx context.Context, cfg config, out io.Writer, log *slog.Logger, withDemo bool) (err error) {
	began := time.Now()
	servers, err := startPrivate(ctx, &cfg, out, log)
	defer func() {
		fmt.Fprintln(out, "Stopping …")
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 45*time.Second)
		defer cancel()
		err = errors.Join(err, embedded.Stop(stop, servers...))
	}()
	if err != nil {
		return err
	}
	return runService(ctx, cfg, log, func(ctx context.Context) error {
		base := "http://" + cfg.HTTPAddr
		issuer, err := openIssuer(cfg)
		if err != nil {
			return err
		}
		d := demo.Result{}
		if withDemo {
			if d, err = loadDemo(ctx, base, issuer, out); err != nil {
				return fmt.Errorf("load the demo organization: %w", err)
			}
		}
		if err := writeDemoEnv(cfg, d); err != nil {
			return err
		}
		return banner(out, cfg, d, time.Since(began))
	})
}

// startPrivate starts the servers that no URL names, and completes cfg with
// their URLs. What was started is returned also with an error.
func startPrivate(ctx context.Context, cfg *config, out io.Writer, log *slog.Logger) ([]embedded.Server, error) {
	dir, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	var servers []embedded.Server
	var pg *embedded.Postgres
	var mq *embedded.RabbitMQ
	if cfg.LogURL == "" {
		pg = embedded.NewPostgres(embedded.PostgresOptions{Dir: filepath.Join(dir, "postgres"), Log: log})
		servers = append(servers, pg)
	}
	if cfg.AMQPURL == "" {
		mq = embedded.NewRabbitMQ(embedded.RabbitMQOptions{Dir: filepath.Join(dir, "rabbitmq"), Management: true, Log: log})
		servers = append(servers, mq)
	}
	if len(servers) > 0 {
		if err := embedded.Install(ctx, out); err != nil {
			return nil, err
		}
		fmt.Fprintln(out, "Starting PostgreSQL and RabbitMQ …")
		if err := embedded.Start(ctx, servers...); err != nil {
			return servers, err
		}
	}
	secrets, err := openSecrets(filepath.Join(dir, "credentials.json"))
	if err != nil {
		return servers, err
	}
	var g errgroup.Group
	if pg != nil {
		g.Go(func() error { return createDatabases(ctx, cfg, pg, secrets) })
	}
	if mq != nil {
		g.Go(func() error { return createBrokerUsers(ctx, cfg, mq, secrets) })
	}
	return servers, g.Wait()
}

// createDatabases makes the three databases, if they are not there, and sets
// their URLs: the administrator's, and one for each role of the service.
func createDatabases(ctx context.Context, cfg *config, pg *embedded.Postgres, secrets *secrets) error {
	admin, err := pgx.Connect(ctx, pg.URL("postgres"))
	if err != nil {
		return fmt.Errorf("connect to the private PostgreSQL: %w", err)
	}
	defer admin.Close(ctx)
	for _, db := range []struct {
		kind  migrations.Database
		admin *string
		urls  map[string]*string
	}{
		{migrations.Log, &cfg.LogAdminURL, map[string]*string{"strata_log": &cfg.LogURL}},
		{migrations.Plans, &cfg.PlansAdminURL, map[string]*string{"strata_plans_projector": &cfg.PlansURL, "strata_plans_reader": &cfg.PlansReadURL}},
		{migrations.Audit, &cfg.AuditAdminURL, map[string]*string{"strata_audit_projector": &cfg.AuditURL, "strata_audit_reader": &cfg.AuditReadURL}},
	} {
		name := "strata_" + string(db.kind)
		var exists bool
		if err := admin.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&exists); err != nil {
			return fmt.Errorf("look for database %s: %w", name, err)
		}
		if !exists {
			if _, err := admin.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{name}.Sanitize()); err != nil {
				return fmt.Errorf("create database %s: %w", name, err)
			}
		}
		*db.admin = pg.URL(name)
		for role, target := range db.urls {
			u, err := url.Parse(pg.URL(name))
			if err != nil {
				return fmt.Errorf("URL of the private PostgreSQL: %w", err)
			}
			password, err := secrets.get(role)
			if err != nil {
				return err
			}
			u.User = url.UserPassword(role, password)
			*target = u.String()
		}
	}
	return nil
}

// brokerUser is a user of the private broker: what it may declare, write and read.
type brokerUser struct{ name, configure, write, read string }

var (
	// The service touches what is called strata.* only.
	serviceUser = brokerUser{"strata-service", `^strata\..*`, `^strata\..*`, `^strata\..*`}
	// A consuming team has queues of its own (here example-*) and may bind them to the events.
	consumerUser = brokerUser{"example-consumer", `^example-.*`, `^(example-.*|amq\.default)$`, `^(example-.*|strata\.events)$`}
)

// createBrokerUsers makes the service's user and an example consumer's, and
// sets the URLs they connect with.
func createBrokerUsers(ctx context.Context, cfg *config, mq *embedded.RabbitMQ, secrets *secrets) error {
	for target, user := range map[*string]brokerUser{&cfg.AMQPURL: serviceUser, &cfg.consumerURL: consumerUser} {
		password, err := secrets.get(user.name)
		if err != nil {
			return err
		}
		u, err := url.Parse(mq.URL())
		if err != nil {
			return fmt.Errorf("URL of the private RabbitMQ: %w", err)
		}
		u.User = url.UserPassword(user.name, password)
		*target = u.String()
		if secrets.done(user.name) {
			continue
		}
		if _, err := mq.Ctl(ctx, "authenticate_user", user.name, password); err != nil {
			if _, err := mq.Ctl(ctx, "add_user", user.name, password); err != nil {
				return fmt.Errorf("create the broker's user %s: %w", user.name, err)
			}
		}
		if _, err := mq.Ctl(ctx, "set_permissions", user.name, user.configure, user.write, user.read); err != nil {
			return fmt.Errorf("permissions of the broker's user %s: %w", user.name, err)
		}
		if err := secrets.markDone(user.name); err != nil {
			return err
		}
	}
	return nil
}
