package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"strata.dev/strata/adapters/rabbitmq"
)

const (
	brokerTimeout = 5 * time.Second
	diskWarn      = 5 << 30 // bytes
	diskFail      = 500 << 20
)

// examineBroker looks at RabbitMQ and at what the relay relies on there.
func examineBroker(cfg config) []finding {
	const check, topology = "rabbitmq", "exchanges"
	if cfg.AMQPURL == "" {
		return nil // settings says so
	}
	conn, err := amqp.DialConfig(cfg.AMQPURL, amqp.Config{Dial: amqp.DefaultDial(brokerTimeout)})
	if err != nil {
		return []finding{failed(check, explainBroker(cfg.AMQPURL, err))}
	}
	defer conn.Close()
	all := []finding{examineBrokerVersion(check, conn.Properties)}
	for _, exchange := range []struct{ name, kind string }{{rabbitmq.Exchange, amqp.ExchangeTopic}, {rabbitmq.Unrouted, amqp.ExchangeFanout}} {
		ch, err := conn.Channel() // a refused declaration closes it
		if err != nil {
			return append(all, failed(topology, err))
		}
		// Passive: looks, and never makes.
		err = ch.ExchangeDeclarePassive(exchange.name, exchange.kind, true, false, false, false, nil)
		var refusal *amqp.Error
		switch {
		case errors.As(err, &refusal) && refusal.Code == amqp.NotFound:
			all = append(all, warn(topology, "start the service: it declares what is missing", "%s is not there yet", exchange.name))
		case err != nil:
			all = append(all, failed(topology, err))
		default:
			all = append(all, ok(topology, "%s is there", exchange.name))
		}
	}
	return all
}

func examineBrokerVersion(check string, properties amqp.Table) finding {
	version, _ := properties["version"].(string)
	product, _ := properties["product"].(string)
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil || product != "RabbitMQ" {
		return warn(check, "only RabbitMQ is known to keep the relay's promises", "%s %s answers", product, version)
	}
	if major < 3 || major == 3 && minor < 10 {
		return fail(check, "upgrade to RabbitMQ 3.10 or newer", "version %s is too old", version)
	}
	capabilities, _ := properties["capabilities"].(amqp.Table)
	for _, feature := range []string{"publisher_confirms", "basic.nack", "connection.blocked", "consumer_cancel_notify"} {
		if has, _ := capabilities[feature].(bool); !has {
			return fail(check, "use an unmodified RabbitMQ", "version %s lacks %s", version, feature)
		}
	}
	return ok(check, "RabbitMQ %s with publisher confirms", version)
}

// explainBroker is explain for RabbitMQ, which has refusals of its own.
func explainBroker(dsn string, err error) error {
	var refusal *amqp.Error
	switch {
	case errors.Is(err, amqp.ErrCredentials), errors.As(err, &refusal) && refusal.Code == amqp.AccessRefused:
		return fmt.Errorf("RabbitMQ refuses the user or password: check STRATA_AMQP_URL: %w", errUnreachable)
	case errors.Is(err, amqp.ErrVhost), errors.As(err, &refusal) && refusal.Code == amqp.NotAllowed:
		return fmt.Errorf("RabbitMQ does not let this user into the virtual host: check the path of STRATA_AMQP_URL: %w", errUnreachable)
	}
	return explain("RabbitMQ", dsn, err)
}

// examineKeys looks at what tokens and signatures are made and checked with.
func examineKeys(ctx context.Context, cfg config) []finding {
	var all []finding
	if cfg.Env == development {
		all = append(all, examineKeyFile("issuer key", cfg.issuerKeyFile(), "`strata dev` or `strata token issue` makes one"))
	}
	all = append(all, examineKeyFile("countersign key", cfg.countersignKeyFile(), "commands that need a second person are refused: set STRATA_COUNTERSIGN_KEY_FILE"))
	if cfg.OIDCIssuer != "" || cfg.Env == production {
		all = append(all, examineIssuer(ctx, cfg))
	}
	return all
}

// examineIssuer asks the issuer for its keys, as the service does.
func examineIssuer(ctx context.Context, cfg config) finding {
	const check = "token issuer"
	if cfg.Env == production && cfg.OIDCIssuer == "" {
		return fail(check, "set STRATA_OIDC_ISSUER and STRATA_OIDC_AUDIENCE", "production has no issuer: nobody's token would be accepted")
	}
	cfg.Env = production // the development issuer has a check of its own, and makes its key
	verifier, err := openVerifier(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return failed(check, err)
	}
	if err := verifier.Warm(ctx); err != nil {
		return failed(check, fmt.Errorf("%w: %w", err, errUnreachable))
	}
	return ok(check, "%s publishes its keys", cfg.OIDCIssuer)
}

func examineKeyFile(check, file, missing string) finding {
	if file == "" {
		return warn(check, missing, "none is configured")
	}
	st, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return warn(check, missing, "%s is not there", file)
	case err != nil:
		return failed(check, err)
	case st.Mode().Perm()&0o077 != 0:
		return fail(check, "chmod 600 "+file, "%s can be read by others: whoever reads it can sign as anyone", file)
	}
	return ok(check, "%s, readable by its owner only", file)
}

// examineDisk looks at the disk of this machine. Those of the servers are theirs
// to watch, unless they are the private ones, which live here.
func examineDisk(cfg config) finding {
	const check = "disk"
	dir := cfg.DataDir
	if _, err := os.Stat(dir); err != nil {
		dir = "." // no private installation here
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return failed(check, err)
	}
	free, err := freeDisk(abs)
	const advice = "make room: PostgreSQL stops when its disk is full, and RabbitMQ before that"
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return ok(check, "free space is not known on this system")
	case err != nil:
		return failed(check, err)
	case free < diskFail:
		return fail(check, advice, "%d MiB free at %s", free>>20, abs)
	case free < diskWarn:
		return warn(check, advice, "%d MiB free at %s", free>>20, abs)
	}
	return ok(check, "%d GiB free at %s", free>>30, abs)
}

// examineService asks the service, if one runs here.
func examineService(ctx context.Context, cfg config) finding {
	const check = "service"
	base := cfg.serviceURL()
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	status, body, err := probe(ctx, base, "/healthz")
	switch {
	case err != nil:
		return warn(check, "start it (strata serve), or set STRATA_URL to where it runs", "nothing answers at %s (%v)", base, rootCause(err))
	case status != http.StatusOK:
		return fail(check, "see its log", "%s says %s", base, bytes.TrimSpace(body))
	}
	return ok(check, "%s says %s", base, bytes.TrimSpace(body))
}
