package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "strata.dev/strata/"

// pkg is what go list says about a package.
type pkg struct {
	ImportPath string
	Imports    []string // without the tests' own: tests may import everything
}

// at is the package's folder in the repository: "app/command".
func (p pkg) at() string { return strings.TrimPrefix(p.ImportPath, module) }

// support says whether the package only serves tests, as eventlogtest does.
func (p pkg) support() bool {
	return strings.HasSuffix(p.ImportPath, "test") || strings.HasPrefix(p.at(), "tests/") || p.at() == "internal/deps"
}

// below says whether an import path or folder is dir or in it.
func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func ours(imp, dir string) bool { return below(imp, module+dir) }

// adapterOf is the folder of the adapter a path is in: "adapters/postgres" for
// adapters/postgres/consumer, since an adapter may have rooms.
func adapterOf(at string) string {
	parts := strings.SplitN(at, "/", 3)
	if len(parts) < 2 || parts[0] != "adapters" {
		return ""
	}
	return parts[0] + "/" + parts[1]
}

// rule is one ban. catches is an import it must refuse, so that no rule is
// there for show.
type rule struct {
	reason  string
	in      func(p pkg) bool
	banned  func(p pkg, imp string) bool
	catches [2]string // package, import
}

func in(dirs ...string) func(pkg) bool {
	return func(p pkg) bool {
		return !p.support() && slices.ContainsFunc(dirs, func(d string) bool { return below(p.at(), d) })
	}
}

func anyOf(paths ...string) func(pkg, string) bool {
	return func(_ pkg, imp string) bool {
		return slices.ContainsFunc(paths, func(p string) bool { return below(imp, p) })
	}
}

var rules = []rule{
	{
		reason: "domain is pure rules: the standard library, decimal, and itself",
		in:     in("domain"),
		banned: func(_ pkg, imp string) bool {
			return !ours(imp, "domain") && !standard(imp) && !below(imp, "github.com/shopspring/decimal")
		},
		catches: [2]string{"domain/strategy", "github.com/google/uuid"},
	},
	{
		reason: "domain has no clock, no I/O and no randomness of its own",
		in:     in("domain"),
		banned: func(_ pkg, imp string) bool {
			return slices.Contains([]string{"os", "net", "net/http", "database/sql", "math/rand", "math/rand/v2", "crypto/rand", "log/slog"}, imp)
		},
		catches: [2]string{"domain/strategy", "os"},
	},
	{
		reason: "app knows domain and itself; what it needs else is an interface of its own",
		in:     in("app"),
		banned: func(_ pkg, imp string) bool {
			return below(imp, "strata.dev/strata") && !ours(imp, "app") && !ours(imp, "domain")
		},
		catches: [2]string{"app/command", module + "adapters/postgres"},
	},
	{
		reason: "databases, brokers, object stores and HTTP belong to adapters and ports, never to app or domain",
		in:     in("app", "domain"),
		banned: anyOf("github.com/jackc/pgx", "database/sql", "github.com/ThreeDotsLabs", "github.com/rabbitmq", "github.com/minio",
			"github.com/labstack", "github.com/pressly/goose", "net/http"),
		catches: [2]string{"app/query", "github.com/jackc/pgx/v5/pgxpool"},
	},
	{
		reason: "ports know app, domain and api, never who stores or sends",
		in:     in("ports"),
		banned: func(_ pkg, imp string) bool {
			return below(imp, "strata.dev/strata") && !ours(imp, "app") && !ours(imp, "domain") && !ours(imp, "api") && !ours(imp, "ports")
		},
		catches: [2]string{"ports/rest", module + "adapters/oidc"},
	},
	{
		reason:  "ports ask app for data, not a database",
		in:      in("ports"),
		banned:  anyOf("github.com/jackc/pgx", "database/sql"),
		catches: [2]string{"ports/rest", "github.com/jackc/pgx/v5"},
	},
	{
		reason:  "Echo is how ports/rest answers HTTP; the generated contract in api may name it",
		in:      func(p pkg) bool { return !p.support() && !below(p.at(), "ports/rest") && !below(p.at(), "api") },
		banned:  anyOf("github.com/labstack/echo"),
		catches: [2]string{"cmd/strata", "github.com/labstack/echo/v4"},
	},
	{
		reason: "adapters know app and domain, never who drives the application",
		in:     in("adapters"),
		banned: func(_ pkg, imp string) bool {
			return ours(imp, "ports") || ours(imp, "api") || ours(imp, "cmd") || ours(imp, "tests")
		},
		catches: [2]string{"adapters/plansdb", module + "ports/rest"},
	},
	{
		reason: "an adapter can be replaced alone: it knows its own folder and adapters/internal, no other adapter",
		in:     in("adapters"),
		banned: func(p pkg, imp string) bool {
			return ours(imp, "adapters") && !ours(imp, "adapters/internal") && !ours(imp, adapterOf(p.at()))
		},
		catches: [2]string{"adapters/rabbitmq", module + "adapters/postgres/consumer"},
	},
	{
		reason:  "private servers are for `strata dev` and tests",
		in:      func(p pkg) bool { return !p.support() && !below(p.at(), "cmd") && !below(p.at(), "adapters/embedded") },
		banned:  anyOf(module + "adapters/embedded"),
		catches: [2]string{"migrations", module + "adapters/embedded"},
	},
	{
		reason:  "only tests need test helpers",
		in:      func(p pkg) bool { return !p.support() },
		banned:  func(_ pkg, imp string) bool { return imp == "testing" || ours(imp, "tests") },
		catches: [2]string{"app/command", module + "tests/testenv"},
	},
	{
		reason:  "one way to log: log/slog, passed in",
		in:      func(p pkg) bool { return !p.support() },
		banned:  func(_ pkg, imp string) bool { return imp == "log" || below(imp, "github.com/sirupsen/logrus") },
		catches: [2]string{"cmd/strata", "log"},
	},
}

// standard says whether the path is of the standard library: those have no dot
// in their first element.
func standard(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".")
}

func TestImportRules(t *testing.T) {
	packages := listPackages(t)
	if len(packages) < 10 {
		t.Fatalf("go list names only %d packages", len(packages))
	}
	for _, p := range packages {
		for _, r := range rules {
			if !r.in(p) {
				continue
			}
			for _, imp := range p.Imports {
				if r.banned(p, imp) {
					t.Errorf("%s imports %s, but %s", p.at(), imp, r.reason)
				}
			}
		}
	}
}

func TestImportRulesCatchWhatTheyBan(t *testing.T) {
	for _, r := range rules {
		p := pkg{ImportPath: module + r.catches[0]}
		if !r.in(p) || !r.banned(p, r.catches[1]) {
			t.Errorf("%s may import %s, although %s", r.catches[0], r.catches[1], r.reason)
		}
	}
	// And not what is meant to be allowed.
	for at, imp := range map[string]string{
		"adapters/postgres":          module + "adapters/postgres/consumer",
		"adapters/postgres/consumer": module + "adapters/postgres",
		"adapters/plansdb":           module + "adapters/internal/readdb",
		"cmd/strata":                 module + "adapters/embedded",
		"ports/rest":                 "github.com/labstack/echo/v4",
		"domain/indicator":           "github.com/shopspring/decimal",
		"app/command":                "github.com/google/uuid",
		"app/eventlog/eventlogtest":  "testing",
	} {
		for _, r := range rules {
			p := pkg{ImportPath: module + at}
			if r.in(p) && r.banned(p, imp) {
				t.Errorf("%s may not import %s because %s", at, imp, r.reason)
			}
		}
	}
}

func listPackages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", "./...")
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, stderr.String())
	}
	var packages []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
