package e2e_test

import (
	"net"
	"strings"
	"testing"

	"strata.dev/strata/tests/system"
)

// What scripts rely on: exit codes, and one line that says what is wrong, why,
// and how to go on.
func TestExitCodes(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	nowhere, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	away := nowhere.Addr().String()
	if err := nowhere.Close(); err != nil { // nobody listens there now
		t.Fatal(err)
	}
	urls := func(host string) []string {
		environ := []string{"STRATA_ENV=development", "STRATA_HTTP_ADDR=127.0.0.1:0", "STRATA_ADMIN_ADDR=127.0.0.1:0", "STRATA_AMQP_URL=amqp://guest:guest@" + host + "/"}
		for name, role := range map[string]string{
			"LOG_URL": "strata_log", "PLANS_URL": "strata_plans_projector", "PLANS_READ_URL": "strata_plans_reader",
			"AUDIT_URL": "strata_audit_projector", "AUDIT_READ_URL": "strata_audit_reader",
		} {
			environ = append(environ, "STRATA_"+name+"=postgres://"+role+":secret-word@"+host+"/strata?sslmode=disable")
		}
		return environ
	}
	for _, c := range []struct {
		name    string
		environ []string
		args    []string
		code    int
		says    []string
	}{
		{"version", nil, []string{"version"}, 0, nil},
		{"unknown command", nil, []string{"sreve"}, 2, []string{"sreve"}},
		{"unknown flag", nil, []string{"serve", "--prot=1"}, 2, []string{"--prot"}},
		{"unknown variable", []string{"STRATA_LGO_URL=x"}, []string{"serve"}, 2, []string{"STRATA_LGO_URL", "did you mean STRATA_LOG_URL"}},
		{"nothing configured", nil, []string{"serve"}, 2, []string{"STRATA_LOG_URL", "strata dev"}},
		{"not a URL", []string{"STRATA_LOG_URL=secret-word"}, []string{"serve"}, 2, []string{"STRATA_LOG_URL"}},
		{"development issuer in production", append(urls(away), "STRATA_ENV=production"), []string{"token", "issue", "--subject", "sam", "--operator"}, 1, []string{"STRATA_ENV=production", "development"}},
		{"database away", urls(away), []string{"serve"}, 4, []string{away, "refused"}},
		{"database away, rebuild", urls(away), []string{"projections", "rebuild", "plans"}, 4, []string{away, "refused"}},
		{"no such host", urls("no-such-host.invalid:5432"), []string{"serve"}, 4, []string{"no-such-host.invalid"}},
		{"port taken", append(urls(away), "STRATA_HTTP_ADDR="+taken.Addr().String()), []string{"serve"}, 1, []string{taken.Addr().String(), "in use", "STRATA_HTTP_ADDR"}},
		{"no such projection", urls(away), []string{"projections", "rebuild"}, 2, []string{"plans or audit"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := system.CLI(t, c.environ, c.args...)
			if r.Code != c.code {
				t.Errorf("exit code %d, want %d\n%s", r.Code, c.code, r.Stderr)
			}
			said := strings.TrimRight(r.Stderr, "\n")
			if c.code == 0 {
				return
			}
			if strings.Count(said, "\n") != 0 || !strings.HasPrefix(said, "strata: ") {
				t.Errorf("more than one line, or not one of ours:\n%s", said)
			}
			for _, words := range c.says {
				if !strings.Contains(said, words) {
					t.Errorf("%q does not say %q", said, words)
				}
			}
			if strings.Contains(said, "secret-word") {
				t.Errorf("%q gives a secret away", said)
			}
		})
	}
}

// portTaken: a process that cannot have its port says so before it touches anything.
func portTaken(t *testing.T, s *system.System, service *system.Service) {
	r := system.CLI(t, s.Environ(map[string]string{"STRATA_HTTP_ADDR": strings.TrimPrefix(service.Base, "http://")}), "serve")
	if r.Code != 1 || strings.Count(r.Stderr, "\n") != 1 || !strings.Contains(r.Stderr, "STRATA_HTTP_ADDR") {
		t.Errorf("exit code %d, %q", r.Code, r.Stderr)
	}
	if got := service.Health(); got != "ok" {
		t.Errorf("the service that was there is %s", got)
	}
}
