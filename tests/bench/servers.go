package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/adapters/embedded"
	"strata.dev/strata/migrations"
)

// servers are the private PostgreSQL and RabbitMQ that everything is measured on.
type servers struct {
	pg *embedded.Postgres
	mq *embedded.RabbitMQ
}

func startServers(ctx context.Context, dir string) (*servers, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	// Every run starts on fresh servers: what an earlier one left to recover or to
	// vacuum is not to be measured.
	if err := os.RemoveAll(abs); err != nil {
		return nil, err
	}
	s := &servers{
		pg: embedded.NewPostgres(embedded.PostgresOptions{Dir: filepath.Join(abs, "postgres"), Throwaway: true, Settings: map[string]string{
			"shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "30min", "max_connections": "300",
		}}),
		mq: embedded.NewRabbitMQ(embedded.RabbitMQOptions{Dir: filepath.Join(abs, "rabbitmq")}),
	}
	if err := s.pg.Start(ctx); err != nil {
		return nil, err
	}
	if err := s.mq.Start(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *servers) stop(ctx context.Context) {
	for _, server := range []embedded.Server{s.mq, s.pg} {
		if err := server.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "bench: stop server:", err)
		}
	}
}

const password = "bench"

// database creates an empty migrated database and gives the URLs of its roles,
// and the superuser's under "".
func (s *servers) database(ctx context.Context, kind migrations.Database, name string) (map[string]string, error) {
	admin, err := pgx.Connect(ctx, s.pg.URL("postgres"))
	if err != nil {
		return nil, err
	}
	defer admin.Close(ctx)
	for _, q := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
		if _, err := admin.Exec(ctx, q); err != nil {
			return nil, fmt.Errorf("%s: %w", q, err)
		}
	}
	passwords := map[string]string{}
	for _, role := range migrations.Roles(kind) {
		passwords[role] = password
	}
	if err := migrations.Up(ctx, kind, s.pg.URL(name), passwords, slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	urls := map[string]string{"": s.pg.URL(name)}
	for _, role := range migrations.Roles(kind) {
		u, err := url.Parse(s.pg.URL(name))
		if err != nil {
			return nil, err
		}
		u.User = url.UserPassword(role, password)
		urls[role] = u.String()
	}
	return urls, nil
}

// pool opens size connections.
func pool(ctx context.Context, dsn string, size int) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = int32(size)
	p, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return p, p.Ping(ctx)
}
