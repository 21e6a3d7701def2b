package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caarlos0/env/v11"

	"strata.dev/strata/adapters/auditdb"
	"strata.dev/strata/adapters/plansdb"
)

// config is everything Strata takes from its environment. A variable tagged
// secret may be given as NAME_FILE, the path of a file that holds the value.
type config struct {
	Env       string `env:"STRATA_ENV" envDefault:"production"` // development allows the development issuer
	HTTPAddr  string `env:"STRATA_HTTP_ADDR" envDefault:"127.0.0.1:8080"`
	AdminAddr string `env:"STRATA_ADMIN_ADDR" envDefault:"127.0.0.1:8081"` // metrics and pprof: keep it off the internet
	Instance  string `env:"STRATA_INSTANCE" envDefault:"strata.local"`     // host in the source of every announced event

	LogURL       string `env:"STRATA_LOG_URL" secret:"url"`        // event log, role strata_log
	PlansURL     string `env:"STRATA_PLANS_URL" secret:"url"`      // read database plans, role strata_plans_projector
	PlansReadURL string `env:"STRATA_PLANS_READ_URL" secret:"url"` // the same, role strata_plans_reader
	AuditURL     string `env:"STRATA_AUDIT_URL" secret:"url"`      // read database audit, role strata_audit_projector
	AuditReadURL string `env:"STRATA_AUDIT_READ_URL" secret:"url"` // the same, role strata_audit_reader
	AMQPURL      string `env:"STRATA_AMQP_URL" secret:"url"`       // RabbitMQ, with the vhost

	// Given, serve migrates at start; in production better `strata migrate up` with
	// these set for that one run, so that the service never holds them.
	LogAdminURL   string `env:"STRATA_LOG_ADMIN_URL" secret:"url"`
	PlansAdminURL string `env:"STRATA_PLANS_ADMIN_URL" secret:"url"`
	AuditAdminURL string `env:"STRATA_AUDIT_ADMIN_URL" secret:"url"`

	DevKeyFile string `env:"STRATA_DEV_KEY_FILE"` // private key of the development issuer; made if missing

	Groups        []string      `env:"STRATA_GROUPS" envDefault:"relay,plans,audit"` // consumer groups this instance takes part in; none = answers requests only
	AppendQueue   int           `env:"STRATA_APPEND_QUEUE" envDefault:"4096"`        // commands that may wait for the log before 429
	DrainTimeout  time.Duration `env:"STRATA_DRAIN_TIMEOUT" envDefault:"10s"`        // how long a stop waits for what is under way
	RatePerMinute int           `env:"STRATA_RATE_PER_MINUTE" envDefault:"600"`      // requests per principal; 0 = no limit
	DemoQueue     bool          `env:"STRATA_DEMO_QUEUE" envDefault:"false"`         // bind a queue strata.demo to every event
	AllowUnrouted bool          `env:"STRATA_ALLOW_UNROUTED" envDefault:"false"`     // do not hold back an event for which no queue is bound
	LogLevel      string        `env:"STRATA_LOG_LEVEL" envDefault:"info"`           // debug, info, warn, error
	DataDir       string        `env:"STRATA_DIR" envDefault:".strata"`              // of `strata dev` only

	origin      map[string]string // variable → where it came from, for config print
	consumerURL string            // of the private broker of strata dev: an example consumer's
}

// groupNames are the consumer groups of an installation. One instance at a time
// reads for each, whichever it is.
var groupNames = []string{relayGroup, plansdb.Name, auditdb.Name}

const production, development = "production", "development"

// usageError is an error of the caller's making: exit code 2.
type usageError struct{ error }

// loadConfig reads the environment. All errors are reported at once.
func loadConfig(environ []string) (config, error) {
	given, origin := map[string]string{}, map[string]string{}
	known := configNames()
	var errs []error
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "STRATA_") || strings.HasPrefix(name, "STRATA_TEST_") || value == "" {
			continue
		}
		target, isFile := strings.CutSuffix(name, "_FILE")
		switch {
		case slices.Contains(known, name):
			given[name], origin[name] = value, "environment"
		case isFile && slices.Contains(known, target):
			body, err := os.ReadFile(value)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
				continue
			}
			given[target], origin[target] = strings.TrimSpace(string(body)), "file "+value
		default:
			errs = append(errs, fmt.Errorf("%s is not a setting of Strata; did you mean %s?", name, nearest(name, known)))
		}
	}
	cfg, err := env.ParseAsWithOptions[config](env.Options{Environment: given})
	if err != nil {
		errs = append(errs, err)
	}
	cfg.origin = origin
	if cfg.Env != production && cfg.Env != development {
		errs = append(errs, fmt.Errorf("STRATA_ENV is %q: take production or development", cfg.Env))
	}
	if slices.Equal(cfg.Groups, []string{"none"}) {
		cfg.Groups = nil
	}
	for _, g := range cfg.Groups {
		if !slices.Contains(groupNames, g) {
			errs = append(errs, fmt.Errorf("STRATA_GROUPS names %q: take some of %s, or none", g, strings.Join(groupNames, ", ")))
		}
	}
	for name, field := range cfg.fields() {
		if field.secret == "url" && field.value != "" {
			if u, err := url.Parse(field.value); err != nil || u.Host == "" {
				errs = append(errs, fmt.Errorf("%s is not a URL with a host (the value is not shown: it may hold a password)", name))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return config{}, usageError{err}
	}
	return cfg, nil
}

// need names the settings among names that are empty.
func (c config) need(names ...string) error {
	fields := c.fields()
	var missing []string
	for _, n := range names {
		if fields[n].value == "" {
			missing = append(missing, n)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return usageError{fmt.Errorf("%s not set: give the URLs of your servers, or run `strata dev`, which starts private ones", strings.Join(missing, ", "))}
}

type configField struct{ value, secret string }

func (c config) fields() map[string]configField {
	out := map[string]configField{}
	v := reflect.ValueOf(c)
	for f := range v.Type().Fields() {
		if name := f.Tag.Get("env"); name != "" {
			out[name] = configField{fmt.Sprint(v.FieldByIndex(f.Index).Interface()), f.Tag.Get("secret")}
		}
	}
	return out
}

func configNames() []string { return slices.Sorted(maps.Keys(config{}.fields())) }

// print shows the effective settings, secrets masked, and where each came from.
func (c config) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fields := c.fields()
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		f, origin := fields[name], c.origin[name]
		if origin == "" {
			origin = "default"
		}
		if f.secret == "url" && f.value != "" {
			if u, err := url.Parse(f.value); err == nil {
				f.value = u.Redacted()
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", name, f.value, origin)
	}
	return w.Flush()
}

// nearest is the known name with the smallest edit distance to name.
func nearest(name string, known []string) string {
	return slices.MinFunc(known, func(a, b string) int { return distance(name, a) - distance(name, b) })
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost = 1 + min(diag, row[j], row[j+1])
			}
			diag, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
