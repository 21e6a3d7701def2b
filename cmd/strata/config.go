package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/auditdb"
	"strata.dev/strata/adapters/plansdb"
	"strata.dev/strata/app/process"
)

// config is everything Strata takes from its environment. Every variable may be
// given as NAME_FILE, the path of a file that holds the value.
type config struct {
	Env       string `env:"STRATA_ENV" envDefault:"production" means:"production or development; only development believes the development issuer"`
	HTTPAddr  string `env:"STRATA_HTTP_ADDR" envDefault:"127.0.0.1:8080" means:"where the API listens"`
	AdminAddr string `env:"STRATA_ADMIN_ADDR" envDefault:"127.0.0.1:8081" means:"where metrics, profiles and operator actions listen: keep it off the internet"`
	Instance  string `env:"STRATA_INSTANCE" envDefault:"strata.local" means:"host in the source of every announced event"`

	LogURL       string `env:"STRATA_LOG_URL" secret:"url" means:"event log, role strata_log"`
	PlansURL     string `env:"STRATA_PLANS_URL" secret:"url" means:"read database plans, role strata_plans_projector"`
	PlansReadURL string `env:"STRATA_PLANS_READ_URL" secret:"url" means:"read database plans, role strata_plans_reader"`
	AuditURL     string `env:"STRATA_AUDIT_URL" secret:"url" means:"read database audit, role strata_audit_projector"`
	AuditReadURL string `env:"STRATA_AUDIT_READ_URL" secret:"url" means:"read database audit, role strata_audit_reader"`
	AMQPURL      string `env:"STRATA_AMQP_URL" secret:"url" means:"RabbitMQ, with the virtual host as the path"`

	// Given, serve migrates at start; in production better `strata migrate up` with
	// these set for that one run, so that the service never holds them.
	LogAdminURL   string `env:"STRATA_LOG_ADMIN_URL" secret:"url" means:"the event log as an administrator, to create roles and migrate"`
	PlansAdminURL string `env:"STRATA_PLANS_ADMIN_URL" secret:"url" means:"the plans database as an administrator"`
	AuditAdminURL string `env:"STRATA_AUDIT_ADMIN_URL" secret:"url" means:"the audit database as an administrator"`

	DevKeyFile         string `env:"STRATA_DEV_KEY_FILE" means:"private key of the development issuer; made if missing"`
	CountersignKeyFile string `env:"STRATA_COUNTERSIGN_KEY_FILE" means:"Ed25519 keys of second persons' signatures: the first signs, all verify; the same file on every instance; made if missing in development"`

	// Proof and recovery. What is not set is not there: no seal, no archive, no names of persons.
	LedgerKeyFile     string        `env:"STRATA_LEDGER_KEY_FILE" means:"Ed25519 keys that sign checkpoints of the log (strata ledger keygen): all sign, so that two overlap while one replaces the other; made if missing in development; without it nothing is sealed"`
	LedgerVerifyEvery time.Duration `env:"STRATA_LEDGER_VERIFY_EVERY" envDefault:"5m" means:"how often the instance that seals the log verifies the last day's events and the next part of the whole; what it finds it raises; 0 = never"`
	WitnessURL        string        `env:"STRATA_WITNESS_URL" means:"a witness (C2SP tlog-witness) that is asked to cosign every checkpoint"`
	WitnessKey        string        `env:"STRATA_WITNESS_KEY" means:"the witness's verifier key"`
	ArchiveURL        string        `env:"STRATA_ARCHIVE_URL" means:"where the log is archived: file:///directory, or s3://bucket/prefix?endpoint=host:port&region=…&retain=87600h; without it nothing is archived"`
	ArchiveAccessKey  string        `env:"STRATA_ARCHIVE_ACCESS_KEY" means:"of the archive's bucket"`
	ArchiveSecretKey  string        `env:"STRATA_ARCHIVE_SECRET_KEY" secret:"text" means:"of the archive's bucket"`
	ArchiveEvery      time.Duration `env:"STRATA_ARCHIVE_EVERY" envDefault:"1s" means:"how long an event waits for others to share its archive segment"`
	KeysURL           string        `env:"STRATA_KEYS_URL" means:"key store of personal data: file:///directory, or s3://bucket/prefix?…; never a place that keeps what is deleted; without it names of persons are withheld"`
	KeysAccessKey     string        `env:"STRATA_KEYS_ACCESS_KEY" means:"of the key store's bucket"`
	KeysSecretKey     string        `env:"STRATA_KEYS_SECRET_KEY" secret:"text" means:"of the key store's bucket"`
	KeysKEKFile       string        `env:"STRATA_KEYS_KEK_FILE" means:"key-encryption keys of the key store (strata keys keygen): the first wraps, all unwrap; made if missing in development"`

	// Whose tokens are believed. Production needs an issuer of its own.
	OIDCIssuer            string        `env:"STRATA_OIDC_ISSUER" means:"OpenID Connect issuer whose tokens are believed: its https URL, exactly as in iss; required in production"`
	OIDCAudience          string        `env:"STRATA_OIDC_AUDIENCE" means:"what aud must contain"`
	OIDCOrganizationClaim string        `env:"STRATA_OIDC_ORGANIZATION_CLAIM" envDefault:"org" means:"claim with the organization's id"`
	OIDCOperatorClaim     string        `env:"STRATA_OIDC_OPERATOR_CLAIM" means:"claim that is true for operators; empty = the issuer vouches for none"`
	OIDCAlgorithms        []string      `env:"STRATA_OIDC_ALGORITHMS" envDefault:"EdDSA,ES256,RS256" means:"that the issuer signs with"`
	OIDCTokenTypes        []string      `env:"STRATA_OIDC_TOKEN_TYPES" envDefault:"at+jwt" means:"header typ; add JWT for issuers that know no better"`
	OIDCAuthorizedParties []string      `env:"STRATA_OIDC_AUTHORIZED_PARTIES" means:"clients whose tokens are taken; empty = any"`
	OIDCMaxLifetime       time.Duration `env:"STRATA_OIDC_MAX_LIFETIME" envDefault:"1h" means:"longest validity of a token"`
	OIDCLeeway            time.Duration `env:"STRATA_OIDC_LEEWAY" envDefault:"1m" means:"how far the issuer's clock may be ahead"`
	OIDCCAFile            string        `env:"STRATA_OIDC_CA_FILE" means:"certificates of private authorities; empty = the system's"`

	// Of the commands that are clients of the API.
	URL   string `env:"STRATA_URL" means:"the service that client commands ask; by default the one at STRATA_HTTP_ADDR"`
	Token string `env:"STRATA_TOKEN" secret:"text" means:"bearer token of client commands"`

	Groups        []string      `env:"STRATA_GROUPS" envDefault:"relay,plans,audit,processes,intake,ledger,archive,erasure" means:"consumer groups this instance takes part in; intake takes messages of sources from their queues; none = answers requests only"`
	AppendQueue   int           `env:"STRATA_APPEND_QUEUE" envDefault:"4096" means:"commands that may wait for the log; beyond, 429"`
	DrainTimeout  time.Duration `env:"STRATA_DRAIN_TIMEOUT" envDefault:"10s" means:"how long a stop waits for what is under way"`
	VerifyEvery   time.Duration `env:"STRATA_VERIFY_EVERY" envDefault:"1h" means:"how often the leader of a projection compares its read model with the log, and repairs what differs; 0 = never"`
	SampleEvery   time.Duration `env:"STRATA_SAMPLE_EVERY" envDefault:"10s" means:"how often the leader of the audit database compares some events, and what is answered about them, with the log; 0 = never"`
	RatePerMinute int           `env:"STRATA_RATE_PER_MINUTE" envDefault:"60000" means:"requests per principal; 0 = no limit"`
	DemoQueue     bool          `env:"STRATA_DEMO_QUEUE" envDefault:"false" means:"bind a queue strata.demo to every event"`
	AllowUnrouted bool          `env:"STRATA_ALLOW_UNROUTED" envDefault:"false" means:"do not hold back an event for which no queue is bound"`
	LogLevel      string        `env:"STRATA_LOG_LEVEL" envDefault:"info" means:"debug, info, warn, error"`
	DataDir       string        `env:"STRATA_DIR" envDefault:".strata" means:"where strata dev keeps its servers, keys and log"`

	origin      map[string]string // variable → where it came from, for config print
	consumerURL string            // of the private broker of strata dev: an example consumer's
}

// groupNames are the consumer groups of an installation. One instance at a time
// reads for each, whichever it is.
var groupNames = []string{relayGroup, plansdb.Name, auditdb.Name, process.Group, intakeGroup, ledgerGroup, archiveGroup, erasureGroup}

// Consumer groups that seal the log, archive it, and destroy the keys of erased persons.
const ledgerGroup, archiveGroup, erasureGroup = "ledger", "archive", "erasure"

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
	if cfg.LedgerVerifyEvery != 0 && cfg.LedgerVerifyEvery < 100*time.Millisecond {
		errs = append(errs, fmt.Errorf("STRATA_LEDGER_VERIFY_EVERY is %s: take 0 or at least 100ms", cfg.LedgerVerifyEvery))
	}
	if cfg.VerifyEvery != 0 && cfg.VerifyEvery < time.Second {
		errs = append(errs, fmt.Errorf("STRATA_VERIFY_EVERY is %s: take 0 or at least a second", cfg.VerifyEvery))
	}
	if cfg.SampleEvery != 0 && cfg.SampleEvery < 100*time.Millisecond {
		errs = append(errs, fmt.Errorf("STRATA_SAMPLE_EVERY is %s: take 0 or at least 100ms", cfg.SampleEvery))
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

// serviceSettings are what an instance cannot run without.
var serviceSettings = []string{
	"STRATA_LOG_URL", "STRATA_PLANS_URL", "STRATA_PLANS_READ_URL", "STRATA_AUDIT_URL", "STRATA_AUDIT_READ_URL", "STRATA_AMQP_URL",
}

// issuerKeyFile is the development issuer's key: by default the one that `strata dev` made.
func (c config) issuerKeyFile() string {
	if c.DevKeyFile != "" {
		return c.DevKeyFile
	}
	return filepath.Join(c.DataDir, "issuer.key")
}

// countersignKeyFile is "" if there is none: in production nobody makes one up,
// since all instances have to have the same.
func (c config) countersignKeyFile() string {
	if c.CountersignKeyFile != "" || c.Env == production {
		return c.CountersignKeyFile
	}
	return filepath.Join(filepath.Dir(c.issuerKeyFile()), "countersign.key")
}

// ledgerKeyFile, archiveURL, keysURL and keysKEKFile are what is set, or in
// development a place beside the issuer's key.
func (c config) ledgerKeyFile() string { return c.beside(c.LedgerKeyFile, "ledger.key") }
func (c config) keysKEKFile() string   { return c.beside(c.KeysKEKFile, "keys.kek") }
func (c config) archiveURL() string    { return c.directoryBeside(c.ArchiveURL, "archive") }
func (c config) keysURL() string       { return c.directoryBeside(c.KeysURL, "keys") }

func (c config) beside(set, name string) string {
	if set != "" || c.Env == production {
		return set
	}
	return filepath.Join(filepath.Dir(c.issuerKeyFile()), name)
}

func (c config) directoryBeside(set, name string) string {
	if set != "" || c.Env == production {
		return set
	}
	dir, err := filepath.Abs(c.beside("", name))
	if err != nil {
		return set // there is no working directory any more
	}
	return (&url.URL{Scheme: "file", Path: dir}).String()
}

// takesPart says whether this instance reads for a consumer group.
func (c config) takesPart(group string) bool { return slices.Contains(c.Groups, group) }

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

type configField struct{ value, secret, fallback, means string }

func (c config) fields() map[string]configField {
	out := map[string]configField{}
	v := reflect.ValueOf(c)
	for f := range v.Type().Fields() {
		if name := f.Tag.Get("env"); name != "" {
			value := v.FieldByIndex(f.Index).Interface()
			if list, ok := value.([]string); ok {
				value = strings.Join(list, ",") // as it is given
			}
			out[name] = configField{fmt.Sprint(value), f.Tag.Get("secret"), f.Tag.Get("envDefault"), f.Tag.Get("means")}
		}
	}
	return out
}

func configNames() []string { return slices.Sorted(maps.Keys(config{}.fields())) }

// settings are the effective ones, secrets masked, and where each came from.
func (c config) settings() []setting {
	var all []setting
	fields := c.fields()
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		f, origin := fields[name], c.origin[name]
		if origin == "" {
			origin = "default"
		}
		all = append(all, setting{name, f.masked(), origin})
	}
	return all
}

// setting is one line of `strata config print`.
type setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"`
}

// masked is the value without what nobody should read over a shoulder.
func (f configField) masked() string {
	switch {
	case f.value == "":
		return ""
	case f.secret == "url":
		if u, err := url.Parse(f.value); err == nil {
			return u.Redacted()
		}
		return "xxxxx"
	case f.secret == "text":
		return "xxxxx"
	}
	return f.value
}

func (c *cli) config() *cobra.Command {
	cmd := group("config", "Look at the configuration")
	cmd.AddCommand(&cobra.Command{
		Use: "print", Short: "Print the effective settings, secrets masked, and where each came from", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			settings := cfg.settings()
			return c.print(cmd.OutOrStdout(), settings, func(w io.Writer) error {
				for _, s := range settings {
					fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, s.Value, s.From)
				}
				return nil
			})
		},
	})
	return cmd
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
