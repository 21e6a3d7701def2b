package relay_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/tests/relay/logfill"
	"strata.dev/strata/tests/testenv"
)

const examples = "../../docs/examples/consumers"

// TestExampleConsumers runs the consumers that docs/events.md gives to other
// teams. Nothing is bound when the relay starts: it waits for them.
func TestExampleConsumers(t *testing.T) {
	for name, command := range map[string]func(t *testing.T) *exec.Cmd{
		"go": func(t *testing.T) *exec.Cmd {
			binary := filepath.Join(t.TempDir(), "consumer")
			if out, err := exec.Command("go", "build", "-o", binary, examples+"/go").CombinedOutput(); err != nil {
				t.Fatalf("build: %v: %s", err, out)
			}
			return exec.Command(binary)
		},
		"python": func(t *testing.T) *exec.Cmd {
			return exec.Command(testenv.Python(t, "pika", "python3-pika"), "-u", examples+"/python/consumer.py")
		},
		"node": func(t *testing.T) *exec.Cmd {
			cmd := exec.Command("node", "consumer.js")
			cmd.Dir = testenv.NodeProject(t, examples+"/node")
			return cmd
		},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := command(t)
			log, broker := testenv.Log(t), testenv.AMQP(t)
			pool := testenv.Pool(t, log.App)
			logfill.Append(t, pool, 250)
			r := newRelay(t, log.App, broker, nil, slog.New(slog.DiscardHandler))
			r.awaitStatus(t, "the relay waits for a queue", func(g consumer.GroupStatus, _ rabbitmq.Status) bool {
				return strings.Contains(g.LastError, rabbitmq.ErrUnroutable.Error())
			})

			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd.Env = append(os.Environ(), "AMQP_URL="+broker, "UNTIL=250")
			var out strings.Builder
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
			defer stop()
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v:\n%s", err, out.String())
			}
			for at := int64(1); at <= 250; at++ {
				line := fmt.Sprintf("\n%d dev.strata.strategy.goal-added.v1 strategies/%s by member-1\n", at, strings.TrimPrefix(logfill.Stream(at), "strategy-"))
				if n := strings.Count("\n"+out.String(), line); n != 1 {
					t.Fatalf("position %d was printed %d times:\n%s", at, n, out.String())
				}
			}
			if !strings.Contains(out.String(), "complete from 1 to 250: 250 events, 0 missing") {
				t.Errorf("it did not prove that it has all:\n%s", out.String())
			}
		})
	}
}
