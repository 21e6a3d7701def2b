package rest

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strata.dev/strata/app"
	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/query"
)

// Authenticator says who a bearer token belongs to. A token that is not
// accepted is a fault of kind Unauthenticated; a fault of kind Unavailable says
// that it cannot be told now. Called for every request, so it must be fast for
// tokens it has seen. Safe for concurrent use.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (command.Principal, error)
}

// Rate is how many requests one principal may make.
type Rate struct {
	Requests int           // per window, and at once; 0 = no limit
	Window   time.Duration // 0 = one minute
}

// Check is one thing readiness depends on.
type Check struct {
	Name string
	// Critical: commands cannot be answered without it; else the service is
	// only degraded.
	Critical bool
	// Probe says what is wrong, in words an operator may read; nil = nothing.
	// It is called for every probe, with a context of a few seconds.
	Probe func(context.Context) error
}

// Options wire the port. All but the last group are required.
type Options struct {
	App    *app.App
	Tokens Authenticator
	Events *cloudevents.Encoder
	Log    *slog.Logger

	// Countersigner makes and checks the tokens of POST /v1/countersignatures;
	// nil = nobody can countersign here.
	Countersigner command.Countersigner

	// Ingest takes the messages of outside sources; nil = none are taken here.
	Ingest Intake
	// System says how the installation is; nil = nobody knows here.
	System func(context.Context) (query.System, error)

	// Ledger is the sealed log; nil = nothing is sealed here.
	Ledger Ledger

	// Archive is asked by commands that prefer to be answered from there; nil =
	// nothing is archived.
	Archive Archive

	// Packs makes evidence packs; nil = nothing can be proved here.
	Packs Packs

	// Journal hears of refusals, failed sign-ins and reads of audit data; nil = nobody does.
	Journal Journal

	Registry prometheus.Registerer // nil = no metrics
	Rate     Rate                  // zero = no limit
	Checks   []Check
	// Draining is asked by readyz and, once true, every answer closes its
	// connection; nil = never.
	Draining func() bool
	// Heartbeat is how often a live stream shows that it lives; 0 = 15 seconds.
	Heartbeat time.Duration
	Now       func() time.Time // nil = time.Now
}

func (o Options) withDefaults() (Options, error) {
	if o.App == nil || o.Tokens == nil || o.Events == nil || o.Log == nil {
		return o, errors.New("rest: App, Tokens, Events and Log are required")
	}
	if o.Draining == nil {
		o.Draining = func() bool { return false }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rate.Window <= 0 {
		o.Rate.Window = time.Minute
	}
	if o.Countersigner == nil {
		o.Countersigner = noCountersigner{}
	}
	if o.Ingest == nil {
		o.Ingest = noIntake{}
	}
	if o.System == nil {
		o.System = noSystem
	}
	if o.Ledger == nil {
		o.Ledger = noLedger{}
	}
	if o.Archive == nil {
		o.Archive = noArchive{}
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = heartbeat
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	return o, nil
}
