package tests

import (
	"bufio"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"strata.dev/strata/tests/testenv"
)

func loadCompose(t *testing.T, environ ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../docker-compose.yml"}, cli.WithEnv(environ), cli.WithName("strata"))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func service(t *testing.T, p *types.Project, name string) types.ServiceConfig {
	t.Helper()
	s, err := p.GetService(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestComposeStartsStrataWhenItsServersAreHealthy(t *testing.T) {
	project := loadCompose(t)
	for _, name := range []string{"postgres", "rabbitmq", "strata"} {
		s := service(t, project, name)
		if s.HealthCheck == nil || len(s.HealthCheck.Test) < 2 || s.HealthCheck.Test[0] != "CMD" {
			t.Errorf("%s has no health check: up --wait would not wait for it", name)
		}
	}
	depends := service(t, project, "strata").DependsOn
	for _, name := range []string{"postgres", "rabbitmq"} {
		if depends[name].Condition != types.ServiceConditionHealthy {
			t.Errorf("strata starts when %s is %q", name, depends[name].Condition)
		}
	}
	if got := service(t, project, "strata").HealthCheck.Test[1:]; !slices.Equal(got, []string{"/strata", "healthcheck"}) {
		t.Errorf("strata is asked by %v: there is no shell in the image", got)
	}
	for name, image := range map[string]string{"postgres": "postgres:18", "rabbitmq": "rabbitmq:4-management"} {
		if got := service(t, project, name).Image; got != image {
			t.Errorf("%s runs %s, want %s", name, got, image)
		}
	}
}

func TestComposeListensOnLoopbackOnly(t *testing.T) {
	for name, s := range loadCompose(t).Services {
		if len(s.Ports) == 0 {
			t.Errorf("%s publishes no port", name)
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %d on %q", name, p.Target, p.HostIP)
			}
		}
	}
}

func TestComposeKeepsData(t *testing.T) {
	want := map[string]string{
		"postgres": "/var/lib/postgresql", // not …/data: version 18 refuses to start with that
		"rabbitmq": "/var/lib/rabbitmq",
		"strata":   "/data",
	}
	project := loadCompose(t)
	for name, target := range want {
		found := slices.ContainsFunc(service(t, project, name).Volumes, func(v types.ServiceVolumeConfig) bool {
			return v.Type == types.VolumeTypeVolume && v.Target == target
		})
		if !found {
			t.Errorf("%s keeps nothing at %s", name, target)
		}
	}
	if project.Services["rabbitmq"].Hostname == "" {
		t.Error("without a fixed host name RabbitMQ finds its data only until it is created anew")
	}
}

func TestComposePasswordsAreOneSetting(t *testing.T) {
	project := loadCompose(t, "DEV_PASSWORD=c0rrect")
	users := map[string]bool{}
	for name, value := range service(t, project, "strata").Environment {
		if value == nil || !strings.HasSuffix(name, "_URL") {
			continue
		}
		u, err := url.Parse(*value)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if password, _ := u.User.Password(); password != "c0rrect" {
			t.Errorf("%s has the password %q", name, password)
		}
		users[u.User.Username()] = true
	}
	for _, role := range []string{"strata_log", "strata_plans_projector", "strata_plans_reader", "strata_audit_projector", "strata_audit_reader", "strata"} {
		if !users[role] {
			t.Errorf("nothing connects as %s", role)
		}
	}
	rabbit := service(t, project, "rabbitmq").Environment
	if user := rabbit["RABBITMQ_DEFAULT_USER"]; user == nil || *user == "guest" || users["guest"] {
		t.Error("RabbitMQ has its guest")
	}
}

func TestComposeDatabasesAreMade(t *testing.T) {
	sql, err := os.ReadFile("../docker/databases.sql")
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range service(t, loadCompose(t), "strata").Environment {
		if value == nil || !strings.HasPrefix(*value, "postgres://") {
			continue
		}
		u, err := url.Parse(*value)
		if err != nil {
			t.Fatal(err)
		}
		if want := "CREATE DATABASE " + strings.TrimPrefix(u.Path, "/") + ";"; !strings.Contains(string(sql), want) {
			t.Errorf("%s names a database that nobody makes: no %q", name, want)
		}
	}
}

func TestComposeFileIsReadByOldDockerCompose(t *testing.T) {
	binary, err := exec.LookPath("docker-compose")
	if err != nil {
		testenv.SkipLoud(t, "docker-compose 1.29 is not installed (apt-get install docker-compose)")
	}
	cmd := exec.Command(binary, "-f", "docker-compose.yml", "config", "--quiet")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// The build context is a list of folders: a new one that the service imports
// must be added there, and nobody can build the image on every machine.
func TestDockerContextHoldsWhatTheServiceImports(t *testing.T) {
	f, err := os.Open("../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // only read
	var kept []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if dir, ok := strings.CutPrefix(lines.Text(), "!"); ok {
			kept = append(kept, dir)
		}
	}
	if err := lines.Err(); err != nil || len(kept) == 0 {
		t.Fatalf("%d folders, %v", len(kept), err)
	}
	for _, dir := range kept {
		if _, err := os.Stat(filepath.Join("..", dir)); err != nil {
			t.Errorf(".dockerignore keeps what is not there: %v", err)
		}
	}
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if .Module}}{{if .Module.Main}}{{.ImportPath}}{{end}}{{end}}", "./cmd/strata")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, imp := range strings.Fields(string(out)) {
		at := strings.TrimPrefix(imp, module)
		if !slices.ContainsFunc(kept, func(dir string) bool { return below(at, dir) }) {
			t.Errorf("%s is not in the build context", at)
		}
	}
}
