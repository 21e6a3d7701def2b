package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestWhatIsLostHasToBeTyped(t *testing.T) {
	for typed, want := range map[string]error{
		"/data/strata\n": nil, " /data/strata \r\n": nil, "yes\n": errNotConfirmed, "\n": errNotConfirmed, "": errNotConfirmed, "/data/strata": errNotConfirmed,
	} {
		var out bytes.Buffer
		if err := ask(strings.NewReader(typed), &out, "This deletes everything", "/data/strata"); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", typed, err, want)
		}
		if !strings.Contains(out.String(), "This deletes everything. Type /data/strata to go on") {
			t.Errorf("asked %q", out.String())
		}
	}
	c := &cli{}
	var usage usageError
	if err := c.confirm(strings.NewReader("x\n"), nil, "This deletes everything", "x"); !errors.As(err, &usage) {
		t.Errorf("nobody sits there, and the answer is %v", err)
	}
	c.yes = true
	if err := c.confirm(nil, nil, "", ""); err != nil {
		t.Error(err)
	}
}

// fakeInstallation is a folder as `strata dev` leaves it, with somebody's file in it.
func fakeInstallation(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"postgres/lock", "rabbitmq/lock", "credentials.json", "issuer.key", "notes.txt"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReset(t *testing.T) {
	reset := func(dir string, args ...string) (int, string) {
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"dev", "reset"}, args...), []string{"STRATA_DIR=" + dir}, strings.NewReader(""), &out, &errs)
		return code, errs.String()
	}
	dir := fakeInstallation(t)
	if code, says := reset(dir); code != exitUsage || !strings.Contains(says, "say --yes") {
		t.Errorf("without --yes: exit code %d, %q", code, says)
	}
	lock, err := os.Open(filepath.Join(dir, "rabbitmq/lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if code, says := reset(dir, "--yes"); code != exitFailure || !strings.Contains(says, "rabbitmq at "+dir+" is running") {
		t.Errorf("while it runs: exit code %d, %q", code, says)
	}
	if _, err := os.Stat(filepath.Join(dir, "postgres")); err != nil {
		t.Errorf("half of it is gone: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if code, says := reset(dir, "--yes"); code != exitOK {
		t.Fatalf("exit code %d, %q", code, says)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || !slices.EqualFunc(entries, []string{"notes.txt"}, func(e fs.DirEntry, name string) bool { return e.Name() == name }) {
		t.Errorf("left %v, %v: everything of ours goes, and nothing else", entries, err)
	}
	if code, says := reset(dir, "--yes"); code != exitUsage || !strings.Contains(says, "no private installation") {
		t.Errorf("a second time: exit code %d, %q", code, says)
	}
}

func TestProgressModes(t *testing.T) {
	for mode, want := range map[string]string{
		progressNone: "", progressJSON: `{"task":"rebuild plans","phase":"load","done":5,"total":10,"perSecond":3,"etaSeconds":2}` + "\n",
		progressAuto: `{"task":"rebuild plans"`, // no terminal
		progressBar:  "rebuild plans load",
	} {
		var out terminal
		report := (&cli{progress: mode}).reporter(&out, "events")
		report(progress{Task: "rebuild plans", Phase: "load", Done: 5, Total: 10, PerSecond: 3, ETASeconds: 2})
		if said := out.String(); !strings.Contains(said, want) || want == "" && said != "" {
			t.Errorf("%s: %q, want %q", mode, said, want)
		}
	}
}

// terminal may be written to while it is read: a bar moves by itself.
type terminal struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (t *terminal) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.Write(b)
}

func (t *terminal) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.String()
}

func TestVerdict(t *testing.T) {
	away := finding{Status: findingFail, unreachable: true}
	for _, c := range []struct {
		findings []finding
		says     string
		away     bool
	}{
		{[]finding{ok("a", "x"), warn("b", "do", "x")}, "", false},
		{[]finding{ok("a", "x"), fail("b", "do", "x")}, "1 of 2 checks fail", false},
		{[]finding{away, fail("b", "do", "x")}, "2 of 2 checks fail, 1 because a server does not answer", true},
	} {
		err := verdict(c.findings)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) || errors.Is(err, errUnreachable) != c.away {
			t.Errorf("%v: %v", c.findings, err)
		}
	}
}

// Every command explains itself, and the reference has it.
func TestReferenceHasEveryCommand(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"docs"}, nil, strings.NewReader(""), &out, &errs); code != exitOK {
		t.Fatal(errs.String())
	}
	for _, name := range []string{
		"serve", "dev", "dev reset", "migrate up", "migrate status", "projections list", "projections status NAME", "projections rebuild NAME",
		"projections resume NAME STREAM", "relay list", "relay resume STREAM", "events tail", "events show EVENT", "import stratml FILE",
		"export stratml STRATEGY", "token issue", "healthcheck", "config print", "doctor", "version",
	} {
		if !strings.Contains(out.String(), "\n## strata "+name+"\n") {
			t.Errorf("the reference lacks strata %s", name)
		}
	}
	for name, field := range (config{}).fields() {
		if field.means == "" || !strings.Contains(out.String(), "\n| `"+name+"` |") {
			t.Errorf("the reference does not explain %s", name)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		out.Reset()
		if code := run(t.Context(), []string{"completion", shell}, nil, strings.NewReader(""), &out, &errs); code != exitOK || !strings.Contains(out.String(), "strata") {
			t.Errorf("completion for %s: exit code %d", shell, code)
		}
	}
}
