package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// envVersity names the binary of an S3 server, built with make bin/versitygw.
const envVersity = "STRATA_TEST_VERSITYGW"

// Bucket is one on an S3 server of its own, which keeps it in a directory.
type Bucket struct {
	Endpoint, Name       string
	AccessKey, SecretKey string

	dir     string
	command *exec.Cmd
	t       testing.TB
}

// URL is the bucket as STRATA_ARCHIVE_URL names one.
func (b *Bucket) URL(parameters string) string {
	return fmt.Sprintf("s3://%s/archive?endpoint=%s&insecure=true%s", b.Name, b.Endpoint, parameters)
}

// StartBucket starts an S3 server (versitygw) and makes a bucket, with object lock
// if locked. It ends with the test. A machine that cannot have the server skips
// the test, loudly.
func StartBucket(t testing.TB, locked bool) *Bucket {
	t.Helper()
	binary := versity(t)
	b := &Bucket{Name: "strata", AccessKey: "test-access", SecretKey: "test-secret-key", dir: t.TempDir(), t: t}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.Endpoint = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(b.dir, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.start(binary)
	t.Cleanup(b.Stop)
	client, err := b.Client()
	if err != nil {
		t.Fatal(err)
	}
	Eventually(t, 30*time.Second, "the S3 server makes a bucket", func() error {
		err := client.MakeBucket(context.Background(), b.Name, minio.MakeBucketOptions{ObjectLocking: locked})
		if code := minio.ToErrorResponse(err).Code; code == minio.BucketAlreadyOwnedByYou {
			return nil
		}
		return err
	})
	return b
}

// Client talks to the server beside what is tested.
func (b *Bucket) Client() (*minio.Client, error) {
	return minio.New(b.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(b.AccessKey, b.SecretKey, ""), Region: "us-east-1", MaxRetries: 1})
}

// Stop ends the server, as a crash would. Restart starts it again with what it had.
func (b *Bucket) Stop() {
	if b.command == nil {
		return
	}
	_ = b.command.Process.Kill() // it may have ended by itself
	_ = b.command.Wait()         // killed is what it was
	b.command = nil
}

// Restart starts a stopped server again.
func (b *Bucket) Restart() {
	b.t.Helper()
	b.start(versity(b.t))
}

func (b *Bucket) start(binary string) {
	b.t.Helper()
	command := exec.Command(binary, "--port", b.Endpoint, "--access", b.AccessKey, "--secret", b.SecretKey, "--quiet",
		"posix", "--sidecar", filepath.Join(b.dir, "meta"), filepath.Join(b.dir, "data"))
	if err := os.MkdirAll(filepath.Join(b.dir, "meta"), 0o755); err != nil {
		b.t.Fatal(err)
	}
	logs, err := os.OpenFile(filepath.Join(b.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		b.t.Fatal(err)
	}
	defer logs.Close() // the child has its own
	command.Stdout, command.Stderr = logs, logs
	if err := command.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.command = command
	Eventually(b.t, 30*time.Second, "the S3 server answers", func() error {
		req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, (&url.URL{Scheme: "http", Host: b.Endpoint, Path: "/"}).String(), http.NoBody)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, res.Body)
		return errors.Join(err, res.Body.Close())
	})
}

// versity finds the server's binary, or makes it: the first time that takes a
// minute or two, and later tests find what Go has cached.
func versity(t testing.TB) string {
	t.Helper()
	if path := os.Getenv(envVersity); path != "" {
		return path
	}
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "bin", "versitygw")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	build := exec.Command("make", "--no-print-directory", "bin/versitygw")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		SkipLoud(t, fmt.Sprintf("no S3 server to test against: make bin/versitygw: %v: %s", err, tail(out)))
	}
	return path
}

func tail(out []byte) []byte { return out[max(0, len(out)-500):] }
