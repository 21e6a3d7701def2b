package relay_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/app/ingest"
	"strata.dev/strata/tests/testenv"
)

const (
	sourceExamples = "../../docs/examples/sources"
	measurements   = `{"measurements":[{"indicatorRef":"un.8.1.1","period":{"start":"2020-01-01","end":"2020-12-31"},"value":"5.90"}]}`
)

// example is a source as the examples of docs/events.md run it.
type example struct {
	id, key string
	public  ed25519.PublicKey
}

func newExample(t *testing.T) example {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	e := example{id: uuid.NewString(), key: filepath.Join(t.TempDir(), "source.pem"), public: public}
	if err := os.WriteFile(e.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e example) run(t *testing.T, cmd *exec.Cmd, env ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd.Env = append(append(os.Environ(), "SOURCE_ID="+e.id, "SOURCE_KEY="+e.key), env...)
	cmd.Stdin = strings.NewReader(measurements)
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	return string(out)
}

// signed says whether a message is what the example was to send.
func (e example) signed(signature, id string, body []byte) error {
	b, err := base64.StdEncoding.DecodeString(signature)
	if err == nil && (!ed25519.Verify(e.public, ingest.SigningText(e.id, id, body), b) || string(body) != measurements) {
		err = fmt.Errorf("%q under %q is not signed by it", body, id)
	}
	return err
}

// TestExampleSourceInGo runs the sender into a queue as the service has it.
func TestExampleSourceInGo(t *testing.T) {
	e, broker := newExample(t), testenv.AMQP(t)
	binary := filepath.Join(t.TempDir(), "source")
	if out, err := exec.Command("go", "build", "-o", binary, sourceExamples+"/go").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	if out, err := exec.Command(binary).CombinedOutput(); err == nil {
		t.Errorf("without a key it said %q", out)
	}
	taken := make(chan ingest.Message, 2)
	in, err := rabbitmq.NewInbound(broker, rabbitmq.InboundOptions{
		Logger: slog.New(slog.DiscardHandler), Poll: 50 * time.Millisecond,
		Take: func(_ context.Context, m ingest.Message) (ingest.Answer, error) {
			taken <- m
			return ingest.Answer{Settled: true}, nil
		},
		Sources: func(context.Context) ([]rabbitmq.InboundSource, error) {
			return []rabbitmq.InboundSource{{SourceID: uuid.MustParse(e.id), Active: true}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		in.Run(ctx)
	}()
	defer func() {
		cancel()
		<-done
	}()
	testenv.Eventually(t, patience, "the queue is there", func() error {
		if s := in.Status(); s.Consuming != 1 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	var ids []string
	for range 2 {
		e.run(t, exec.Command(binary), "AMQP_URL="+broker)
		select {
		case m := <-taken:
			if err := e.signed(m.Signature, m.MessageID, m.Body); err != nil {
				t.Error(err)
			}
			ids = append(ids, m.MessageID)
		case <-time.After(patience):
			t.Fatal("nothing came")
		}
	}
	if ids[0] != ids[1] {
		t.Errorf("the same message has ids %q", ids)
	}
}

// TestExampleSourceInPython runs the sender against a service that is away at first.
func TestExampleSourceInPython(t *testing.T) {
	python, e, calls := testenv.Python(t, "cryptography", "python3-cryptography"), newExample(t), 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = e.signed(r.Header.Get("Strata-Signature"), r.Header.Get("Strata-Message-Id"), body)
		}
		if err != nil || r.URL.Path != "/v1/sources/"+e.id+"/measurements" || r.Header.Get("Strata-Organization") != "org" {
			t.Errorf("%s, %q, %v", r.URL, r.Header, err)
		}
		if calls++; calls == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"recorded":1,"corrected":0,"unchanged":0,"rejected":0,"items":[{"index":0,"status":"recorded"}]}`)
	}))
	defer server.Close()
	out := e.run(t, exec.Command(python, sourceExamples+"/python/send.py"), "STRATA_URL="+server.URL, "ORGANIZATION=org")
	if calls != 2 || out != "1 recorded, 0 corrected, 0 unchanged, 0 rejected\n" {
		t.Errorf("%d calls, %q", calls, out)
	}
}
