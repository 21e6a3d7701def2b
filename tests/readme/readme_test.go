// Package readme runs the commands of README.md against `strata dev`, as a
// reader would, so that the page cannot drift from the product; and it kills
// that installation whole, as readers do, too.
package readme

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }

// blocks finds the shell blocks of the page that a comment names.
func blocks(t *testing.T, page string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)<!-- test: ([a-z]+) -->\n```sh\n(.*?)```").FindAllStringSubmatch(page, -1) {
		found[m[1]] = m[2]
	}
	return found
}

// installation is a running `strata dev`.
type installation struct {
	cmd *exec.Cmd
	mu  sync.Mutex
	out bytes.Buffer
	up  chan struct{}
}

func (i *installation) output() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.out.String()
}

// dev starts an installation in dir and waits for its banner.
func dev(t *testing.T, dir string, ports [2]string) *installation {
	t.Helper()
	i := &installation{up: make(chan struct{})}
	i.cmd = exec.Command(system.Binary(t), "dev")
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "STRATA_") {
			i.cmd.Env = append(i.cmd.Env, kv)
		}
	}
	i.cmd.Env = append(i.cmd.Env, "STRATA_DIR="+dir, "STRATA_HTTP_ADDR=127.0.0.1:"+ports[0], "STRATA_ADMIN_ADDR=127.0.0.1:"+ports[1])
	pipe, err := i.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	i.cmd.Stderr = i.cmd.Stdout
	if err := i.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.cmd.Process.Kill() }) // has ended, unless the test failed
	go i.read(pipe)
	select {
	case <-i.up:
	case <-time.After(2 * time.Minute):
	}
	if !strings.Contains(i.output(), "Strata is up") {
		t.Fatalf("strata dev did not come up:\n%s", i.output())
	}
	return i
}

func (i *installation) read(pipe io.Reader) {
	defer close(i.up)
	said := false
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		i.mu.Lock()
		fmt.Fprintln(&i.out, lines.Text())
		i.mu.Unlock()
		if !said && strings.Contains(lines.Text(), "Ctrl-C stops everything") {
			said = true
			i.up <- struct{}{}
		}
	}
}

// stop is Ctrl-C.
func (i *installation) stop(t *testing.T) {
	t.Helper()
	if err := i.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-i.up // the output has ended
	if err := i.cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C: %v\n%s", err, i.output())
	}
}

// processes are those whose command line or environment names dir, apart from
// the test's own: servers and their helpers.
func processes(t *testing.T, dir string) (pids []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscan(e.Name(), &pid); err != nil || pid == os.Getpid() {
			continue
		}
		for _, file := range []string{"cmdline", "environ"} {
			// A process that ended meanwhile has neither.
			if body, err := os.ReadFile(filepath.Join("/proc", e.Name(), file)); err == nil && bytes.Contains(body, []byte(dir)) {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

func freePorts(t *testing.T) (ports [2]string) {
	t.Helper()
	for n := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, ports[n], _ = net.SplitHostPort(l.Addr().String())
	}
	return ports
}

func TestReadme(t *testing.T) {
	root, err := system.Root()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	commands := blocks(t, string(page))
	dir, err := os.MkdirTemp("", "strata-readme-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // the servers run as another user
		t.Fatal(err)
	}
	node := filepath.Join(dir, "node") // npm writes beside what it installs for
	if err := os.CopyFS(node, os.DirFS(filepath.Join(root, "docs/examples/consumers/node"))); err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t)
	first := dev(t, dir, ports)

	// run executes a block of the page in the repository, with the paths of this installation.
	run := func(t *testing.T, name, extra string) string {
		t.Helper()
		block, ok := commands[name]
		if !ok {
			t.Fatalf("README.md has no block named %q", name)
		}
		replace := strings.NewReplacer(".strata/demo.env", filepath.Join(dir, "demo.env"), "bin/strata", system.Binary(t), "docs/examples/consumers/node", node)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", replace.Replace(commands["setup"])+extra+"\n"+replace.Replace(block))
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("block %q: %v\n%s", name, err, out)
		}
		return string(out)
	}
	// says checks that the answer contains all that the page shows.
	says := func(t *testing.T, name, extra string, wanted ...string) string {
		t.Helper()
		out := run(t, name, extra)
		for _, w := range wanted {
			if !strings.Contains(out, w) {
				t.Errorf("block %q does not say %q:\n%s", name, w, out)
			}
		}
		return out
	}

	says(t, "read", "", "HTTP/1.1 200 OK", "Etag: \"", `"name":"Net official development assistance, `, `"health":"off_track"`, `"value":"0.50391698260432"`, `"value":"0.7"`)
	recorded := says(t, "record", "", "HTTP/1.1 200 OK", "Strata-Position: ", `"measurementId":"`, `"eventIds":[`)
	again := says(t, "record", "", "HTTP/1.1 200 OK", "Idempotent-Replayed: true")
	if body(recorded) != body(again) {
		t.Errorf("the repetition answered\n%s\nand the first time\n%s", body(again), body(recorded))
	}
	says(t, "stale", "", `"code":"stale-revision"`, `"status":412`, `"currentRevision":"`)
	says(t, "correct", "", `"eventIds":[`, `"position":"`)
	says(t, "history", "", `"type":"indicator.measurement-corrected"`, `"reason":"the final figure"`, `"actorKind":"person"`, `"value":"0.51"`)
	says(t, "rebuild", "", "plans rebuilt from ", "its content is ")
	says(t, "doctor", "", "projection audit", "RabbitMQ", "organization.registered")
	says(t, "cheat", "", "first bad position", "expected ", "found ", "changed in place", "exit code 3")
	says(t, "honest", "", " are as they were recorded", "sealed ")
	says(t, "past", "", `"8824"`, `"0.5"`, `"0.51"`, `"the final figure"`)

	t.Run("the events leave", func(t *testing.T) {
		env := environment(t, filepath.Join(dir, "demo.env"))
		env["NODE_PROJECT"] = node
		leave(t, run, env)
	})

	t.Run("kill -9 of everything, and again", func(t *testing.T) {
		before := run(t, "history", "")
		for _, pid := range append(processes(t, dir), first.cmd.Process.Pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // may have died of another one's death
		}
		<-first.up
		if err := first.cmd.Wait(); err == nil {
			t.Fatal("a killed process ended well")
		}
		start := time.Now()
		second := dev(t, dir, ports)
		t.Logf("up again after %s", time.Since(start).Round(time.Millisecond))
		if after := run(t, "history", ""); items(after) != items(before) {
			t.Errorf("the history has %d bytes after the crash and had %d before", len(after), len(before))
		}
		second.stop(t)
		testenv.Eventually(t, 10*time.Second, "every process has ended", func() error {
			if left := processes(t, dir); len(left) > 0 {
				return fmt.Errorf("still there: %v", left)
			}
			return nil
		})
	})
}

// body is what follows the headers.
func body(answer string) string {
	_, b, _ := strings.Cut(answer, "\r\n\r\n")
	return b
}

// items is a page without the position it is as of.
func items(page string) string {
	return regexp.MustCompile(`"position":"\d+"\}\s*$`).ReplaceAllString(page, "")
}

// leave runs the example consumers. Each makes a queue of its own, so it gets
// what is recorded from then on: corrections go on until it has six more events.
func leave(t *testing.T, run func(t *testing.T, name, extra string) string, env map[string]string) {
	proof := evidence(t, env)
	for _, name := range []string{"go", "python", "node"} {
		t.Run(name, func(t *testing.T) {
			path := ""
			if name == "python" {
				path = fmt.Sprintf("python3() { %s \"$@\"; }\n", testenv.Python(t, "pika", "python3-pika"))
			}
			if name == "node" {
				testenv.NodeProject(t, env["NODE_PROJECT"]) // so that a registry out of reach is a skip
			}
			head := correct(t, env, name+"-first", proof)
			done := make(chan struct{})
			var traffic sync.WaitGroup
			traffic.Go(func() {
				every := time.NewTicker(100 * time.Millisecond)
				defer every.Stop()
				for n := 0; ; n++ {
					select {
					case <-done:
						return
					case <-every.C:
						correct(t, env, fmt.Sprintf("%s-%d", name, n), proof)
					}
				}
			})
			out := run(t, name, fmt.Sprintf("%sexport QUEUE=example-readme-%s UNTIL=%d", path, name, head+6))
			close(done)
			traffic.Wait()
			if !strings.Contains(out, "complete from ") || !strings.Contains(out, " 0 missing") || !strings.Contains(out, "indicator.measurement-corrected") {
				t.Errorf("the %s consumer does not show the events and prove that it has all:\n%s", name, out)
			}
		})
	}
}

// evidence is a piece of evidence: the story's indicator is off track, and then
// a correction takes one (S9).
func evidence(t *testing.T, env map[string]string) string {
	t.Helper()
	answer, err := (&restclient.Client{Base: strings.TrimSuffix(env["API"], "/v1"), Token: env["INES"]}).Do(t.Context(), restclient.Request{
		Method: http.MethodPost, Path: "/v1/evidence?kind=document&mediaType=text/plain", Key: "corrections",
		ContentType: "application/octet-stream", Body: []byte("Examples."),
	})
	if err != nil {
		t.Fatalf("evidence: %v", err)
	}
	var registered struct{ EvidenceID string }
	if err := answer.Decode(&registered); err != nil || registered.EvidenceID == "" {
		t.Fatalf("evidence: %s: %v", answer.Body, err)
	}
	return registered.EvidenceID
}

// correct corrects the story's measurement to a value that was not there
// before, and gives the position.
func correct(t *testing.T, env map[string]string, key, evidenceID string) int64 {
	answer, err := (&restclient.Client{Base: strings.TrimSuffix(env["API"], "/v1"), Token: env["INES"]}).Do(t.Context(), restclient.Request{
		Method: http.MethodPost, Path: "/v1/indicators/" + env["INDICATOR"] + "/commands/correct", Key: key, IfMatch: "*",
		Body: map[string]any{
			"period": map[string]string{"start": "2022-01-01", "end": "2022-12-31"},
			"value":  fmt.Sprintf("0.5%d", time.Now().UnixNano()), "reason": "example", "evidenceId": evidenceID,
		},
	})
	if err != nil {
		t.Errorf("correct: %v", err)
		return 0
	}
	return answer.Position
}

// environment reads demo.env.
func environment(t *testing.T, file string) map[string]string {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^export ([A-Z_]+)='([^']*)'`).FindAllStringSubmatch(string(body), -1) {
		env[m[1]] = m[2]
	}
	return env
}
