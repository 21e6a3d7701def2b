package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"strata.dev/strata/adapters/embedded"
)

// The variables that name shared servers.
const (
	envPostgres  = "STRATA_TEST_PG_URL"        // superuser's URL of any database
	envAMQP      = "STRATA_TEST_AMQP_URL"      // user's URL
	envAMQPAdmin = "STRATA_TEST_AMQP_ADMIN"    // management API, user and password included
	envPassword  = "STRATA_TEST_ROLE_PASSWORD" // of Strata's roles, if the servers have them already
	envSkips     = "STRATA_TEST_SKIPS"         // file that SkipLoud writes to
)

const startTimeout = 90 * time.Second // RabbitMQ needs 6 s on an idle machine

// servers are the ones of this process, started by the first test that asks.
// One set per test process is the point, hence the one package variable.
var servers started

type started struct {
	mu       sync.Mutex
	dir      string
	postgres *embedded.Postgres
	rabbitmq *embedded.RabbitMQ
	failed   map[string]error // a server that did not start is not tried again by every test
}

func (s *started) postgresURL() (string, error) {
	if u := os.Getenv(envPostgres); u != "" {
		return u, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.postgres == nil {
		err := s.start("postgres", func(ctx context.Context, dir string) error {
			pg := embedded.NewPostgres(embedded.PostgresOptions{Dir: dir, Throwaway: true})
			if err := pg.Start(ctx); err != nil {
				return err
			}
			s.postgres = pg
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	return s.postgres.URL("postgres"), nil
}

// broker returns the user's URL and the management API's.
func (s *started) broker() (amqp, admin string, err error) {
	if amqp, admin = os.Getenv(envAMQP), os.Getenv(envAMQPAdmin); amqp != "" {
		if admin == "" {
			return "", "", fmt.Errorf("%s is set but %s is not: vhosts are made through the management API", envAMQP, envAMQPAdmin)
		}
		return amqp, admin, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rabbitmq == nil {
		err := s.start("rabbitmq", func(ctx context.Context, dir string) error {
			mq := embedded.NewRabbitMQ(embedded.RabbitMQOptions{Dir: dir, Management: true})
			if err := mq.Start(ctx); err != nil {
				return err
			}
			s.rabbitmq = mq
			return nil
		})
		if err != nil {
			return "", "", err
		}
	}
	return s.rabbitmq.URL(), s.rabbitmq.ManagementURL(), nil
}

// start runs fn with a directory for the named server; s.mu is held.
func (s *started) start(name string, fn func(ctx context.Context, dir string) error) error {
	if err := s.failed[name]; err != nil {
		return err
	}
	err := func() error {
		if s.dir == "" {
			dir, err := tempDir()
			if err != nil {
				return err
			}
			s.dir = dir
		}
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		return fn(ctx, filepath.Join(s.dir, name))
	}()
	if err != nil {
		if s.failed == nil {
			s.failed = map[string]error{}
		}
		s.failed[name] = err
	}
	return err
}

func (s *started) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	var errs []error
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop(ctx))
		s.postgres = nil
	}
	if s.rabbitmq != nil {
		errs = append(errs, s.rabbitmq.Kill()) // nothing of it is needed any more, and an orderly stop takes 2 s
		s.rabbitmq = nil
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
		s.dir = ""
	}
	return errors.Join(errs...)
}

// StartPostgres starts a server of the test's own, which it may Kill, Stop and
// Start again. It is empty, without Strata's roles: see Migrate.
func StartPostgres(t testing.TB) *embedded.Postgres {
	t.Helper()
	dir := ownDir(t)
	pg := embedded.NewPostgres(embedded.PostgresOptions{Dir: dir, Throwaway: true, Settings: map[string]string{"shared_buffers": "64MB"}})
	t.Cleanup(func() {
		if err := pg.Kill(); err != nil {
			t.Errorf("testenv: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := pg.Start(ctx); err != nil {
		t.Fatalf("testenv: %v", err)
	}
	return pg
}

// StartRabbitMQ starts a broker of the test's own, which it may Kill, Stop,
// Start again and steer by Ctl. It takes about 5 s.
func StartRabbitMQ(t testing.TB) *embedded.RabbitMQ {
	t.Helper()
	dir := ownDir(t)
	mq := embedded.NewRabbitMQ(embedded.RabbitMQOptions{Dir: dir})
	t.Cleanup(func() {
		if err := mq.Kill(); err != nil {
			t.Errorf("testenv: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := mq.Start(ctx); err != nil {
		t.Fatalf("testenv: %v", err)
	}
	return mq
}

func ownDir(t testing.TB) string {
	t.Helper()
	dir, err := tempDir()
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("testenv: %v", err)
		}
	})
	return dir
}

// tempDir differs from t.TempDir in that PostgreSQL's user can enter it.
func tempDir() (string, error) {
	dir, err := os.MkdirTemp("", "strata-test-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711)
}
